// The whole system's networks, loaded from a released checkpoint. Knows tensors, not files of media or text.
import Foundation
import MLX

/// Element type of products.
public enum Precision: String, Sendable, CaseIterable, Codable {
    /// Exact: agrees with the original's float32 within rounding.
    case f32
    /// Half the memory and twice the speed; sums, norms and the residual stream stay float32.
    case bf16
    /// As bf16, but weights and inputs of matrix products are rounded to 8-bit integers, with scales of their own for every
    /// row: twice as fast where there are many rows, and less exact.
    case int8

    /// Element type of what is not a matrix product of integers.
    public var dtype: DType { self == .f32 ? .float32 : .bfloat16 }

    /// What products are fastest in without being rounded to integers: ``bf16`` on a GPU and where the processor has instructions for it.
    public static let fastest: Precision = (try? Device.current) == .gpu || Kernel.hasFastBFloat16 ? .bf16 : .f32
}

/// A part of the system that a request needs and the checkpoint lacks.
public struct MissingPartError: Error, LocalizedError {
    let message: String
    public var errorDescription: String? { message }
}

/// All networks of one Lyra. Not `Sendable`: one actor owns it.
public final class LyraModel {
    public let location: ModelLocation
    public let configuration: LyraConfiguration
    public let imageProcessor: ImageProcessorConfiguration
    public let precision: Precision
    public let decoder: Decoder
    public let generator: SpeechGenerator?
    private let vision: VisionTransformer?
    private let whisper: WhisperEncoder?
    private let vocoderNetwork: Vocoder?
    /// The base projector and those of the adapters.
    private let projector: SpeechProjector
    private let adapterProjectors: [Adapter: SpeechProjector]
    public let logMel: LogMel
    /// Adapters the checkpoint has.
    public var adapters: Set<Adapter> { Set(location.adapters.keys) }
    /// Ids that end an answer.
    public let endTokens: Set<Int32>

    /// Loads every part. Weights stay memory-mapped where their type is already that of the computation.
    /// - Parameter cacheFormat: how conversations keep their keys and values.
    public init(
        _ location: ModelLocation, _ configuration: LyraConfiguration, precision: Precision, cacheFormat: CacheFormat = .exact
    ) throws {
        self.location = location
        self.configuration = configuration
        self.precision = precision
        let type = precision.dtype
        func weights(_ source: any TensorSource, in folder: String) throws -> Parameters {
            Parameters(
                source, computeType: type, quantization: try Quantization.load(folder), usesInt8: precision == .int8)
        }

        let source = try WeightFiles.open(location.model)
        let parameters = try weights(source, in: location.model)
        var decoder = Decoder(parameters, configuration)
        projector = SpeechProjector(parameters, configuration)
        let hasGenerator = source.names.contains { $0.hasPrefix("speech_generator.") }
        generator = hasGenerator ? configuration.generator.map { SpeechGenerator(parameters, configuration, $0) } : nil
        try parameters.finish(isKnown: Self.isIgnored)

        var projectors: [Adapter: SpeechProjector] = [:]
        for (adapter, folder) in location.adapters.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
            let settings = try AdapterConfiguration.load(folder + "/adapter_config.json")
            let lora = Parameters(try WeightFiles.openAdapter(folder), computeType: type)
            decoder.attach(adapter, lora, prefix: "base_model.model.", rank: settings.rank, scale: settings.scale)
            try lora.finish(isKnown: { _ in false })
            if let trainables = try WeightFiles.openTrainables(folder) {
                // The release drops the first "model." of each key.
                let extra = Parameters(trainables, computeType: type)
                projectors[adapter] = SpeechProjector(extra, configuration, prefix: "model.")
                try extra.finish(isKnown: { _ in true })
            }
        }
        decoder.cacheFormat = cacheFormat
        self.decoder = decoder
        adapterProjectors = projectors

        if let folder = location.vision {
            let settings = try VisionConfiguration.load(folder + "/config.json")
            guard settings.outputSize == configuration.hiddenSize else {
                throw ConfigurationError.invalid(
                    key: "\(folder)/config.json: hidden_size", value: "\(settings.outputSize)",
                    expected: "the language model's \(configuration.hiddenSize)")
            }
            let file = try WeightFiles.open(folder)
            let tower = try weights(file, in: folder)
            let prefix = VisionTransformer.prefix(in: file)
            vision = VisionTransformer(tower, settings, prefix: prefix)
            try tower.finish(isKnown: { !prefix.isEmpty && !$0.hasPrefix(prefix) })
            let processor = folder + "/preprocessor_config.json"
            imageProcessor =
                FileManager.default.fileExists(atPath: processor) ? try .load(processor) : ImageProcessorConfiguration()
        } else {
            vision = nil
            imageProcessor = ImageProcessorConfiguration()
        }

