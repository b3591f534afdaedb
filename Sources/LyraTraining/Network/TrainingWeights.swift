// All weights of one system: those that train, as float32 masters, and the others as they are computed with.
import Foundation
import LyraModel
import MLX

/// What cannot be trained as asked.
public enum TrainingError: Error, LocalizedError, Equatable {
    case nothingTrainable(patterns: [String])
    case missingPart(String)
    case adapterDisagrees(folder: String, rank: Int, alpha: Float, wanted: String)
    case badSample(id: String, reason: String)
    case notFinite(what: String, step: Int, samples: [String])
    case exploding(loss: Float, recent: Float, step: Int, samples: [String])
    case noUsableSamples(String)
    case unusableCheckpoint(path: String, reason: String)
    case outputInUse(String)

    public var errorDescription: String? {
        switch self {
        case .nothingTrainable(let patterns):
            "no parameter matches \(patterns.joined(separator: ", ")); full names look like model/model.layers.0.mlp.up_proj.weight"
        case .missingPart(let what): what
        case .adapterDisagrees(let folder, let rank, let alpha, let wanted):
            "the adapter in \(folder) has rank \(rank) and alpha \(alpha), the configuration says \(wanted); "
                + "set \"initialize\": \"new\" to begin a new one"
        case .badSample(let id, let reason): "sample \(id): \(reason)"
        case .notFinite(let what, let step, let samples):
            "the \(what) of step \(step) is not a finite number; samples: \(samples.joined(separator: ", ")). "
                + "The last checkpoint is from before; lower the learning rate or look at these samples."
        case .exploding(let loss, let recent, let step, let samples):
            "the loss of step \(step) is \(loss), where recent ones were \(recent) at most; samples: \(samples.joined(separator: ", ")). "
                + "The last checkpoint is from before; lower the learning rate or look at these samples."
        case .noUsableSamples(let what): "\(what) holds no sample that can be used"
        case .unusableCheckpoint(let path, let reason): "cannot resume from \(path): \(reason)"
        case .outputInUse(let path): "\(path) holds a run already; go on with it by --resume, or choose another folder"
        }
    }
}

/// The networks of one training step, made of whatever arrays stand for their weights.
struct TrainingNetworks {
    var decoder: Decoder
    var projector: SpeechProjector
    var vision: VisionTransformer?
    var whisper: WhisperEncoder?
    var generator: SpeechGenerator?
}

/// Weights by full name. Not `Sendable`: one trainer owns it.
final class TrainingWeights {
    let location: ModelLocation
    let configuration: LyraConfiguration
    let visionConfiguration: VisionConfiguration?
    let whisperConfiguration: WhisperConfiguration?
    let imageProcessor: ImageProcessorConfiguration
    /// What the speech encoder's windows are made with.
    let logMel: LogMel?
    /// The adapter that is active, and its sizes.
    let adapter: ActiveAdapter?
    let computeType: DType
    /// Weights that do not change, in the type they are computed in.
    private let frozen: [ModelPart: [String: MLXArray]]
    /// Float32 masters of those that do, by full name.
    var trainable: [String: MLXArray]
    /// Their names in a fixed order: that of arguments, gradients and files.
    let names: [String]

    struct ActiveAdapter {
        var kind: Adapter
        var settings: AdapterConfiguration
        var dropout: Float
    }

