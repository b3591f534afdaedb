// Encoders that do not train: what they make of a picture or a window of sound is a constant, computed once.
import Foundation
import Lyra
import LyraModel
import MLX

/// Results of frozen encoders, kept in memory up to a limit and in a folder where one is given.
final class FrozenTowers {
    private let folder: String?
    /// Bytes kept in memory at most.
    private static let limit = 1 << 30
    private var kept: [String: MLXArray] = [:]
    private var order: [String] = []
    private var bytes = 0
    /// Distinguishes encoders that share a folder, by their weights and precision.
    private let identities: (vision: String, speech: String)

    /// In memory only.
    init() { (folder, identities) = (nil, ("", "")) }

    /// - Parameters:
    ///   - cache: folder; nil: memory only.
    ///   - location: the checkpoint that has the encoders.
    init(cache: String?, _ location: ModelLocation, _ precision: Precision) throws {
        folder = cache
        identities =
            cache == nil
            ? ("", "") : (try EncoderIdentity.of(location.vision, precision), try EncoderIdentity.of(location.speech, precision))
    }

    func vision(_ pictures: [Patches], _ tower: VisionTransformer) throws -> MLXArray {
        joined(
            try pictures.map { picture in
                let shape = "\(picture.grid.time)x\(picture.grid.height)x\(picture.grid.width)"
                return try result("vision \(shape) \(identities.vision)", picture.values.asArray(Float.self)[...]) { tower(picture) }
            })
    }

    /// - Parameter keeping: of which windows the results are kept.
    func frames(_ windows: [ArraySlice<Float>], keeping: [Bool], _ whisper: WhisperEncoder, _ logMel: LogMel) throws -> MLXArray {
        joined(
            try zip(windows, keeping).map { window, isKept in
                try result("whisper \(identities.speech)", window, isKept: isKept) { whisper(logMel(window).expandedDimensions(axis: 0)) }
            })
    }

    private func joined(_ parts: [MLXArray]) -> MLXArray { parts.count == 1 ? parts[0] : concatenated(parts, axis: 0) }

    private func result(_ kind: String, _ input: ArraySlice<Float>, isKept: Bool = true, _ compute: () -> MLXArray) throws -> MLXArray {
        guard isKept else {
            let output = compute()
            eval(output)
            return output
        }
        let key = ContentHash.hex(of: input, kind)
        if let found = kept[key] { return found }
        let file = folder.map { URL(fileURLWithPath: "\($0)/\(key.prefix(2))/\(key).safetensors") }
        if let file, let stored = try? SafetensorsFile(file).array(named: "output") {
            // A file that cannot be read is computed and written again.
            keep(key, stored)
            return stored
        }
        let output = compute()
        eval(output)
        keep(key, output)
        if let file {
            try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
            try SafetensorsWriter.save(["output": output], to: file)
        }
        return output
    }

    private func keep(_ key: String, _ array: MLXArray) {
        kept[key] = array
        order.append(key)
        bytes += array.nbytes
        while bytes > Self.limit, order.count > 1 { bytes -= kept.removeValue(forKey: order.removeFirst())?.nbytes ?? 0 }
    }
}

/// A name for contents: 128 bits, well mixed but not made against forgery.
enum ContentHash {
    static func hex(of values: ArraySlice<Float>, _ text: String) -> String {
        var a: UInt64 = 0x9E37_79B9_7F4A_7C15, b: UInt64 = 0xD134_2543_DE82_EF95
        func mix(_ word: UInt64) {
            a = (a ^ word) &* 0xFF51_AFD7_ED55_8CCD
            a ^= a >> 32
            b = (b &+ word) &* 0xC4CE_B9FE_1A85_EC53
            b ^= b >> 29
        }
        for value in values { mix(UInt64(value.bitPattern)) }
        for byte in text.utf8 { mix(UInt64(byte)) }
        mix(UInt64(values.count))
        return [a, b].map { String(repeating: "0", count: $0.leadingZeroBitCount / 4) + String($0, radix: 16) }.joined()
    }
}