        if let folder = location.speech {
            let settings = try WhisperConfiguration.load(folder + "/config.json")
            guard settings.width == configuration.speechHiddenSize else {
                throw ConfigurationError.invalid(
                    key: "\(folder)/config.json: d_model", value: "\(settings.width)",
                    expected: "speech_encoder_hidden_size of the model, \(configuration.speechHiddenSize)")
            }
            let file = try WeightFiles.open(folder)
            let tower = try weights(file, in: folder)
            whisper = WhisperEncoder(tower, settings, prefix: WhisperEncoder.prefix(in: file))
            try tower.finish(isKnown: { $0.contains("decoder.") || $0.hasPrefix("proj_out") })
            logMel = LogMel(bins: settings.melBins, frames: settings.positions * 2)
        } else {
            whisper = nil
            logMel = LogMel(bins: 128)
        }

        if let folder = location.vocoder {
            let settings = try VocoderConfiguration.load(folder + "/config.json")
            if let units = configuration.generator?.units, units > settings.units {
                throw ConfigurationError.invalid(
                    key: "\(folder)/config.json: num_embeddings", value: "\(settings.units)",
                    expected: "at least the generator's \(units) units")
            }
            let parameters = Parameters(try WeightFiles.openVocoder(folder))
            vocoderNetwork = Vocoder(parameters, settings)
            try parameters.finish(isKnown: { _ in false })
        } else {
            vocoderNetwork = nil
        }
        endTokens = try EndTokens.load(location.model, configuration)
    }

    /// Tensors of a checkpoint that this implementation, like the original, does not read from there.
    package static func isIgnored(_ name: String) -> Bool {
        name.hasPrefix("model.vision_tower.") || name.hasPrefix("model.speech_tower.") || name == "lm_head.weight"
            || name.hasSuffix("rotary_emb.inv_freq")
    }

    // MARK: Encoders

    public var hasVision: Bool { vision != nil }
    public var hasSpeech: Bool { whisper != nil }

    public func visionConfiguration() throws -> VisionConfiguration { try visionTower().configuration }

    private func visionTower() throws -> VisionTransformer { try vision ?? missing("vision tower", "look at pictures") }
    private func speechTower() throws -> WhisperEncoder { try whisper ?? missing("speech tower", "hear") }

    /// The unit vocoder, or why there is none.
    public func vocoder() throws -> Vocoder { try vocoderNetwork ?? missing("vocoder", "speak") }

    /// The generator of units, or why there is none.
    public func speechGenerator() throws -> SpeechGenerator {
        guard let generator else {
            throw MissingPartError(message: "this checkpoint has no speech generator, so it cannot speak: \(location.model)")
        }
        return generator
    }

    private func missing<T>(_ part: String, _ ability: String) throws -> T {
        throw location.missing[part]
            ?? MissingPartError(message: "this checkpoint names no \(part), so it cannot \(ability): \(location.model)/config.json")
    }

    /// One picture or video -> tokens, [n, hidden] float32.
    public func encode(_ patches: Patches) throws -> EncodedMedium {
        let tower = try visionTower()
        let tokens = tower(patches)
        eval(tokens)
        return .vision(tokens: tokens, grid: patches.grid.merged(tower.configuration.mergeSize))
    }

    /// One window's log-mel, [bins, frames] -> encoder frames, [1, frames / 2, width].
    public func encodeWindow(_ mel: MLXArray) throws -> MLXArray {
        let frames = try speechTower()(mel.expandedDimensions(axis: 0))
        eval(frames)
        return frames
    }

    /// Encoder frames of windows, [windows, frames, width] -> speech tokens, [n, hidden] float32, by the projector that goes
    /// with the adapter.
    public func project(_ frames: MLXArray, adapter: Adapter?) -> MLXArray {
        let tokens = (adapter.flatMap { adapterProjectors[$0] } ?? projector)(frames)
        let flat = tokens.reshaped([tokens.dim(0) * tokens.dim(1), tokens.dim(2)])
        eval(flat)
        return flat
    }

    /// The adapter the release chooses: none without speech, "speech" for one window, "long_speech" for more.
    public func adapter(forWindows windows: Int) -> Adapter? {
        let wanted: Adapter? = windows == 0 ? nil : windows == 1 ? .speech : .longSpeech
        return wanted.flatMap { adapters.contains($0) ? $0 : nil }
    }
}

/// Which token ids end an answer: `generation_config.json`, else `config.json`.
enum EndTokens {
    private struct Generation: Decodable {
        var ids: [Int32]
        enum CodingKeys: String, CodingKey { case ids = "eos_token_id" }
        init(from decoder: any Swift.Decoder) throws {
            let values = try decoder.container(keyedBy: CodingKeys.self)
            if let one = try? values.decode(Int32.self, forKey: .ids) {
                ids = [one]
            } else {
                ids = try values.decodeIfPresent([Int32].self, forKey: .ids) ?? []
            }
        }
    }

    static func load(_ folder: String, _ configuration: LyraConfiguration) throws -> Set<Int32> {
        let path = folder + "/generation_config.json"
        var ids: [Int32] = []
        if let data = try? Data(contentsOf: URL(fileURLWithPath: path)) {
            do {
                ids = try JSONDecoder().decode(Generation.self, from: data).ids
            } catch let error as DecodingError {
                throw ConfigurationError.unreadable(path: path, reason: error.summary)
            }
        }
        if ids.isEmpty, let id = configuration.endOfTextToken.flatMap(Int32.init(exactly:)) { ids = [id] }
        return Set(ids)
    }
}
