// What the tests share: where real data lies, temporary files, checksums, signals, WAV files.
import Foundation
import LyraMedia
import Testing

/// Public recordings, pictures and videos, and numbers of the original implementation. They lie beside the package and
/// are not part of it; tests that want them are skipped where they are absent.
enum Shared {
    static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("shared")
    static func path(_ relative: String) -> String { root.appendingPathComponent(relative).path }
    static func has(_ relative: String) -> Bool { FileManager.default.fileExists(atPath: path(relative)) }
    static var hasData: Bool { has("data") }
    static var hasOracle: Bool { has("oracle/pack_a") && has("oracle/pack_c") }
    static let missing: Comment = "skipped: ../shared with test data is not beside the package"
}

/// A folder that is removed with the value.
final class TemporaryFolder {
    let url: URL
    init() throws {
        url = FileManager.default.temporaryDirectory.appendingPathComponent("lyra-media-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    }
    deinit { try? FileManager.default.removeItem(at: url) }
    func path(_ name: String) -> String { url.appendingPathComponent(name).path }
    func write(_ name: String, _ bytes: [UInt8]) throws -> String {
        try Data(bytes).write(to: url.appendingPathComponent(name))
        return path(name)
    }
    var names: [String] { (try? FileManager.default.contentsOfDirectory(atPath: url.path))?.sorted() ?? [] }
}

func readBytes(_ path: String) throws -> [UInt8] { [UInt8](try Data(contentsOf: URL(fileURLWithPath: path))) }

/// FNV-1a, 64 bits.
func checksum(_ bytes: [UInt8]) -> UInt64 {
    bytes.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
}

/// Parts of a file put together.
func bytes(_ parts: [UInt8]...) -> [UInt8] { parts.flatMap { $0 } }
func text(_ text: String) -> [UInt8] { Array(text.utf8) }

func little(_ value: Int, _ count: Int) -> [UInt8] { (0..<count).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) } }
func big(_ value: Int, _ count: Int) -> [UInt8] { little(value, count).reversed() }

func sine(_ frequency: Double, rate: Int, seconds: Double, amplitude: Double = 0.5) -> [Float] {
    (0..<Int(seconds * Double(rate))).map { Float(amplitude * sin(2 * .pi * frequency * Double($0) / Double(rate))) }
}

/// A WAV file of interleaved 16-bit samples; header fields can be made to lie.
func wav(
    _ samples: [Float], rate: Int = 16_000, channels: Int = 1, claimedRate: Int? = nil, claimedChannels: Int? = nil,
    claimedBytes: Int? = nil
) -> [UInt8] {
    var data: [UInt8] = []
    for sample in samples { data += little(Int(max(-32768, min(32767, (sample * 32768).rounded()))), 2) }
    let rate = claimedRate ?? rate, channels = claimedChannels ?? channels, size = claimedBytes ?? data.count
    return bytes(
        text("RIFF"), little(36 + size, 4), text("WAVEfmt "), little(16, 4), little(1, 2), little(channels, 2), little(rate, 4),
        little(rate * channels * 2, 4), little(channels * 2, 2), little(16, 2), text("data"), little(size, 4), data)
}

/// Largest difference, and root mean square of the differences relative to that of `expected`.
func differences(_ actual: ArraySlice<Float>, _ expected: ArraySlice<Float>) -> (maximum: Float, relative: Float) {
    var maximum: Float = 0, squares: Float = 0, norm: Float = 0
    for (a, e) in zip(actual, expected) {
        maximum = max(maximum, abs(a - e))
        squares += (a - e) * (a - e)
        norm += e * e
    }
    return (maximum, (squares / max(norm, .leastNormalMagnitude)).squareRoot())
}
