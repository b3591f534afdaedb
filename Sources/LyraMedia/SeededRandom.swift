// Random numbers that depend on a seed and a name alone, so that an item is the same whoever makes it, and when.

/// SplitMix64, begun from a seed and the path of what is being made: `SeededRandom(7, "train", "pictures", 12)`.
package struct SeededRandom: RandomNumberGenerator, Sendable {
    private var state: UInt64

    package init(_ seed: UInt64, _ path: any CustomStringConvertible...) {
        let name = path.map(\.description).joined(separator: "/")
        state = seed &* 0x9E37_79B9_7F4A_7C15 ^ stableHash(name)
        _ = next()
    }

    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    // The standard library does not promise that its own `random(in:)` stays the same from version to version.

    /// 0 ..< count
    package mutating func below(_ count: Int) -> Int { Int(next().multipliedFullWidth(by: UInt64(max(1, count))).high) }
    package mutating func int(_ range: ClosedRange<Int>) -> Int { range.lowerBound + below(range.count) }
    package mutating func real(_ range: ClosedRange<Double>) -> Double {
        range.lowerBound + (range.upperBound - range.lowerBound) * Double(next() >> 11) / Double(1 << 53)
    }
    package mutating func chance(_ probability: Double) -> Bool { real(0...1) < probability }

    /// `list` must not be empty.
    package mutating func pick<C: RandomAccessCollection>(_ list: C) -> C.Element {
        list[list.index(list.startIndex, offsetBy: below(list.count))]
    }

    package mutating func shuffled<C: RandomAccessCollection>(_ list: C) -> [C.Element] {
        var result = Array(list)
        for i in stride(from: result.count - 1, to: 0, by: -1) { result.swapAt(i, below(i + 1)) }
        return result
    }

    /// `count` different elements, or all there are.
    package mutating func sample<C: RandomAccessCollection>(_ list: C, _ count: Int) -> [C.Element] {
        Array(shuffled(list).prefix(count))
    }
}

/// FNV-1a with a final mix: the same on every machine, unlike `Hasher`.
package func stableHash(_ text: String) -> UInt64 {
    var hash = text.utf8.reduce(0xCBF2_9CE4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
    hash = (hash ^ (hash >> 33)) &* 0xFF51_AFD7_ED55_8CCD
    hash = (hash ^ (hash >> 33)) &* 0xC4CE_B9FE_1A85_EC53
    return hash ^ (hash >> 33)
}
