// Pictures in sequence -> an animated PNG: lossless, small for drawings, and shown by browsers.
import Foundation

/// Writes animated PNG files.
public enum AnimationWriter {
    /// The bytes of an animated PNG that plays the frames over and over.
    /// - Parameter framesPerSecond: 1 ... 1000.
    /// - Throws: `MediaError` if there are no frames, or of several sizes.
    public static func apngData(_ frames: [RGBImage], framesPerSecond: Int) throws(MediaError) -> [UInt8] {
        guard let first = frames.first, frames.allSatisfy({ ($0.width, $0.height) == (first.width, first.height) }) else {
            throw .invalidArgument("An animation needs frames, all of one size.")
        }
        guard (1...1000).contains(framesPerSecond) else {
            throw .invalidArgument("\(framesPerSecond) frames a second cannot be written; use 1 to 1000.")
        }
        var file: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]
        var sequence: UInt32 = 0
        for (index, frame) in frames.enumerated() {
            let chunks = Self.chunks(try frame.pngData())
            if index == 0 {
                for chunk in chunks where chunk.type == "IHDR" { append("IHDR", chunk.content, to: &file) }
                append("acTL", big(UInt32(frames.count)) + big(0), to: &file)
            }
            // The whole picture, shown for one over the rate, replacing what was there.
            let control = big(sequence) + big(UInt32(first.width)) + big(UInt32(first.height)) + big(0) + big(0)
            append("fcTL", control + [0, 1, UInt8(framesPerSecond >> 8), UInt8(framesPerSecond & 255), 0, 0], to: &file)
            sequence += 1
            for chunk in chunks where chunk.type == "IDAT" {
                if index == 0 {
                    append("IDAT", chunk.content, to: &file)
                } else {
                    append("fdAT", big(sequence) + chunk.content, to: &file)
                    sequence += 1
                }
            }
        }
        append("IEND", [], to: &file)
        return file
    }

    private static func chunks(_ png: [UInt8]) -> [(type: String, content: ArraySlice<UInt8>)] {
        let view = ByteView(png[...])
        var result: [(type: String, content: ArraySlice<UInt8>)] = [], offset = 8
        while let length = view.number(offset, bytes: 4, bigEndian: true), let type = view.tag(offset + 4) {
            result.append((type, view.slice(offset + 8, length)))
            offset += 12 + length
        }
        return result
    }

    private static func big(_ value: UInt32) -> [UInt8] { (0..<4).map { UInt8(value >> (24 - 8 * UInt32($0)) & 255) } }

    private static func append(_ type: String, _ content: some Sequence<UInt8>, to file: inout [UInt8]) {
        let body = Array(type.utf8) + content
        file += big(UInt32(body.count - 4)) + body + big(~body.reduce(UInt32.max) { table[Int(($0 ^ UInt32($1)) & 255)] ^ ($0 >> 8) })
    }

    /// CRC-32 of single bytes.
    private static let table: [UInt32] = (0..<256).map { value in
        (0..<8).reduce(UInt32(value)) { crc, _ in crc & 1 == 1 ? 0xEDB8_8320 ^ (crc >> 1) : crc >> 1 }
    }
}
