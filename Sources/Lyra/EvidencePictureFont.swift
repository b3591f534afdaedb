// Letters as strokes, for text in bitmaps: Latin letters, digits and signs drawn with lines and arcs for this package.
import Foundation

/// A line font. Units: capitals are 14 high, small letters 10; y grows upwards from the base line.
enum StrokeFont {
    private static let gap = 3.1
    /// Units per pixel of font size: capitals take 0.72 of it.
    private static func unit(_ size: Double) -> Double { size * 0.72 / 14 }

    /// Width of a text in pixels.
    static func width(_ text: String, size: Double) -> Double {
        let letters = fold(text)
        let units = letters.reduce(0) { $0 + glyph($1).width } + gap * Double(max(0, letters.count - 1))
        return units * unit(size)
    }

    /// The strokes of a text whose base line starts at (x, y), in pixels, y downwards.
    static func lines(_ text: String, x: Double, y: Double, size: Double) -> [[Raster.Point]] {
        var lines: [[Raster.Point]] = []
        var left = x
        let unit = unit(size)
        for letter in fold(text) {
            let glyph = glyph(letter)
            for line in glyph.lines { lines.append(line.map { Raster.Point(left + $0.x * unit, y - $0.y * unit) }) }
            left += (glyph.width + gap) * unit
        }
        return lines
    }

    /// Letters this font has: accents are dropped, everything else becomes an empty box.
    private static func fold(_ text: String) -> [Character] {
        let plain = text.folding(options: [.diacriticInsensitive, .widthInsensitive], locale: nil)
        return plain.map { replacements[$0] ?? $0 }.flatMap { $0 == "…" ? [".", ".", "."] : [$0] }
    }
    private static let replacements: [Character: Character] = [
        "\n": " ", "\t": " ", "\u{A0}": " ", "“": "\"", "”": "\"", "„": "\"", "‘": "'", "’": "'", "—": "–", "ø": "o", "ß": "s",
    ]

    struct Glyph {
        var width: Double
        var lines: [[Raster.Point]]
    }

    private static func glyph(_ letter: Character) -> Glyph {
        glyphs[letter] ?? Glyph(width: 7, lines: parse("M 0 0 L 7 0 L 7 14 L 0 14 L 0 0"))
    }

    private static let glyphs: [Character: Glyph] = Dictionary(
        uniqueKeysWithValues: source.map { ($0.0, Glyph(width: $0.1, lines: parse($0.2))) })

    /// `M x y` begins a stroke, `L x y` draws a line, `A cx cy rx ry from to` an elliptical arc in degrees.
    private static func parse(_ path: String) -> [[Raster.Point]] {
        var lines: [[Raster.Point]] = []
        var words = path.split(separator: " ")[...]
        func numbers(_ count: Int) -> [Double] {
            defer { words = words.dropFirst(count) }
            return words.prefix(count).map { Double($0) ?? 0 }
        }
        while let command = words.popFirst() {
            if command == "A" {
                let n = numbers(6)
                let steps = max(6, Int(abs(n[5] - n[4]) / 15))
                let arc = (0...steps).map { step in
                    let angle = (n[4] + (n[5] - n[4]) * Double(step) / Double(steps)) * .pi / 180
                    return Raster.Point(n[0] + n[2] * cos(angle), n[1] + n[3] * sin(angle))
                }
                if lines.isEmpty { lines.append([]) }
                lines[lines.count - 1] += arc
            } else {
                // "M" right before an arc only lifts the pen.
                let isBare = command == "M" && words.first == "A"
                if command == "M" || lines.isEmpty { lines.append([]) }
                if !isBare {
                    let n = numbers(2)
                    lines[lines.count - 1].append(Raster.Point(n[0], n[1]))
                }
            }
        }
        return lines
    }

