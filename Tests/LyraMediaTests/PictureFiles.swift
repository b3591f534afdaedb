// PNG and JPEG files made in code: no compression, only what the tests need.

enum TestPNG {
    /// Colour type and bit depth as in the standard; `rows` are packed scan lines.
    static func file(
        width: Int, height: Int, colour: Int, depth: Int, rows: [[UInt8]], chunks: [(String, [UInt8])] = []
    ) -> [UInt8] {
        let header = bytes(big(width, 4), big(height, 4), [UInt8(depth), UInt8(colour), 0, 0, 0])
        let extra = chunks.map { chunk($0.0, $0.1) }, pixels = stored(Array(rows.map { [0] + $0 }.joined()))
        return bytes(
            [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A], chunk("IHDR", header), Array(extra.joined()),
            chunk("IDAT", pixels), chunk("IEND", []))
    }

    static func chunk(_ type: String, _ content: [UInt8]) -> [UInt8] {
        let body = text(type) + content
        return bytes(big(content.count, 4), body, big(Int(crc(body)), 4))
    }

    /// zlib data of stored blocks.
    static func stored(_ content: [UInt8]) -> [UInt8] {
        var out: [UInt8] = [0x78, 0x01], rest = content[...]
        repeat {
            let block = rest.prefix(65535)
            rest = rest.dropFirst(block.count)
            out += bytes([rest.isEmpty ? 1 : 0], little(block.count, 2), little(~block.count, 2), Array(block))
        } while !rest.isEmpty
        var a = 1, b = 0
        for byte in content {
            a = (a + Int(byte)) % 65521
            b = (b + a) % 65521
        }
        return out + big(b << 16 | a, 4)
    }

    private static func crc(_ bytes: [UInt8]) -> UInt32 {
        var crc: UInt32 = 0xFFFF_FFFF
        for byte in bytes {
            crc ^= UInt32(byte)
            for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ 0xEDB8_8320 : crc >> 1 }
        }
        return ~crc
    }
}

/// Baseline JPEG files whose blocks of 8 x 8 are flat, so that every decoder's inverse DCT agrees.
enum TestJPEG {
    /// Grey levels of the blocks, row by row.
    static func grey(_ blocks: [[Int]], app1: [UInt8]? = nil) -> [UInt8] {
        var bits = Bits()
        var last = 0
        for level in blocks.joined() { bits.block(level, &last) }
        return file(width: blocks[0].count * 8, height: blocks.count * 8, sampling: [0x11], app1: app1, scan: bits.finished)
    }

    /// Luma of blocks 16 x 16 pixels (each a quarter), and their Cb and Cr, in 4:2:0.
    static func colour(_ units: [[(luma: [Int], cb: Int, cr: Int)]], width: Int, height: Int) -> [UInt8] {
        var bits = Bits()
        var last = [0, 0, 0]
        for unit in units.joined() {
            for level in unit.luma { bits.block(level, &last[0]) }
            bits.block(unit.cb, &last[1])
            bits.block(unit.cr, &last[2])
        }
        return file(width: width, height: height, sampling: [0x22, 0x11, 0x11], app1: nil, scan: bits.finished)
    }

    /// The EXIF segment's content with an orientation.
    static func exif(_ orientation: Int, bigEndian: Bool) -> [UInt8] {
        let number = bigEndian ? big : little
        let start = bytes(text("Exif\0\0"), text(bigEndian ? "MM" : "II"), number(42, 2), number(8, 4), number(2, 2))
        let width = bytes(number(0x0100, 2), number(4, 2), number(1, 4), number(77, 4))
        let turn = bytes(number(0x0112, 2), number(3, 2), number(1, 4), number(orientation, 2), [0, 0])
        return bytes(start, width, turn, number(0, 4))
    }

    private static func file(width: Int, height: Int, sampling: [UInt8], app1: [UInt8]?, scan: [UInt8]) -> [UInt8] {
        func segment(_ kind: UInt8, _ content: [UInt8]) -> [UInt8] { bytes([0xFF, kind], big(content.count + 2, 2), content) }
        let count = UInt8(sampling.count)
        var parts: [UInt8] = [], selectors: [UInt8] = []
        for (index, factors) in sampling.enumerated() {
            parts += [UInt8(index + 1), factors, 0]
            selectors += [UInt8(index + 1), 0]
        }
        let ones = [UInt8](repeating: 1, count: 64), symbols = (0..<12).map { UInt8($0) }
        let lengths: [UInt8] = [0, 0, 0, 12] + [UInt8](repeating: 0, count: 12)  // twelve codes of four bits
        let zeroLengths: [UInt8] = [1] + [UInt8](repeating: 0, count: 15)  // one code: end of block
        return bytes(
            [0xFF, 0xD8], app1.map { segment(0xE1, $0) } ?? [], segment(0xDB, [0] + ones),
            segment(0xC0, bytes([8], big(height, 2), big(width, 2), [count], parts)),
            segment(0xC4, bytes([0x00], lengths, symbols)), segment(0xC4, bytes([0x10], zeroLengths, [0])),
            segment(0xDA, bytes([count], selectors, [0, 63, 0])), scan, [0xFF, 0xD9])
    }

    private struct Bits {
        var out: [UInt8] = []
        var held = 0, count = 0

        mutating func put(_ value: Int, _ length: Int) {
            for place in (0..<length).reversed() {
                held = held << 1 | (value >> place & 1)
                count += 1
                if count == 8 {
                    out.append(UInt8(held))
                    if held == 0xFF { out.append(0) }
                    held = 0
                    count = 0
                }
            }
        }

        mutating func block(_ level: Int, _ last: inout Int) {
            let value = 8 * (level - 128), difference = value - last
            last = value
            let size = Int.bitWidth - abs(difference).leadingZeroBitCount
            put(size, 4)
            if size > 0 { put(difference > 0 ? difference : difference + (1 << size) - 1, size) }
            put(0, 1)
        }

        var finished: [UInt8] {
            var copy = self
            while copy.count > 0 { copy.put(1, 1) }
            return copy.out
        }
    }
}
