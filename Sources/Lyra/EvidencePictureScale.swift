// Colours and the score scale of evidence pictures.
import Foundation

/// Colours on a dark page.
enum Palette {
    static let page = Colour(0x0E131A)
    static let panel = Colour(0x151C26)
    static let text = Colour(0xE8EEF5)
    static let muted = Colour(0x8E9BAB)
    static let axis = Colour(0x303B49)
    static let dropped = Colour(0x414C5B)
}

/// Score -> colour, on a logarithmic scale over most of the scores at hand: attention has a long tail.
struct ScoreScale: Sendable {
    let low, high: Double

    /// Viridis (perceptually even, safe for colour-blind eyes) without its darkest third, which would drown in the page.
    static let colours = [0x2F6B8E, 0x26838E, 0x1F988B, 0x31B57B, 0x63CB5F, 0xA5DB36, 0xFDE725].map { Colour(UInt32($0)) }

    /// Ends at the 5th and 98th of 100 kept scores.
    init(_ scores: some Collection<Float>) {
        let sorted = scores.filter { $0 > 0 && $0.isFinite }.map(Double.init).sorted()
        guard !sorted.isEmpty else { (low, high) = (0.5, 2); return }
        let (a, b) = (sorted[(sorted.count - 1) * 5 / 100], sorted[(sorted.count - 1) * 98 / 100])
        (low, high) = b > a * 1.02 ? (a, b) : (a / 2, a * 2)
    }

    /// 0...1 along the scale.
    func position(_ score: Double) -> Double {
        guard score > 0, score.isFinite else { return 0 }
        return max(0, min(1, log(score / low) / log(high / low)))
    }

    /// The colour at a position, in 24 steps so that a drawing has few of them.
    func colour(at position: Double) -> Colour {
        let place = (position * 24).rounded() / 24 * Double(Self.colours.count - 1)
        let index = min(Self.colours.count - 2, Int(place))
        return Self.colours[index].mixed(with: Self.colours[index + 1], place - Double(index))
    }

    func colour(_ score: Double) -> Colour { colour(at: position(score)) }

    /// The score at a position.
    func score(at position: Double) -> Double { low * pow(high / low, position) }
}

/// Numbers as people read them.
enum Label {
    /// "7 s", "1:05", "2:03:09"; tenths for less than ten seconds when asked for.
    static func time(_ seconds: Double, tenths: Bool = false) -> String {
        if tenths, seconds < 10 { return String(format: "%.1f s", seconds) }
        let total = Int(seconds.rounded()), (h, m, s) = (total / 3600, total / 60 % 60, total % 60)
        return h > 0 ? String(format: "%d:%02d:%02d", h, m, s) : String(format: "%d:%02d", m, s)
    }

    /// "41 s", "12 min 5 s", "2 h 10 min"
    static func duration(_ seconds: Double) -> String {
        if seconds < 60 { return String(format: seconds < 10 ? "%.1f s" : "%.0f s", seconds) }
        let total = Int(seconds.rounded()), (h, m, s) = (total / 3600, total / 60 % 60, total % 60)
        return h > 0 ? "\(h) h \(m) min" : s > 0 ? "\(m) min \(s) s" : "\(m) min"
    }

    /// "0.031×", "0.4×", "12×"
    static func factor(_ value: Double) -> String {
        let digits = value >= 9.95 ? 0 : value >= 0.95 ? 1 : value >= 0.095 ? 2 : 3
        let text = String(format: "%.\(digits)f", value)
        return (text.hasSuffix(".0") ? String(text.dropLast(2)) : text) + "×"
    }

    static func percent(_ share: Double) -> String {
        let value = share * 100
        return (value > 0 && value < 9.95 ? String(format: "%.1f", value) : String(format: "%.0f", value)) + " %"
    }

    /// Digits in groups of three: 72,000.
    static func count(_ value: Int) -> String {
        var digits = Array(String(value)), i = digits.count - 3
        while i > (value < 0 ? 1 : 0) {
            digits.insert(",", at: i)
            i -= 3
        }
        return String(digits)
    }

    /// A round step that divides `span` into at most `most` parts, in seconds.
    static func step(_ span: Double, most: Int) -> Double {
        let steps = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200]
        return steps.first { span / $0 <= Double(most) } ?? (span / Double(most) / 86_400).rounded(.up) * 86_400
    }
}
