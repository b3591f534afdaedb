// config.json of a Lyra checkpoint: the language model, the speech projector and the speech generator.
import Foundation

/// `config.json` of a released Lyra checkpoint (keys are the release's).
public struct LyraConfiguration: CheckedConfiguration, Equatable {
    public var modelType: String
    public var architectures: [String]?
    /// Width of the language model, and of every token that enters it.
    public var hiddenSize: Int
    public var intermediateSize: Int
    public var layers: Int
    public var queryHeads: Int
    public var keyValueHeads: Int
    public var vocabularySize: Int
    public var rmsNormEpsilon: Float
    public var ropeTheta: Float
    /// How many of the head's frequency pairs follow the time, height and width axis (M-RoPE).
    public var mropeSections: [Int]
    public var tiesEmbeddings: Bool
    public var endOfTextToken: Int?
    /// Where the towers are: paths relative to the folder that holds the release, or Hugging Face names.
    public var visionTower: String?
    public var speechTower: String?
    /// Width of the speech encoder.
    public var speechHiddenSize: Int
    /// Encoder frames stacked into one speech token.
    public var speechStack: Int
    /// Width between the projector's two maps; the release has 2048 everywhere and no key for it.
    public var projectorWidth: Int
    public var generator: GeneratorConfiguration?
    /// Extractor settings of the checkpoint: layers per block and the share of context tokens kept after each.
    public var compressGap: Int?
    public var keepRate: Float?
    /// The release cuts longer sequences at their end, also at inference; used with `--compat` alone.
    public var maximumLength: Int?
    /// Width of one attention head.
    public var headDimension: Int { hiddenSize / queryHeads }

    public init(
        modelType: String = "Lyra_Qwen2VL_SpeechGenerator", architectures: [String]? = ["Lyra2SQwen2VLForCausalLM"],
        hiddenSize: Int, intermediateSize: Int, layers: Int, queryHeads: Int, keyValueHeads: Int, vocabularySize: Int,
        rmsNormEpsilon: Float = 1e-6, ropeTheta: Float = 1e6, mropeSections: [Int], tiesEmbeddings: Bool,
        endOfTextToken: Int? = 151645, visionTower: String?, speechTower: String?, speechHiddenSize: Int,
        speechStack: Int = 5, projectorWidth: Int = 2048, generator: GeneratorConfiguration?
    ) {
        self.modelType = modelType
        self.architectures = architectures
        self.hiddenSize = hiddenSize
        self.intermediateSize = intermediateSize
        self.layers = layers
        self.queryHeads = queryHeads
        self.keyValueHeads = keyValueHeads
        self.vocabularySize = vocabularySize
        self.rmsNormEpsilon = rmsNormEpsilon
        self.ropeTheta = ropeTheta
        self.mropeSections = mropeSections
        self.tiesEmbeddings = tiesEmbeddings
        self.endOfTextToken = endOfTextToken
        self.visionTower = visionTower
        self.speechTower = speechTower
        self.speechHiddenSize = speechHiddenSize
        self.speechStack = speechStack
        self.projectorWidth = projectorWidth
        self.generator = generator
        compressGap = 33
        keepRate = 1
        maximumLength = 16384
    }

    public func check() throws {
        try Check.range("hidden_size", hiddenSize, 1...65_536)
        try Check.range("intermediate_size", intermediateSize, 1...1_048_576)
        try Check.range("num_hidden_layers", layers, 1...1_000)
        try Check.range("vocab_size", vocabularySize, 1...10_000_000)
        try Check.divides("num_attention_heads", queryHeads, "hidden_size", hiddenSize)
        try Check.divides("num_key_value_heads", keyValueHeads, "num_attention_heads", queryHeads)
        try Check.positive("rms_norm_eps", rmsNormEpsilon)
        try Check.positive("rope_theta", ropeTheta)
        guard headDimension % 2 == 0 else {
            throw ConfigurationError.invalid(
                key: "hidden_size / num_attention_heads", value: "\(headDimension)", expected: "an even number")
        }
        guard mropeSections.count == 3, mropeSections.allSatisfy({ (0...headDimension / 2).contains($0) }),
            mropeSections.reduce(0, +) == headDimension / 2
        else {
            throw ConfigurationError.invalid(
                key: "rope_scaling.mrope_section", value: "\(mropeSections)",
                expected: "three numbers that add up to \(headDimension / 2), half the head dimension")
        }
        try Check.range("mm_speech_hidden_size", speechHiddenSize, 1...65_536)
        try Check.range("speech_encoder_ds_rate", speechStack, 1...1_500)
        try Check.range("mm_speech_projector_width", projectorWidth, 1...65_536)
        try generator?.check()
    }

