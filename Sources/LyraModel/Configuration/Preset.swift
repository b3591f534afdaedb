// Named sizes of the whole system, for random checkpoints (tests, benchmarks) and as a record of the paper's models.

/// Sizes of every network of one Lyra.
public enum Preset: String, CaseIterable, Sendable {
    /// A few hundred thousand parameters: for tests and demonstrations.
    case tiny
    /// Some millions of parameters, speech in windows of 8 s: small enough to be trained on a desktop processor.
    case nano
    /// Lyra-Mini: Qwen2-VL 2B and Whisper-large-v3-turbo.
    case mini
    /// Lyra-Base: Qwen2-VL 7B and Whisper-large-v3.
    case base
    /// Lyra-Pro: Qwen2-VL 72B and Whisper-large-v3.
    case pro

    /// Every network's configuration, and the adapters' ranks.
    public var configurations: SystemConfiguration {
        switch self {
        case .tiny:
            SystemConfiguration(
                name: "Lyra_Tiny", hidden: 64, intermediate: 176, layers: 4, heads: 4, kvHeads: 2, vocabulary: 1_024,
                sections: [2, 3, 3], tied: true, generator: .init(count: 2, width: 48, heads: 4, intermediateSize: 128),
                whisper: WhisperConfiguration(width: 32, layers: 2, heads: 2, intermediateSize: 96),
                vision: VisionConfiguration(depth: 2, width: 32, heads: 2, mlpRatio: 2, outputSize: 64),
                vocoder: VocoderConfiguration(initialChannels: 64, embeddingSize: 32, durationHiddenSize: 16),
                rank: 8, alpha: 16)
        case .nano:
            SystemConfiguration(
                name: "Lyra_Nano", hidden: 256, intermediate: 768, layers: 6, heads: 4, kvHeads: 2, vocabulary: 2_048,
                sections: [1, 1, 30], tied: true, projectorWidth: 512,
                generator: .init(count: 2, width: 256, heads: 4, intermediateSize: 768),
                whisper: WhisperConfiguration(
                    width: 256, layers: 6, heads: 4, intermediateSize: 1024, melBins: 80, positions: 400),
                vision: VisionConfiguration(depth: 4, width: 192, heads: 4, outputSize: 256),
                vocoder: VocoderConfiguration(initialChannels: 128, units: 500, embeddingSize: 64, durationHiddenSize: 64),
                rank: 16, alpha: 32, leadIn: 25, hasInductionHeads: true)
        case .mini:
            SystemConfiguration(
                name: "Lyra_Mini_3B", hidden: 1536, intermediate: 8960, layers: 28, heads: 12, kvHeads: 2,
                vocabulary: 151_936, sections: [16, 24, 24], tied: true,
                generator: .init(count: 2, width: 4096, heads: 32, intermediateSize: 11_008),
                whisper: WhisperConfiguration(width: 1280, layers: 32, heads: 20, intermediateSize: 5120),
                vision: VisionConfiguration(depth: 32, width: 1280, heads: 16, outputSize: 1536),
                vocoder: .release, rank: 128, alpha: 256)
        case .base:
            SystemConfiguration(
                name: "Lyra_Base_9B", hidden: 3584, intermediate: 18_944, layers: 28, heads: 28, kvHeads: 4,
                vocabulary: 152_064, sections: [16, 24, 24], tied: false,
                generator: .init(count: 4, width: 4096, heads: 32, intermediateSize: 11_008),
                whisper: WhisperConfiguration(width: 1280, layers: 32, heads: 20, intermediateSize: 5120),
                vision: VisionConfiguration(depth: 32, width: 1280, heads: 16, outputSize: 3584),
                vocoder: .release, rank: 128, alpha: 256)
        case .pro:
            SystemConfiguration(
                name: "Lyra_Pro_74B", hidden: 8192, intermediate: 29_568, layers: 80, heads: 64, kvHeads: 8,
                vocabulary: 152_064, sections: [16, 24, 24], tied: false,
                generator: .init(count: 4, width: 4096, heads: 32, intermediateSize: 11_008),
                whisper: WhisperConfiguration(width: 1280, layers: 32, heads: 20, intermediateSize: 5120),
                vision: VisionConfiguration(depth: 32, width: 1280, heads: 16, outputSize: 8192),
                vocoder: .release, rank: 128, alpha: 256)
        }
    }
}

extension VocoderConfiguration {
    /// The unit HiFi-GAN that the release uses: 512 channels, embedding of 128.
    public static let release = VocoderConfiguration(initialChannels: 512, embeddingSize: 128, durationHiddenSize: 128)
}

/// The configurations of every network that belongs to one Lyra.
public struct SystemConfiguration: Sendable {
    /// Name of the model's folder under `work_dirs`.
    public var name: String
    public var language: LyraConfiguration
    public var whisper: WhisperConfiguration
    public var vision: VisionConfiguration
    public var vocoder: VocoderConfiguration
    public var loraRank: Int
    public var loraAlpha: Float
    /// Whether the decoder is to be trained from random weights, and begins with heads that look back and copy.
    public var hasInductionHeads: Bool
    /// As the tokenizer has them; written to the model's configurations.
    public var endTokens: EndTokens {
        didSet { language.endOfTextToken = endTokens.turn }
    }

    /// Ids of the tokens at which a reply ends.
    public struct EndTokens: Sendable, Equatable {
        /// `<|im_end|>`
        public var turn: Int
        /// `<|endoftext|>`
        public var text: Int

        public init(turn: Int, text: Int) { (self.turn, self.text) = (turn, text) }
    }

    init(
        name: String, hidden: Int, intermediate: Int, layers: Int, heads: Int, kvHeads: Int, vocabulary: Int,
        sections: [Int], tied: Bool, projectorWidth: Int = 2048, generator: GeneratorConfiguration.Layers,
        whisper: WhisperConfiguration, vision: VisionConfiguration, vocoder: VocoderConfiguration, rank: Int, alpha: Float,
        leadIn: Int = 0, hasInductionHeads: Bool = false
    ) {
        self.name = name
        language = LyraConfiguration(
            hiddenSize: hidden, intermediateSize: intermediate, layers: layers, queryHeads: heads, keyValueHeads: kvHeads,
            vocabularySize: vocabulary, mropeSections: sections, tiesEmbeddings: tied,
            visionTower: "model_zoo/vision/\(name)_ViT", speechTower: "model_zoo/audio/\(name)_whisper",
            speechHiddenSize: whisper.width, projectorWidth: projectorWidth,
            generator: GeneratorConfiguration(layers: generator, units: vocoder.units, leadIn: leadIn))
        // Small vocabularies have a tokenizer of single bytes, with the control tokens after them.
        endTokens = vocabulary < 151_665 ? EndTokens(turn: 258, text: 256) : EndTokens(turn: 151_645, text: 151_643)
        self.whisper = whisper
        self.vision = vision
        self.vocoder = vocoder
        loraRank = rank
        loraAlpha = alpha
        self.hasInductionHeads = hasInductionHeads
        language.endOfTextToken = endTokens.turn
    }
}
