// Weight files of a released checkpoint as tensor sources: safetensors (single, sharded) and torch archives.
import Foundation
import MLX

package enum WeightFiles {
    /// `model.safetensors` or its shards.
    package static func open(_ folder: String) throws -> any TensorSource {
        try ShardedSafetensors(directory: URL(fileURLWithPath: folder))
    }

    /// `adapter_model.safetensors`, or `adapter_model.bin`.
    package static func openAdapter(_ folder: String) throws -> any TensorSource {
        let torch = folder + "/adapter_model.bin"
        if !exists(folder + "/adapter_model.safetensors"), exists(torch) { return try TorchSource(torch) }
        return try openFile(folder + "/adapter_model.safetensors")
    }

    /// One safetensors file.
    package static func openFile(_ path: String) throws -> any TensorSource {
        try SafetensorsFile(URL(fileURLWithPath: path))
    }

    /// One torch archive.
    package static func openTorch(_ path: String) throws -> any TensorSource { try TorchSource(path) }

    /// The projector that was trained beside an adapter; nil when there is none.
    package static func openTrainables(_ folder: String) throws -> (any TensorSource)? {
        guard let path = trainables(folder) else { return nil }
        return path.hasSuffix(".bin") ? try TorchSource(path) : try openFile(path)
    }

    /// Writes tensors as a torch archive, in float32; below `outerKey`, if given ("generator" for a vocoder).
    package static func writeTorch(_ arrays: [String: MLXArray], to path: String, outerKey: String? = nil) throws {
        guard arrays.values.reduce(0, { $0 + 4 * $1.size }) < (4 << 30) - (1 << 20) else { throw CheckpointWriteError.tooLarge(path) }
        let tensors = arrays.sorted { $0.key < $1.key }.map { ($0.key, $0.value.shape, $0.value.asType(.float32).asArray(Float.self)) }
        try TorchArchiveWriter(tensors: tensors, outerKey: outerKey).data().write(to: URL(fileURLWithPath: path), options: .atomic)
    }

    /// Where that projector is: `non_lora_trainables.safetensors`, or the release's `.bin`.
    package static func trainables(_ folder: String) -> String? {
        ["safetensors", "bin"].map { "\(folder)/non_lora_trainables.\($0)" }.first(where: exists)
    }

    /// The vocoder's weights: the torch file whose name starts with "g_", or `model.safetensors`.
    package static func openVocoder(_ folder: String) throws -> any TensorSource {
        let names = ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).sorted()
        if let name = names.last(where: { $0.hasPrefix("g_") }) {
            return try TorchSource("\(folder)/\(name)", prefix: "generator.")
        }
        return try open(folder)
    }

    private static func exists(_ path: String) -> Bool { FileManager.default.fileExists(atPath: path) }
}

extension SafetensorsFile: TensorSource {
    public func describe(_ name: String) -> (shape: [Int], dtype: DType)? { tensors[name].flatMap(\.usable) }
    public func array(_ name: String) throws -> MLXArray { try array(named: name) }
    public func discard(_ name: String) { discard(named: name) }
    public var origin: String { path }
}

extension ShardedSafetensors: TensorSource {
    public func describe(_ name: String) -> (shape: [Int], dtype: DType)? { info(named: name).flatMap(\.usable) }
    public func array(_ name: String) throws -> MLXArray { try array(named: name) }
    public func discard(_ name: String) { discard(named: name) }
    public var origin: String { directory.path }
}

extension SafetensorsInfo {
    fileprivate var usable: (shape: [Int], dtype: DType)? { dtype.map { (shape, $0) } }
}

private struct TorchSource: TensorSource {
    let archive: TorchArchive
    let origin: String
    let prefix: String
    init(_ path: String, prefix: String = "") throws {
        archive = try TorchArchive(URL(fileURLWithPath: path))
        (origin, self.prefix) = (path, prefix)
    }
    func describe(_ name: String) -> (shape: [Int], dtype: DType)? {
        archive.tensors[prefix + name].map { ($0.shape, $0.dtype) }
    }
    func array(_ name: String) throws -> MLXArray {
        guard let tensor = archive.tensors[prefix + name] else {
            throw CheckpointError(origin: origin, problems: [.missing(name: name, shape: [])])
        }
        return try tensor.array()
    }
    var names: [String] {
        archive.tensors.keys.filter { $0.hasPrefix(prefix) }.map { String($0.dropFirst(prefix.count)) }
    }
}