    enum CodingKeys: String, CodingKey {
        case modelType = "model_type"
        case architectures
        case hiddenSize = "hidden_size"
        case intermediateSize = "intermediate_size"
        case layers = "num_hidden_layers"
        case queryHeads = "num_attention_heads"
        case keyValueHeads = "num_key_value_heads"
        case vocabularySize = "vocab_size"
        case rmsNormEpsilon = "rms_norm_eps"
        case ropeTheta = "rope_theta"
        case ropeScaling = "rope_scaling"
        case tiesEmbeddings = "tie_word_embeddings"
        case endOfTextToken = "eos_token_id"
        case visionTower = "mm_vision_tower"
        case speechTower = "mm_speech_tower"
        case speechHiddenSize = "speech_encoder_hidden_size"
        case speechHiddenSizeAlternative = "mm_speech_hidden_size"
        case speechStack = "speech_encoder_ds_rate"
        case projectorWidth = "mm_speech_projector_width"
        case speechProjectorType = "mm_speech_projector_type"
        case generatorType = "speech_generator_type"
        case generatorLayers = "ctc_decoder_config"
        case generatorUpsample = "ctc_upsample_factor"
        case generatorLeadIn = "ctc_lead_in_frames"
        case units = "unit_vocab_size"
        case compressGap = "compress_gap"
        case keepRate = "keep_rate"
        case maximumLength = "tokenizer_model_max_length"
    }

    private struct RopeScaling: Codable {
        var type: String?
        var mropeSection: [Int]
        enum CodingKeys: String, CodingKey {
            case type
            case mropeSection = "mrope_section"
        }
    }

    public init(from decoder: any Swift.Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        modelType = try values.decode(String.self, forKey: .modelType)
        architectures = try values.decodeIfPresent([String].self, forKey: .architectures)
        hiddenSize = try values.decode(Int.self, forKey: .hiddenSize)
        intermediateSize = try values.decode(Int.self, forKey: .intermediateSize)
        layers = try values.decode(Int.self, forKey: .layers)
        queryHeads = try values.decode(Int.self, forKey: .queryHeads)
        keyValueHeads = try values.decodeIfPresent(Int.self, forKey: .keyValueHeads) ?? queryHeads
        vocabularySize = try values.decode(Int.self, forKey: .vocabularySize)
        rmsNormEpsilon = try values.decodeIfPresent(Float.self, forKey: .rmsNormEpsilon) ?? 1e-6
        ropeTheta = try values.decodeIfPresent(Float.self, forKey: .ropeTheta) ?? 1e6
        let scaling = try values.decodeIfPresent(RopeScaling.self, forKey: .ropeScaling)
        let heads = max(1, queryHeads)
        mropeSections = scaling?.mropeSection ?? [max(0, hiddenSize) / heads / 2, 0, 0]
        tiesEmbeddings = try values.decodeIfPresent(Bool.self, forKey: .tiesEmbeddings) ?? false
        endOfTextToken = try values.decodeIfPresent(Int.self, forKey: .endOfTextToken)
        visionTower = try values.decodeIfPresent(String.self, forKey: .visionTower)
        speechTower = try values.decodeIfPresent(String.self, forKey: .speechTower)
        speechHiddenSize =
            try values.decodeIfPresent(Int.self, forKey: .speechHiddenSize)
            ?? values.decodeIfPresent(Int.self, forKey: .speechHiddenSizeAlternative) ?? 1280
        speechStack = try values.decodeIfPresent(Int.self, forKey: .speechStack) ?? 5
        projectorWidth = try values.decodeIfPresent(Int.self, forKey: .projectorWidth) ?? 2048
        let projector = try values.decodeIfPresent(String.self, forKey: .speechProjectorType) ?? "simple_mlp"
        guard projector == "simple_mlp" else {
            throw ConfigurationError.invalid(key: "mm_speech_projector_type", value: projector, expected: "simple_mlp")
        }
        if let layers = try values.decodeIfPresent(String.self, forKey: .generatorLayers) {
            generator = GeneratorConfiguration(
                layers: try GeneratorConfiguration.Layers(layers),
                upsample: try values.decodeIfPresent(Int.self, forKey: .generatorUpsample) ?? 25,
                units: try values.decodeIfPresent(Int.self, forKey: .units) ?? 1000,
                leadIn: try values.decodeIfPresent(Int.self, forKey: .generatorLeadIn) ?? 0)
        }
        compressGap = try values.decodeIfPresent(Int.self, forKey: .compressGap)
        keepRate = try values.decodeIfPresent(Float.self, forKey: .keepRate)
        maximumLength = try values.decodeIfPresent(Int.self, forKey: .maximumLength)
    }

