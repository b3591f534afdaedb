// Unicode normalisation form C, as Qwen2's tokenizer applies it to text before cutting it into words. Linear in the
// text whatever its combining marks (Foundation's own is quadratic in long runs of marks and drops some of them), and
// free for text that is in the form already, which nearly all text is.
import Foundation

enum CanonicalComposition {
    /// `text` in normalisation form C.
    static func compose(_ text: String) -> String {
        isComposed(text.unicodeScalars) ? text : normalise(text.unicodeScalars)
    }

    // MARK: Quick check

    /// True only if the text is in form C; false also where it might be.
    private static func isComposed(_ scalars: String.UnicodeScalarView) -> Bool {
        var lastClass: UInt8 = 0
        for scalar in scalars {
            if scalar.value < 0x300 { lastClass = 0; continue }
            if mayChange(scalar.value) { return false }
            let combining = scalar.properties.canonicalCombiningClass.rawValue
            if combining != 0, combining < lastClass { return false }
            lastClass = combining
        }
        return true
    }

    /// Holds for every scalar that form C replaces, or that may join a scalar before it; wider than needed where new
    /// Unicode versions add such scalars.
    private static func mayChange(_ value: UInt32) -> Bool {
        switch value {
        case 0x300...0x345, 0x374, 0x37E, 0x387, 0x653...0x655, 0x93C, 0x958...0x95F, 0x9BE, 0x9D7...0x9DF,
             0xA33...0xA36, 0xA59...0xA5E, 0xB3E, 0xB56...0xB5D, 0xBBE, 0xBD7, 0xC56, 0xCC2...0xCD6, 0xD3E, 0xD57,
             0xDCA...0xDDF, 0xF43...0xFB9, 0x102E, 0x1161...0x1175, 0x11A8...0x11C2, 0x1B35, 0x1F71...0x1FFF,
             0x2000...0x2001, 0x2126...0x212B, 0x2329...0x232A, 0x2ADC, 0x3099...0x309A, 0xF900...0xFAFF,
             0xFB1D...0xFB4F, 0x10500...0x105FF, 0x11000...0x11FFF, 0x16D00...0x16DFF, 0x1D15E...0x1D1C0,
             0x2F800...0x2FA1F: true
        default: false
        }
    }

    // MARK: Decompose, order, compose

    private static func normalise(_ scalars: String.UnicodeScalarView) -> String {
        let data = CompositionData.shared
        var decomposed: [(scalar: UInt32, combining: UInt8)] = []
        decomposed.reserveCapacity(scalars.underestimatedCount)
        for scalar in scalars {
            if scalar.value < 0xC0 { decomposed.append((scalar.value, 0)); continue }
            data.decompose(scalar) { part in
                decomposed.append((part.value, part.properties.canonicalCombiningClass.rawValue))
            }
        }
        order(&decomposed)
        var result = String.UnicodeScalarView()
        for value in compose(decomposed, data) { result.append(Unicode.Scalar(value) ?? "\u{FFFD}") }
        return String(result)
    }

    /// Sorts each run of combining marks by combining class, keeping the order of equals.
    private static func order(_ scalars: inout [(scalar: UInt32, combining: UInt8)]) {
        var index = 0
        while index < scalars.count {
            guard scalars[index].combining != 0 else { index += 1; continue }
            var end = index
            var sorted = true
            while end < scalars.count, scalars[end].combining != 0 {
                if end > index, scalars[end].combining < scalars[end - 1].combining { sorted = false }
                end += 1
            }
            if !sorted {
                var buckets: [UInt8: [UInt32]] = [:]
                for mark in scalars[index..<end] { buckets[mark.combining, default: []].append(mark.scalar) }
                for (combining, marks) in buckets.sorted(by: { $0.key < $1.key }) {
                    for mark in marks { scalars[index] = (mark, combining); index += 1 }
                }
            }
            index = end
        }
    }

    private static func compose(_ scalars: [(scalar: UInt32, combining: UInt8)], _ data: CompositionData) -> [UInt32] {
        var result: [UInt32] = []
        result.reserveCapacity(scalars.count)
        var starter = -1  // index in `result` of the scalar that marks may join
        var lastClass: UInt8 = 0  // class of the last scalar kept after the starter
        for (scalar, combining) in scalars {
            // A scalar is blocked from the starter by one in between of the same or a higher class, or of class 0.
            let adjacent = starter == result.count - 1
            if starter >= 0, adjacent || (combining != 0 && lastClass < combining),
               let composite = data.composite(result[starter], scalar) {
                result[starter] = composite
                continue
            }
            result.append(scalar)
            lastClass = combining
            if combining == 0 { starter = result.count - 1 }
        }
        return result
    }
}

/// Which scalars are made of which. Read from Foundation one scalar at a time (where it is reliable), once, on first
/// use by text that needs it; Hangul syllables are computed.
private struct CompositionData: Sendable {
    static let shared = CompositionData()

    private var parts: [UInt32: [Unicode.Scalar]] = [:]
    private var composites: [UInt64: UInt32] = [:]

    /// Where scalars with canonical decompositions lie.
    private static let blocks: [ClosedRange<UInt32>] = [
        0xC0...0x3FF, 0x400...0x6FF, 0x900...0xFFF, 0x1000...0x103F, 0x1B00...0x1B4F, 0x1E00...0x1FFF, 0x2000...0x22FF,
        0x2300...0x2AFF, 0x3040...0x30FF, 0xF900...0xFB4F, 0x10500...0x105FF, 0x11000...0x11FFF, 0x16D00...0x16DFF,
        0x1D100...0x1D1FF, 0x2F800...0x2FA1F,
    ]

    private init() {
        for value in Self.blocks.joined() {
            guard let scalar = Unicode.Scalar(value) else { continue }
            let text = String(Character(scalar))
            let decomposition = Array(text.decomposedStringWithCanonicalMapping.unicodeScalars)
            guard decomposition.count > 1 || decomposition.first != scalar else { continue }
            parts[value] = decomposition
            guard let last = decomposition.last, decomposition.count > 1,
                  Array(text.precomposedStringWithCanonicalMapping.unicodeScalars) == [scalar] else { continue }
            var rest = String.UnicodeScalarView()
            rest.append(contentsOf: decomposition.dropLast())
            let first = Array(String(rest).precomposedStringWithCanonicalMapping.unicodeScalars)
            guard first.count == 1 else { continue }
            composites[UInt64(first[0].value) << 32 | UInt64(last.value)] = value
        }
    }

    func decompose(_ scalar: Unicode.Scalar, _ emit: (Unicode.Scalar) -> Void) {
        let value = scalar.value
        if (0xAC00..<0xD7A4).contains(value) {
            let index = value - 0xAC00
            for part in [0x1100 + index / 588, 0x1161 + index % 588 / 28, 0x11A7 + index % 28] where part != 0x11A7 {
                if let part = Unicode.Scalar(part) { emit(part) }
            }
        } else if let parts = parts[value] {
            parts.forEach(emit)
        } else {
            emit(scalar)
        }
    }

    func composite(_ first: UInt32, _ second: UInt32) -> UInt32? {
        if (0x1100..<0x1113).contains(first), (0x1161..<0x1176).contains(second) {
            return 0xAC00 + (first - 0x1100) * 588 + (second - 0x1161) * 28
        }
        if (0xAC00..<0xD7A4).contains(first), (first - 0xAC00) % 28 == 0, (0x11A8..<0x11C3).contains(second) {
            return first + second - 0x11A7
        }
        if second < 0x300 { return nil }
        return composites[UInt64(first) << 32 | UInt64(second)]
    }
}
