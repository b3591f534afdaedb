// Folding an adapter into the weights it was trained beside.
import Foundation
import LyraModel
import MLX

/// Makes checkpoints that do without an adapter what the base does with it.
public enum AdapterMerge {
    /// Writes the base with W + B A alpha / rank in place of every adapted W, and the adapter's projector in place of the
    /// base's. No adapters go along: they would be added to weights they were not trained on.
    ///
    /// - Parameters:
    ///   - adapter: folder of a PEFT adapter.
    ///   - dtype: element type of the language model; nil: as the base has it. Sums are taken in float32 and then rounded to it.
    ///   - progress: share done; may throw to stop.
    /// - Throws: ``CheckpointError`` if the adapter does not fit the base, ``FolderError`` if there is something at `folder`.
    public static func write(
        _ base: ModelLocation, _ configuration: LyraConfiguration, adapter: String, to folder: String, dtype: DType? = nil,
        progress: (Double) throws -> Void = { _ in }
    ) throws {
        guard try Quantization.load(base.model) == nil else { throw QuantizationError.isQuantized(base.model) }
        let settings = try AdapterConfiguration.load(adapter + "/adapter_config.json")
        let lora = try WeightFiles.openAdapter(adapter)
        let trainables = try WeightFiles.openTrainables(adapter)
        try check(lora, settings, WeightFiles.open(base.model), trainables)
        var writer = CheckpointWriter(base, configuration)
        writer.dtype = dtype
        try writer.write(to: folder, progress: progress) { _, name, stored in
            // The release drops the first "model." of the projector's names.
            if let trainables, name.hasPrefix("model.mm_speech_projector."), trainables.describe("model.\(name)") != nil {
                return try trainables.array("model.\(name)")
            }
            guard name.hasSuffix(".weight") else { return nil }
            let map = "base_model.model." + name.dropLast(".weight".count)
            guard lora.describe(map + ".lora_A.weight") != nil else { return nil }
            let a = try lora.array(map + ".lora_A.weight").asType(.float32)
            let b = try lora.array(map + ".lora_B.weight").asType(.float32) * settings.scale
            return Kernel.matmul(b, a) + (try stored().asType(.float32))
        }
    }

    /// Every tensor of the adapter must belong to one of the base.
    private static func check(
        _ lora: any TensorSource, _ settings: AdapterConfiguration, _ base: any TensorSource, _ trainables: (any TensorSource)?
    ) throws {
        var problems: [CheckpointError.Problem] = []
        for name in lora.names {
            guard name.hasPrefix("base_model.model."), let ending = [".lora_A.weight", ".lora_B.weight"].first(where: name.hasSuffix)
            else {
                problems.append(.unexpected(name: name))
                continue
            }
            let map = name.dropLast(ending.count), other = map + (ending == ".lora_A.weight" ? ".lora_B.weight" : ".lora_A.weight")
            let weight = map.dropFirst("base_model.model.".count) + ".weight"
            guard let shape = base.describe(String(weight))?.shape, shape.count == 2 else {
                problems.append(.unexpected(name: name))
                continue
            }
            let expected = ending == ".lora_A.weight" ? [settings.rank, shape[1]] : [shape[0], settings.rank]
            if let found = lora.describe(name)?.shape, found != expected {
                problems.append(.misshapen(name: name, shape: found, expected: expected))
            }
            if lora.describe(String(other)) == nil { problems.append(.missing(name: String(other), shape: [])) }
        }
        for name in trainables?.names ?? [] where name.hasPrefix("model.model.mm_speech_projector.") {
            let own = String(name.dropFirst("model.".count))
            guard let shape = base.describe(own)?.shape else {
                problems.append(.unexpected(name: name))
                continue
            }
            if let found = trainables?.describe(name)?.shape, found != shape {
                problems.append(.misshapen(name: name, shape: found, expected: shape))
            }
        }
        if lora.names.isEmpty { problems.append(.missing(name: "lora_A and lora_B of any map", shape: [])) }
        guard problems.isEmpty else { throw CheckpointError(origin: lora.origin, problems: problems.sorted(), standard: base.origin) }
    }
}
