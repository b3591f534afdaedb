// What a run leaves behind for use: an adapter's folder, or a whole checkpoint where more than an adapter trained.
import Foundation
import LyraModel
import MLX

struct TrainingResult {
    let configuration: TrainingConfiguration
    let weights: TrainingWeights

    /// Writes `speech_lora/` or `long_speech_lora/` in the output folder; or, where other weights trained too, `model/` with
    /// everything in it.
    ///
    /// - Returns: what was written.
    func write() throws -> [String] {
        var changed: [ModelPart: [String: MLXArray]] = [:]
        for (name, array) in weights.trainable {
            if let (part, tensor) = ModelPart.split(name) { changed[part, default: [:]][tensor] = array }
        }
        var adapters: [Adapter: AdapterFiles] = [:]
        if let active = weights.adapter {
            let part = ModelPart(active.kind)
            adapters[active.kind] = AdapterFiles(
                weights.tensors(of: part, masters: weights.trainable), configuration: active.settings)
        }
        let others = changed.filter { $0.key.adapter == nil }
        guard !others.isEmpty else {
            return try adapters.map { kind, files in
                let folder = "\(configuration.output)/\(ModelPart(kind).rawValue)"
                try files.write(to: folder, releaseLayout: configuration.releaseLayout)
                return folder
            }
        }
        let folder = configuration.output + "/model"
        // A finished run that was resumed: the same weights once more.
        if FileManager.default.fileExists(atPath: folder) { try FileManager.default.removeItem(atPath: folder) }
        var writer = CheckpointWriter(weights.location, weights.configuration)
        (writer.adapters, writer.releaseLayout) = (adapters, configuration.releaseLayout)
        // An adapter holds a projector and differences from the language model's weights; of both there are new ones, unless it is the speech
        // generator alone that was trained.
        writer.keepsAdapters = others.allSatisfy { part, tensors in part == .model && tensors.keys.allSatisfy { $0.hasPrefix("speech_generator.") } }
        try writer.write(to: folder, replacing: others)
        return [folder]
    }
}