    /// Loads everything, and makes float32 masters of what `isTrainable` says (full names).
    init(
        _ location: ModelLocation, _ configuration: LyraConfiguration, precision: Precision,
        adapter wanted: AdapterSettings?, seed: UInt64, isTrainable: (String) -> Bool
    ) throws {
        self.location = location
        self.configuration = configuration
        computeType = precision.dtype
        var loaded: [ModelPart: [String: MLXArray]] = [:], masters: [String: MLXArray] = [:]
        func load(_ part: ModelPart, _ source: any TensorSource, isKnown: (String) -> Bool, _ build: (Parameters) -> Void) throws {
            let parameters = Parameters(source, computeType: precision.dtype)
            build(parameters)
            try parameters.finish(isKnown: isKnown)
            for (name, array) in parameters.taken {
                let full = part.fullName(name)
                if isTrainable(full) {
                    masters[full] = try source.array(name).asType(.float32)
                } else {
                    loaded[part, default: [:]][name] = array
                }
            }
        }

        for folder in [location.model, location.vision, location.speech].compactMap({ $0 }) where try Quantization.load(folder) != nil {
            throw TrainingError.missingPart("\(folder) holds quantised weights, which cannot be trained; give the checkpoint they were made of")
        }
        let model = try WeightFiles.open(location.model)
        let generator = model.names.contains { $0.hasPrefix("speech_generator.") } ? configuration.generator : nil
        try load(.model, model, isKnown: LyraModel.isIgnored) {
            _ = Decoder($0, configuration)
            _ = SpeechProjector($0, configuration)
            if let generator { _ = SpeechGenerator($0, configuration, generator) }
        }
        if let folder = location.vision {
            let settings = try VisionConfiguration.load(folder + "/config.json")
            let file = try WeightFiles.open(folder)
            let prefix = VisionTransformer.prefix(in: file)
            try load(.vision, PrefixedSource(file, prefix), isKnown: { _ in true }) { _ = VisionTransformer($0, settings) }
            visionConfiguration = settings
            let processor = folder + "/preprocessor_config.json"
            imageProcessor = FileManager.default.fileExists(atPath: processor) ? try .load(processor) : .init()
        } else {
            visionConfiguration = nil
            imageProcessor = .init()
        }
        if let folder = location.speech {
            let settings = try WhisperConfiguration.load(folder + "/config.json")
            let file = try WeightFiles.open(folder)
            try load(.whisper, PrefixedSource(file, WhisperEncoder.prefix(in: file)), isKnown: { _ in true }) {
                _ = WhisperEncoder($0, settings, prefix: "")
            }
            whisperConfiguration = settings
            logMel = LogMel(bins: settings.melBins, frames: settings.positions * 2)
        } else {
            whisperConfiguration = nil
            logMel = nil
        }
        if let wanted {
            let (active, source) = try AdapterWeights.open(
                wanted, location, configuration, baseProjector: PrefixedSource(model, ""), seed: seed)
            adapter = active
            try load(ModelPart(wanted.name), source, isKnown: { _ in true }) { parameters in
                var decoder = Decoder(Parameters(nil), configuration)
                decoder.attach(wanted.name, parameters, prefix: "base_model.model.", rank: active.settings.rank, scale: 1)
                _ = SpeechProjector(parameters, configuration, prefix: "model.")
            }
        } else {
            adapter = nil
        }
        eval(Array(masters.values))
        frozen = loaded
        trainable = masters
        names = masters.keys.sorted()
    }

    /// What a run's configuration says.
    convenience init(_ location: ModelLocation, _ language: LyraConfiguration, _ configuration: TrainingConfiguration) throws {
        try self.init(
            location, language, precision: configuration.precision, adapter: configuration.adapter, seed: configuration.seed
        ) { configuration.trainable.group(of: $0) != nil }
    }

    var hasGenerator: Bool { has(.model, prefix: "speech_generator.") }

    private func has(_ part: ModelPart, prefix: String) -> Bool {
        (frozen[part] ?? [:]).keys.contains { $0.hasPrefix(prefix) } || names.contains { $0.hasPrefix(part.fullName(prefix)) }
    }

    /// Whether any weight of the part trains.
    func trains(_ part: ModelPart) -> Bool { names.contains { $0.hasPrefix(part.rawValue + "/") } }

    /// Current values of a part's tensors, by their names in the checkpoint.
    func tensors(of part: ModelPart, masters: [String: MLXArray]) -> [String: MLXArray] {
        var arrays = frozen[part] ?? [:]
        for (name, array) in masters {
            if let (owner, tensor) = ModelPart.split(name), owner == part { arrays[tensor] = array }
        }
        return arrays
    }

