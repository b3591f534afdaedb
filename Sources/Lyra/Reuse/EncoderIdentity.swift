// A name for an encoder's weights, for what is kept of its results.
import Foundation
import LyraMedia
import LyraModel
import MLX

/// What tells one encoder from another without reading gigabytes: its configuration, the list of its tensors, and 4 KiB of each
/// tensor, spread over it.
package enum EncoderIdentity {
    /// - Parameter folder: with `config.json` and weights; nil: there is no encoder.
    package static func of(_ folder: String?, _ precision: Precision) throws -> String {
        guard let folder else { return "none" }
        var digest = SHA256()
        digest.update("\(precision.rawValue) ")
        let configuration = try Data(contentsOf: URL(fileURLWithPath: folder + "/config.json"))
        configuration.withUnsafeBytes { digest.update($0) }
        let weights = try ShardedSafetensors(directory: URL(fileURLWithPath: folder))
        for file in weights.files {
            for name in file.names {
                guard let info = file.tensors[name] else { continue }
                digest.update("\(name) \(info.typeName) \(info.shape) ")
                try file.withBytes(named: name) { bytes in
                    let pieces = 16, piece = 256
                    guard bytes.count > pieces * piece else { return digest.update(bytes) }
                    for i in 0..<pieces {
                        let start = (bytes.count - piece) * i / (pieces - 1)
                        digest.update(UnsafeRawBufferPointer(rebasing: bytes[start..<(start + piece)]))
                    }
                }
            }
        }
        return digest.hex()
    }
}