    public func encode(to encoder: any Swift.Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(modelType, forKey: .modelType)
        try values.encodeIfPresent(architectures, forKey: .architectures)
        try values.encode(hiddenSize, forKey: .hiddenSize)
        try values.encode(intermediateSize, forKey: .intermediateSize)
        try values.encode(layers, forKey: .layers)
        try values.encode(queryHeads, forKey: .queryHeads)
        try values.encode(keyValueHeads, forKey: .keyValueHeads)
        try values.encode(vocabularySize, forKey: .vocabularySize)
        try values.encode(rmsNormEpsilon, forKey: .rmsNormEpsilon)
        try values.encode(ropeTheta, forKey: .ropeTheta)
        try values.encode(RopeScaling(type: "mrope", mropeSection: mropeSections), forKey: .ropeScaling)
        try values.encode(tiesEmbeddings, forKey: .tiesEmbeddings)
        try values.encodeIfPresent(endOfTextToken, forKey: .endOfTextToken)
        try values.encodeIfPresent(visionTower, forKey: .visionTower)
        try values.encodeIfPresent(speechTower, forKey: .speechTower)
        try values.encode(speechHiddenSize, forKey: .speechHiddenSize)
        try values.encode(speechHiddenSize, forKey: .speechHiddenSizeAlternative)
        try values.encode(speechStack, forKey: .speechStack)
        try values.encode(projectorWidth, forKey: .projectorWidth)
        try values.encode("simple_mlp", forKey: .speechProjectorType)
        if let generator {
            try values.encode("ctc", forKey: .generatorType)
            try values.encode(generator.layers.description, forKey: .generatorLayers)
            try values.encode(generator.upsample, forKey: .generatorUpsample)
            try values.encode(generator.units, forKey: .units)
            if generator.leadIn > 0 { try values.encode(generator.leadIn, forKey: .generatorLeadIn) }
        }
        try values.encodeIfPresent(compressGap, forKey: .compressGap)
        try values.encodeIfPresent(keepRate, forKey: .keepRate)
        try values.encodeIfPresent(maximumLength, forKey: .maximumLength)
    }
}

/// The speech generator's part of `config.json` (LYRA.md section 5).
public struct GeneratorConfiguration: Codable, Sendable, Equatable {
    /// `ctc_decoder_config`: "(layers, width, heads, feed-forward width)".
    public struct Layers: Codable, Sendable, Equatable, CustomStringConvertible {
        public var count, width, heads, intermediateSize: Int
        public init(count: Int, width: Int, heads: Int, intermediateSize: Int) {
            (self.count, self.width, self.heads, self.intermediateSize) = (count, width, heads, intermediateSize)
        }
        public init(_ text: String) throws {
            let numbers = text.drop(while: { $0 == "(" }).prefix(while: { $0 != ")" }).split(separator: ",")
                .map { Int($0.trimmingCharacters(in: .whitespaces)) }
            guard numbers.count == 4, let count = numbers[0], let width = numbers[1], let heads = numbers[2],
                let intermediateSize = numbers[3]
            else {
                throw ConfigurationError.invalid(
                    key: "ctc_decoder_config", value: text, expected: "(layers,width,heads,feed-forward)")
            }
            self.init(count: count, width: width, heads: heads, intermediateSize: intermediateSize)
        }
        public var description: String { "(\(count),\(width),\(heads),\(intermediateSize))" }
    }
    public var layers: Layers
    /// Frames made of every text token's state.
    public var upsample: Int
    /// Size of the unit vocabulary; the blank comes after its last.
    public var units: Int
    /// Frames of a state of zeros before those of the first token; nothing is said in them. The release has none, and all frames of
    /// its first token are the same, since equal frames attend to nothing but each other: that token can have but one unit.
    public var leadIn: Int

    public init(layers: Layers, upsample: Int = 25, units: Int = 1000, leadIn: Int = 0) {
        (self.layers, self.upsample, self.units, self.leadIn) = (layers, upsample, units, leadIn)
    }

    func check() throws {
        try Check.range("ctc_decoder_config layers", layers.count, 1...256)
        try Check.range("ctc_decoder_config width", layers.width, 2...65_536)
        try Check.divides("ctc_decoder_config heads", layers.heads, "width", layers.width)
        try Check.range("ctc_decoder_config feed-forward", layers.intermediateSize, 1...1_048_576)
        try Check.range("ctc_upsample_factor", upsample, 1...1_000)
        try Check.range("unit_vocab_size", units, 1...1_000_000)
        try Check.range("ctc_lead_in_frames", leadIn, 0...1_000)
        guard layers.width / layers.heads % 2 == 0 else {
            throw ConfigurationError.invalid(
                key: "ctc_decoder_config width / heads", value: "\(layers.width / layers.heads)", expected: "an even number")
        }
    }
}
