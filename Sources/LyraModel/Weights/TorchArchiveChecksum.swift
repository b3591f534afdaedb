// The checksum of zip files, eight bytes at a time.

enum CRC32 {
    /// `tables[256 * k + b]`: what byte `b` followed by `k` zero bytes does to the checksum.
    private static let tables: [UInt32] = {
        var tables = [(0..<256).map { byte -> UInt32 in
            (0..<8).reduce(UInt32(byte)) { value, _ in value & 1 == 1 ? value >> 1 ^ 0xEDB8_8320 : value >> 1 }
        }]
        for _ in 1..<8 {
            let (first, last) = (tables[0], tables[tables.count - 1])
            tables.append(last.map { $0 >> 8 ^ first[Int($0 & 0xFF)] })
        }
        return tables.flatMap { $0 }
    }()

    static func checksum(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
        tables.withUnsafeBufferPointer { table in
            var value = UInt32.max
            var index = 0
            while index + 8 <= bytes.count {
                let word = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self)) ^ UInt64(value)
                value = 0
                for k in 0..<8 { value ^= table[(7 - k) * 256 + Int(word >> UInt64(8 * k) & 0xFF)] }
                index += 8
            }
            while index < bytes.count {
                value = value >> 8 ^ table[Int((value ^ UInt32(bytes[index])) & 0xFF)]
                index += 1
            }
            return ~value
        }
    }
}