    /// Networks over `masters` (by full name), which may be standing in for arrays that gradients are wanted for.
    ///
    /// - Parameter dropout: seed of this step's dropout; nil for none.
    func networks(_ masters: [String: MLXArray], dropout: UInt64? = nil) throws -> TrainingNetworks {
        func parameters(_ part: ModelPart) -> Parameters {
            Parameters(
                DictionarySource(tensors(of: part, masters: masters), origin: "the \(part.rawValue) weights in training"),
                computeType: computeType, isTraced: true)
        }
        let model = parameters(.model)
        var decoder = Decoder(model, configuration)
        var projector = SpeechProjector(model, configuration)
        let generator = hasGenerator ? configuration.generator.map { SpeechGenerator(model, configuration, $0) } : nil
        try model.finish()
        if let adapter {
            let lora = parameters(ModelPart(adapter.kind))
            decoder.attach(
                adapter.kind, lora, prefix: "base_model.model.", rank: adapter.settings.rank, scale: adapter.settings.scale,
                dropout: dropout.flatMap { adapter.dropout > 0 ? Dropout(rate: adapter.dropout, seed: $0) : nil })
            projector = SpeechProjector(lora, configuration, prefix: "model.")
            try lora.finish()
        }
        var vision: VisionTransformer?, whisper: WhisperEncoder?
        if let visionConfiguration {
            let tower = parameters(.vision)
            vision = VisionTransformer(tower, visionConfiguration)
            try tower.finish()
        }
        if let whisperConfiguration {
            let tower = parameters(.whisper)
            whisper = WhisperEncoder(tower, whisperConfiguration, prefix: "")
            try tower.finish()
        }
        return TrainingNetworks(decoder: decoder, projector: projector, vision: vision, whisper: whisper, generator: generator)
    }

    /// One decoder layer over `masters`, which need hold no more than that layer's.
    func layer(_ index: Int, _ masters: [String: MLXArray], dropout: UInt64?) -> DecoderLayer {
        // Only this layer's tensors are looked up, so the others need not be copied into the source.
        func source(_ part: ModelPart) -> Parameters {
            Parameters(
                LayeredSource(frozen: frozen[part] ?? [:], masters: masters, part: part), computeType: computeType, isTraced: true)
        }
        var layer = Decoder.layer(index, source(.model), configuration)
        if let adapter {
            layer.attach(
                adapter.kind, source(ModelPart(adapter.kind)), prefix: "base_model.model.", rank: adapter.settings.rank,
                scale: adapter.settings.scale,
                dropout: dropout.flatMap { adapter.dropout > 0 ? Dropout(rate: adapter.dropout, seed: $0) : nil })
        }
        return layer
    }

    /// Full names of the trainable tensors of decoder layer `index`, its adapters' included.
    func names(ofLayer index: Int) -> [String] { names.filter { $0.contains("model.layers.\(index).") && !$0.contains("speech_generator") } }
}

/// Masters of one part before its frozen tensors.
private struct LayeredSource: TensorSource {
    let frozen: [String: MLXArray]
    let masters: [String: MLXArray]
    let part: ModelPart
    private func find(_ name: String) -> MLXArray? { masters[part.fullName(name)] ?? frozen[name] }
    func describe(_ name: String) -> (shape: [Int], dtype: DType)? { find(name).map { ($0.shape, $0.dtype) } }
    func array(_ name: String) throws -> MLXArray {
        guard let array = find(name) else { throw CheckpointError(origin: origin, problems: [.missing(name: name, shape: [])]) }
        return array
    }
    var names: [String] { Array(frozen.keys) + masters.keys }
    var origin: String { "the \(part.rawValue) weights in training" }
}

/// Tensors under a prefix, without it.
private struct PrefixedSource: TensorSource {
    let base: any TensorSource
    let prefix: String
    init(_ base: any TensorSource, _ prefix: String) { (self.base, self.prefix) = (base, prefix) }
    func describe(_ name: String) -> (shape: [Int], dtype: DType)? { base.describe(prefix + name) }
    func array(_ name: String) throws -> MLXArray { try base.array(prefix + name) }
    func discard(_ name: String) { base.discard(prefix + name) }
    var names: [String] { base.names.filter { $0.hasPrefix(prefix) }.map { String($0.dropFirst(prefix.count)) } }
    var origin: String { base.origin }
}
