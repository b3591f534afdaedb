// Checkpoints whose weights are integers: a copy of one, written tensor by tensor, in the form that MLX's tools read and write.
import Foundation
import LyraModel
import MLX

/// A checkpoint that cannot be quantised as asked.
public enum QuantizationError: Error, LocalizedError, Equatable {
    case isQuantized(String)
    case nothing(String)
    case unknownLayer(pattern: String, example: String)

    public var errorDescription: String? {
        switch self {
        case .isQuantized(let path): "\(path) holds quantised weights already; give the checkpoint they were made of"
        case .nothing(let path): "nothing in \(path) would be quantised"
        case .unknownLayer(let pattern, let example):
            "no layer matches '\(pattern)'; names look like \(example), and * stands for any run of characters"
        }
    }
}

/// Writes a quantised copy of a checkpoint, complete in itself: adapters, tokenizer, towers and vocoder come along. One tensor is
/// in memory at a time.
public struct CheckpointQuantizer {
    /// What the weights of each part become; nil: they stay as they are.
    public var model: Quantization.Setting?
    /// The speech generator's, which lies in the model's file; nil: as the model's.
    public var generator: Quantization.Setting?
    public var keepsGenerator = false
    public var vision: Quantization.Setting?
    public var speech: Quantization.Setting?
    /// Layers that stay as they are, by patterns over full names (`model/model.embed_tokens`, `vision/*`).
    public var kept: [NamePattern] = []

    public init(_ model: Quantization.Setting?) { self.model = model }

    /// What was written.
    public struct Summary: Sendable, Equatable {
        /// Layers that were quantised, and those that could have been.
        public var layers = 0
        public var candidates = 0
    }

    /// - Parameter progress: share of all bytes read; may throw to stop.
    /// - Throws: ``QuantizationError``, ``FolderError`` if there is something at `folder`.
    public func write(
        _ base: ModelLocation, _ configuration: LyraConfiguration, to folder: String, progress: (Double) throws -> Void = { _ in }
    ) throws -> Summary {
        var writer = CheckpointWriter(base, configuration), summary = Summary(), names: [String] = []
        writer.keepsAdapters = true
        if let type = try WeightFiles.open(base.model).describe("model.embed_tokens.weight")?.dtype, type != .float32 { writer.adapterType = type }
        for (part, place, setting) in [(ModelPart.model, base.model, model), (.vision, base.vision, vision), (.whisper, base.speech, speech)] {
            guard let place else { continue }
            guard try Quantization.load(place) == nil else { throw QuantizationError.isQuantized(place) }
            let candidates = try layers(part, place, configuration)
            names += candidates.map { part.fullName($0.name) }
            summary.candidates += candidates.count
            guard setting != nil || (part == .model && generator != nil) else { continue }
            var all = Quantization(setting ?? Quantization.Setting(bits: 8)), chosen: Set<String> = []
            for layer in candidates {
                let isGenerator = layer.name.hasPrefix("speech_generator.")
                if isGenerator, keepsGenerator { continue }
                guard let own = isGenerator ? generator ?? setting : setting, own.fits(columns: layer.columns),
                    !kept.contains(where: { $0.matches(part.fullName(layer.name)) })
                else { continue }
                chosen.insert(layer.name)
                if own != all.all { all.layers[layer.name] = own }
            }
            guard !chosen.isEmpty else { continue }
            writer.quantization[part] = all
            writer.quantized[part] = chosen
            summary.layers += chosen.count
        }
        for pattern in kept where !names.contains(where: pattern.matches) {
            throw QuantizationError.unknownLayer(pattern: pattern.text, example: names.first ?? "model/lm_head")
        }
        guard summary.layers > 0 else { throw QuantizationError.nothing(base.model) }
        try writer.write(
            to: folder, changedTowers: [.vision, .whisper].filter { writer.quantization[$0] != nil }, progress: progress
        ) { _, _, _ in nil }
        return summary
    }

    /// Linear maps and tables of a part, as they are called in its files.
    private func layers(_ part: ModelPart, _ folder: String, _ configuration: LyraConfiguration) throws -> [(name: String, columns: Int)] {
        let source = try WeightFiles.open(folder), recorder = Parameters(nil)
        switch part {
        case .model:
            _ = Decoder(recorder, configuration)
            _ = SpeechProjector(recorder, configuration)
            if let generator = configuration.generator { _ = SpeechGenerator(recorder, configuration, generator) }
        case .vision:
            _ = VisionTransformer(recorder, try VisionConfiguration.load(folder + "/config.json"), prefix: VisionTransformer.prefix(in: source))
        case .whisper:
            _ = WhisperEncoder(recorder, try WhisperConfiguration.load(folder + "/config.json"), prefix: WhisperEncoder.prefix(in: source))
        default: break
        }
        return recorder.requests.filter { $0.isMap && source.describe($0.name) != nil }.map {
            (String($0.name.dropLast(".weight".count)), $0.shape[1])
        }
    }
}

/// One matrix on its way into the file: integers, scales and biases, computed together and handed out one after the other.
final class QuantizedTensor {
    /// "LAYER.weight"
    let name: String
    private let setting: Quantization.Setting
    let entries: [SafetensorsWriter.Entry]
    private var parts: [String: MLXArray] = [:]

    init(_ name: String, _ shape: [Int], _ dtype: DType, _ setting: Quantization.Setting) {
        (self.name, self.setting) = (name, setting)
        let layer = name.dropLast(".weight".count), groups = [shape[0], shape[1] / setting.groupSize]
        entries = [
            .init(name: name, dtype: .uint32, shape: [shape[0], shape[1] * setting.bits / 32]),
            .init(name: "\(layer).scales", dtype: dtype, shape: groups), .init(name: "\(layer).biases", dtype: dtype, shape: groups),
        ]
    }

    /// One of the entries. The matrix is read for the first.
    func part(_ part: String, of matrix: () throws -> MLXArray) throws -> MLXArray {
        if part == name {
            let packed = Kernel.quantize(try matrix(), groupSize: setting.groupSize, bits: setting.bits)
            try checkedEval(packed.weight, packed.scales, packed.biases)
            parts = Dictionary(uniqueKeysWithValues: zip(entries.map(\.name), [packed.weight, packed.scales, packed.biases]))
        }
        guard let array = parts.removeValue(forKey: part) else {
            throw SafetensorsError.missingTensor(name: part, path: "the quantised \(name)")
        }
        return array
    }
}
