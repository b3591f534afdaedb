// How a byte-level vocabulary spells bytes as printable characters: visible Latin-1 characters stand for themselves, the
// other bytes take the characters from U+0100 on, in order (a space becomes "Ġ"). As in GPT-2.

enum ByteLevel {
    /// For each byte, the UTF-8 spelling of the character that stands for it.
    static let spelling: [[UInt8]] = scalars.map { Array(String(Character($0)).utf8) }

    /// The byte a character stands for, by scalar value; -1 where it stands for none.
    private static let byteOfScalar: [Int16] = {
        var table = [Int16](repeating: -1, count: 0x144)
        for (byte, scalar) in scalars.enumerated() { table[Int(scalar.value)] = Int16(byte) }
        return table
    }()

    private static let scalars: [Unicode.Scalar] = {
        var next: UInt32 = 0x100
        return (0..<256).map { byte in
            let visible = (0x21...0x7E).contains(byte) || (0xA1...0xAC).contains(byte) || (0xAE...0xFF).contains(byte)
            if visible { return Unicode.Scalar(UInt8(byte)) }
            defer { next += 1 }
            return Unicode.Scalar(next) ?? "\u{FFFD}"
        }
    }()

    /// The bytes that a token's spelling stands for; a spelling with a character outside the scheme stands for itself.
    static func bytes(ofSpelling spelling: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(spelling.count)
        for scalar in String(decoding: spelling, as: UTF8.self).unicodeScalars {
            guard scalar.value < 0x144, byteOfScalar[Int(scalar.value)] >= 0 else { return spelling }
            result.append(UInt8(byteOfScalar[Int(scalar.value)]))
        }
        return result
    }
}
