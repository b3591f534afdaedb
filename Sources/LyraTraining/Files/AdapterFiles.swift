// A trained adapter on disk: what PEFT reads, and the speech projector beside it.
import Foundation
import LyraModel
import MLX

/// An adapter, ready to be written.
public struct AdapterFiles {
    public var configuration: AdapterConfiguration
    /// `base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight` and so on; B without the factor alpha / rank.
    public var tensors: [String: MLXArray]
    /// `model.model.mm_speech_projector.linear1.weight` and so on, as the release names them; may be empty.
    public var projector: [String: MLXArray]

    /// Sorts tensors by their names: the adapter's contain `lora_`, all others belong to the projector.
    public init(_ arrays: [String: MLXArray], configuration: AdapterConfiguration) {
        self.configuration = configuration
        tensors = arrays.filter { $0.key.contains(".lora_") }
        projector = arrays.filter { !$0.key.contains(".lora_") }
    }

    /// Writes a folder with `adapter_config.json`, `adapter_model.safetensors` and the projector; one that is there is
    /// replaced at once, when the new one is complete.
    ///
    /// - Parameters:
    ///   - dtype: element type of the files; nil: that of the tensors.
    ///   - releaseLayout: writes the projector as `non_lora_trainables.bin`, for the original's loader, instead of
    ///     `non_lora_trainables.safetensors`.
    public func write(to folder: String, dtype: DType? = nil, releaseLayout: Bool = false) throws {
        let target = try AtomicFolder(folder)
        do {
            try writeFiles(in: target.temporary, dtype: dtype, releaseLayout: releaseLayout)
            try target.commit(replacing: true)
        } catch {
            target.abandon()
            throw error
        }
    }

    /// The files themselves, into a folder that is there.
    func writeFiles(in folder: String, dtype: DType?, releaseLayout: Bool) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        try encoder.encode(configuration).write(to: URL(fileURLWithPath: folder + "/adapter_config.json"))
        try Self.save(tensors, dtype, to: folder + "/adapter_model.safetensors")
        guard !projector.isEmpty else { return }
        guard releaseLayout else { return try Self.save(projector, dtype, to: folder + "/non_lora_trainables.safetensors") }
        try WeightFiles.writeTorch(projector, to: folder + "/non_lora_trainables.bin")
    }

    private static func save(_ arrays: [String: MLXArray], _ dtype: DType?, to path: String) throws {
        let entries = arrays.map { SafetensorsWriter.Entry(name: $0.key, dtype: dtype ?? $0.value.dtype, shape: $0.value.shape) }
        try SafetensorsWriter.save(entries, metadata: ["format": "pt"], to: URL(fileURLWithPath: path)) { name in
            guard let array = arrays[name] else { throw SafetensorsError.missingTensor(name: name, path: path) }
            return array.asType(dtype ?? array.dtype)
        }
    }
}
