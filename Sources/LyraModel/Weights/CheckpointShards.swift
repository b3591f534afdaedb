// Weights split over several safetensors files, as large checkpoints are published.
import Foundation
import MLX

/// How the tensors of one file are spread over shards.
struct CheckpointShards {
    /// Tensors in file order, by file name; one file under its plain name when no splitting is needed.
    let files: [(name: String, requests: [Parameters.Request])]
    private let stem: String
    private let bytes: Int

    /// - Parameters:
    ///   - name: "model.safetensors"
    ///   - limit: most bytes of a file; a tensor that is larger gets a file of its own. nil: one file.
    init(_ name: String, _ requests: [Parameters.Request], dtype: DType, limit: Int?) {
        stem = (name as NSString).deletingPathExtension
        let sizes = requests.map { $0.shape.reduce(dtype.size, *) }
        bytes = sizes.reduce(0, +)
        var groups: [[Parameters.Request]] = [[]], filled = 0
        for (request, size) in zip(requests, sizes) {
            if let limit, filled > 0, filled + size > limit {
                groups.append([])
                filled = 0
            }
            groups[groups.count - 1].append(request)
            filled += size
        }
        let stem = stem, count = groups.count
        files = groups.enumerated().map { index, group in
            (count == 1 ? name : stem + String(format: "-%05d-of-%05d.safetensors", index + 1, count), group)
        }
    }

    private struct Index: Encodable {
        struct Metadata: Encodable { var total_size: Int }
        var metadata: Metadata
        var weight_map: [String: String]
    }

    /// Writes the list of which tensor is where, if there are several files.
    func writeIndex(in folder: String) throws {
        guard files.count > 1 else { return }
        let map = Dictionary(uniqueKeysWithValues: files.flatMap { file in file.requests.map { ($0.name, file.name) } })
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        try encoder.encode(Index(metadata: .init(total_size: bytes), weight_map: map))
            .write(to: URL(fileURLWithPath: "\(folder)/\(stem).safetensors.index.json"), options: .atomic)
    }
}