    private static let source: [(Character, Double, String)] = [
        (" ", 2.4, ""),
        ("A", 10, "M 0 0 L 5 14 L 10 0 M 1.8 5 L 8.2 5"),
        ("B", 9, "M 0 7.3 L 5 7.3 A 5 10.65 3.4 3.35 -90 90 L 0 14 L 0 0 L 5.2 0 A 5.2 3.65 3.8 3.65 -90 90"),
        ("C", 10, "A 5.8 7 5.8 7 48 312"),
        ("D", 10, "M 0 0 L 0 14 L 4 14 A 4 7 6 7 90 -90 L 0 0"),
        ("E", 8, "M 8 0 L 0 0 L 0 14 L 8 14 M 0 7.3 L 6.8 7.3"),
        ("F", 7.6, "M 0 0 L 0 14 L 7.6 14 M 0 7 L 6.4 7"),
        ("G", 11, "A 5.8 7 5.8 7 50 345 L 11.4 6.8 L 6.8 6.8"),
        ("H", 9.5, "M 0 0 L 0 14 M 9.5 0 L 9.5 14 M 0 7.2 L 9.5 7.2"),
        ("I", 0, "M 0 0 L 0 14"),
        ("J", 6, "M 6 14 L 6 4 A 3 4 3 4 0 -180"),
        ("K", 9, "M 0 0 L 0 14 M 8.5 14 L 0 5.5 M 3.2 8.7 L 9 0"),
        ("L", 7.2, "M 0 14 L 0 0 L 7.2 0"),
        ("M", 12, "M 0 0 L 0 14 L 6 3.5 L 12 14 L 12 0"),
        ("N", 9.5, "M 0 0 L 0 14 L 9.5 0 L 9.5 14"),
        ("O", 12, "A 6 7 6 7 0 360"),
        ("P", 8.7, "M 0 0 L 0 14 L 5 14 A 5 10.3 3.7 3.7 90 -90 L 0 6.6"),
        ("Q", 12, "A 6 7 6 7 0 360 M 7.6 3 L 11.6 -1.2"),
        ("R", 9, "M 0 0 L 0 14 L 5 14 A 5 10.3 3.7 3.7 90 -90 L 0 6.6 M 4.6 6.6 L 9 0"),
        ("S", 9, "A 4.5 10.5 4 3.5 30 270 A 4.5 3.5 4.4 3.5 90 -150"),
        ("T", 9, "M 0 14 L 9 14 M 4.5 14 L 4.5 0"),
        ("U", 9.4, "M 0 14 L 0 4.7 A 4.7 4.7 4.7 4.7 180 360 L 9.4 14"),
        ("V", 10, "M 0 14 L 5 0 L 10 14"),
        ("W", 14, "M 0 14 L 3.6 0 L 7 11.5 L 10.4 0 L 14 14"),
        ("X", 9, "M 0 0 L 9 14 M 0 14 L 9 0"),
        ("Y", 9.2, "M 0 14 L 4.6 7 L 9.2 14 M 4.6 7 L 4.6 0"),
        ("Z", 9, "M 0 14 L 9 14 L 0 0 L 9 0"),
        ("a", 8, "A 4 5 4 5 0 360 M 8 10 L 8 0"),
        ("b", 8, "M 0 14.5 L 0 0 M A 4 5 4 5 0 360"),
        ("c", 7.4, "A 4.2 5 4.2 5 48 312"),
        ("d", 8, "A 4 5 4 5 0 360 M 8 14.5 L 8 0"),
        ("e", 8.1, "M 0.1 5.2 L 8.1 5.2 A 4.1 5 4 5 2 318"),
        ("f", 5, "M 5.2 14.3 A 5.2 11.2 2.9 3.1 90 180 L 2.3 0 M 0 9.7 L 5 9.7"),
        ("g", 8, "A 4 5 4 5 0 360 M 8 10 L 8 -0.6 A 4.2 -0.6 3.8 3.6 0 -150"),
        ("h", 7.6, "M 0 14.5 L 0 0 M 0 6.2 A 3.8 6.2 3.8 3.8 180 0 L 7.6 0"),
        ("i", 0, "M 0 0 L 0 10 M 0 13.6 L 0 14"),
        ("j", 1.6, "M 1.6 10 L 1.6 -2 A -0.6 -2 2.2 2.2 0 -90 M 1.6 13.6 L 1.6 14"),
        ("k", 7.2, "M 0 0 L 0 14.5 M 6.8 10 L 0 3.8 M 2.6 6.2 L 7.2 0"),
        ("l", 0, "M 0 0 L 0 14.5"),
        ("m", 12.4, "M 0 0 L 0 10 M 0 6.7 A 3.1 6.7 3.1 3.3 180 0 L 6.2 0 M 6.2 6.7 A 9.3 6.7 3.1 3.3 180 0 L 12.4 0"),
        ("n", 7.6, "M 0 0 L 0 10 M 0 6.2 A 3.8 6.2 3.8 3.8 180 0 L 7.6 0"),
        ("o", 8.4, "A 4.2 5 4.2 5 0 360"),
        ("p", 8, "M 0 10 L 0 -4 M A 4 5 4 5 0 360"),
        ("q", 8, "A 4 5 4 5 0 360 M 8 10 L 8 -4"),
        ("r", 4.4, "M 0 0 L 0 10 M 0 6 A 3.8 6 3.8 4 180 78"),
        ("s", 6.6, "A 3.3 7.5 3 2.5 35 270 A 3.3 2.5 3.3 2.5 90 -150"),
        ("t", 5, "M 2.1 13.4 L 2.1 3 A 4.7 3 2.6 3 180 275 M 0 9.7 L 5 9.7"),
        ("u", 7.6, "M 0 10 L 0 3.8 A 3.8 3.8 3.8 3.8 180 360 L 7.6 10 M 7.6 3.8 L 7.6 0"),
        ("v", 7.6, "M 0 10 L 3.8 0 L 7.6 10"),
        ("w", 11.2, "M 0 10 L 2.8 0 L 5.6 9 L 8.4 0 L 11.2 10"),
        ("x", 7.2, "M 0 0 L 7.2 10 M 0 10 L 7.2 0"),
        ("y", 7.8, "M 0 10 L 3.9 0 M 7.8 10 L 3.1 -2.2 A 1.1 -1.4 2.2 2.6 -25 -100"),
        ("z", 7, "M 0 10 L 7 10 L 0 0 L 7 0"),
        ("0", 8.4, "A 4.2 7 4.2 7 0 360"),
        ("1", 8.4, "M 1.6 11 L 5 14 L 5 0"),
        ("2", 8.4, "A 4.3 10.2 3.8 3.8 175 -38 L 0.3 0 L 8.3 0"),
        ("3", 8.4, "A 4 10.6 3.5 3.4 150 -90 A 4 3.6 4.2 3.6 90 -150"),
        ("4", 8.4, "M 6.4 0 L 6.4 14 L 0 4.2 L 8.6 4.2"),
        ("5", 8.4, "M 7.6 14 L 1.5 14 L 0.9 7.4 A 4.1 4.6 4.2 4.6 128 -150"),
        ("6", 8.4, "A 4.2 4.5 4.2 4.5 0 360 M 0.6 6.6 L 5.4 14"),
        ("7", 8.4, "M 0 14 L 8.4 14 L 3 0"),
        ("8", 8.4, "A 4.2 10.6 3.5 3.4 0 360 M A 4.2 3.6 4.2 3.6 0 360"),
        ("9", 8.4, "A 4.2 9.5 4.2 4.5 0 360 M 7.8 7.4 L 3 0"),
        (".", 0.6, "M 0.3 0 L 0.3 0.4"), (",", 1, "M 0.9 0.6 L 0 -2.4"), (":", 0.6, "M 0.3 0 L 0.3 0.4 M 0.3 8 L 0.3 8.4"),
        (";", 1, "M 0.9 0.6 L 0 -2.4 M 0.8 8 L 0.8 8.4"), ("!", 0.6, "M 0.3 14 L 0.3 4.4 M 0.3 0 L 0.3 0.4"),
        ("?", 7.2, "A 3.6 10.4 3.6 3.6 170 -52 L 3.7 5.8 L 3.7 4.2 M 3.7 0 L 3.7 0.4"),
        ("'", 0.4, "M 0.2 14.5 L 0.2 10.5"), ("\"", 3.4, "M 0.2 14.5 L 0.2 10.5 M 3.2 14.5 L 3.2 10.5"),
        ("-", 4.6, "M 0 5.5 L 4.6 5.5"), ("–", 8, "M 0 5.5 L 8 5.5"), ("_", 8, "M 0 -2.5 L 8 -2.5"),
        ("+", 8, "M 0 6 L 8 6 M 4 10 L 4 2"), ("=", 8, "M 0 8 L 8 8 M 0 4 L 8 4"), ("/", 6, "M 0 -2 L 6 15"),
        ("\\", 6, "M 0 15 L 6 -2"), ("|", 0.4, "M 0.2 16 L 0.2 -3"), ("(", 3, "A 8 6.3 7.6 11 132 228"),
        (")", 3, "A -5 6.3 7.6 11 48 -48"), ("[", 3.2, "M 3.2 15 L 0 15 L 0 -2.4 L 3.2 -2.4"),
        ("]", 3.2, "M 0 15 L 3.2 15 L 3.2 -2.4 L 0 -2.4"), ("{", 4.4, "M 4.4 15 L 2.4 14 L 2.4 7.6 L 0.4 6.3 L 2.4 5 L 2.4 -1.4 L 4.4 -2.4"),
        ("}", 4.4, "M 0 15 L 2 14 L 2 7.6 L 4 6.3 L 2 5 L 2 -1.4 L 0 -2.4"), ("<", 7.4, "M 7.4 10 L 0 6 L 7.4 2"),
        (">", 7.4, "M 0 10 L 7.4 6 L 0 2"), ("*", 6, "M 3 14.5 L 3 8.5 M 0.4 13 L 5.6 10 M 0.4 10 L 5.6 13"),
        ("#", 10.5, "M 2.5 0 L 4.5 14 M 7 0 L 9 14 M 0.5 9.5 L 10.5 9.5 M 0 4.5 L 10 4.5"),
        ("$", 9, "A 4.5 10.2 4 3.2 30 270 A 4.5 3.8 4.4 3.2 90 -150 M 4.5 15.6 L 4.5 -1.6"),
        ("%", 12, "A 2.4 10.9 2.4 3.1 0 360 M A 9.6 3.1 2.4 3.1 0 360 M 9.6 14 L 2.4 0"),
        ("&", 9.6, "M 9.6 0 L 2.3 9.3 A 4.2 11.4 2.5 2.6 225 -45 L 2 6.6 A 3.9 3.4 3.7 3.4 125 335 L 9 6.6"),
        ("@", 13.2, "A 6.5 5.5 3 3.6 0 360 M 9.5 9.1 L 9.5 4.2 A 11.3 4.2 1.8 2.2 180 350 L 13.1 6 A 6.6 6 6.5 7.5 0 302"),
        ("^", 6.4, "M 0 10 L 3.2 14 L 6.4 10"), ("~", 8, "A 2 5.4 2 1.6 180 0 A 6 5.4 2 1.6 180 360"), ("`", 2.4, "M 0 14.4 L 2.4 12"),
        ("·", 0.6, "M 0.3 5.8 L 0.3 6.2"), ("×", 6.4, "M 0 2.6 L 6.4 9 M 0 9 L 6.4 2.6"), ("°", 4, "A 2 12 2 2 0 360"),
    ]
}
