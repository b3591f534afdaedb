// Configurations of the networks around the language model: vision tower, speech tower, vocoder.
import Foundation

/// `config.json` of a Whisper folder; only the encoder's keys are read.
public struct WhisperConfiguration: CheckedConfiguration, Equatable {
    public var width: Int
    public var layers: Int
    public var heads: Int
    public var intermediateSize: Int
    public var melBins: Int
    /// Encoder frames of one window; the window has twice as many mel frames.
    public var positions: Int
    /// Samples of one window, at 16 kHz.
    public var windowSamples: Int { 2 * positions * LogMel.hopSamples }
    public var windowSeconds: Double { Double(windowSamples) / Double(LogMel.sampleRate) }

    public init(width: Int, layers: Int, heads: Int, intermediateSize: Int, melBins: Int = 128, positions: Int = 1500) {
        (self.width, self.layers, self.heads) = (width, layers, heads)
        (self.intermediateSize, self.melBins, self.positions) = (intermediateSize, melBins, positions)
    }

    enum CodingKeys: String, CodingKey {
        case width = "d_model"
        case layers = "encoder_layers"
        case heads = "encoder_attention_heads"
        case intermediateSize = "encoder_ffn_dim"
        case melBins = "num_mel_bins"
        case positions = "max_source_positions"
    }

    public func check() throws {
        try Check.range("d_model", width, 1...65_536)
        try Check.range("encoder_layers", layers, 1...1_000)
        try Check.divides("encoder_attention_heads", heads, "d_model", width)
        try Check.range("encoder_ffn_dim", intermediateSize, 1...1_048_576)
        try Check.range("num_mel_bins", melBins, 1...1_024)
        try Check.range("max_source_positions", positions, 1...15_000)
    }
}

/// The vision tower's settings: `vision_config` of a Qwen2-VL folder's `config.json`, or that object itself.
public struct VisionConfiguration: CheckedConfiguration, Equatable {
    public var depth: Int
    public var width: Int
    public var heads: Int
    public var mlpRatio: Float
    public var channels: Int
    public var patchSize: Int
    public var temporalPatchSize: Int
    /// Side of the square of patches that becomes one token.
    public var mergeSize: Int
    /// Width of the tokens that leave the tower: the language model's.
    public var outputSize: Int

    public var intermediateSize: Int { Int(Float(width) * mlpRatio) }
    /// Values of one flattened patch.
    public var patchValues: Int { channels * temporalPatchSize * patchSize * patchSize }

    public init(
        depth: Int, width: Int, heads: Int, mlpRatio: Float = 4, outputSize: Int, channels: Int = 3, patchSize: Int = 14,
        temporalPatchSize: Int = 2, mergeSize: Int = 2
    ) {
        (self.depth, self.width, self.heads, self.mlpRatio) = (depth, width, heads, mlpRatio)
        (self.outputSize, self.channels, self.patchSize) = (outputSize, channels, patchSize)
        (self.temporalPatchSize, self.mergeSize) = (temporalPatchSize, mergeSize)
    }

    enum CodingKeys: String, CodingKey {
        case depth
        case width = "embed_dim"
        case heads = "num_heads"
        case mlpRatio = "mlp_ratio"
        case channels = "in_channels"
        case patchSize = "patch_size"
        case temporalPatchSize = "temporal_patch_size"
        case mergeSize = "spatial_merge_size"
        case outputSize = "hidden_size"
        case activation = "hidden_act"
        case nested = "vision_config"
    }

    public init(from decoder: any Swift.Decoder) throws {
        var values = try decoder.container(keyedBy: CodingKeys.self)
        if values.contains(.nested) { values = try values.nestedContainer(keyedBy: CodingKeys.self, forKey: .nested) }
        depth = try values.decode(Int.self, forKey: .depth)
        width = try values.decode(Int.self, forKey: .width)
        heads = try values.decode(Int.self, forKey: .heads)
        mlpRatio = try values.decodeIfPresent(Float.self, forKey: .mlpRatio) ?? 4
        channels = try values.decodeIfPresent(Int.self, forKey: .channels) ?? 3
        patchSize = try values.decodeIfPresent(Int.self, forKey: .patchSize) ?? 14
        temporalPatchSize = try values.decodeIfPresent(Int.self, forKey: .temporalPatchSize) ?? 2
        mergeSize = try values.decodeIfPresent(Int.self, forKey: .mergeSize) ?? 2
        outputSize = try values.decode(Int.self, forKey: .outputSize)
        let activation = try values.decodeIfPresent(String.self, forKey: .activation) ?? "quick_gelu"
        guard activation == "quick_gelu" else {
            throw ConfigurationError.invalid(key: "vision_config.hidden_act", value: activation, expected: "quick_gelu")
        }
    }

    public func encode(to encoder: any Swift.Encoder) throws {
        var outer = encoder.container(keyedBy: CodingKeys.self)
        var values = outer.nestedContainer(keyedBy: CodingKeys.self, forKey: .nested)
        try values.encode(depth, forKey: .depth)
        try values.encode(width, forKey: .width)
        try values.encode(heads, forKey: .heads)
        try values.encode(mlpRatio, forKey: .mlpRatio)
        try values.encode(channels, forKey: .channels)
        try values.encode(patchSize, forKey: .patchSize)
        try values.encode(temporalPatchSize, forKey: .temporalPatchSize)
        try values.encode(mergeSize, forKey: .mergeSize)
        try values.encode(outputSize, forKey: .outputSize)
        try values.encode("quick_gelu", forKey: .activation)
    }

    public func check() throws {
        try Check.range("vision depth", depth, 1...1_000)
        try Check.range("vision embed_dim", width, 4...65_536)
        try Check.divides("vision num_heads", heads, "embed_dim", width)
        try Check.positive("vision mlp_ratio", mlpRatio)
        try Check.range("vision mlp width", mlpRatio < 1_000 ? intermediateSize : Int.max, 1...1_048_576)
        try Check.range("vision in_channels", channels, 3...3)
        try Check.range("vision patch_size", patchSize, 1...256)
        try Check.range("vision temporal_patch_size", temporalPatchSize, 1...16)
        try Check.range("vision spatial_merge_size", mergeSize, 1...16)
        try Check.range("vision hidden_size", outputSize, 1...65_536)
        guard width / heads % 4 == 0 else {
            throw ConfigurationError.invalid(
                key: "vision embed_dim / num_heads", value: "\(width / heads)", expected: "a multiple of 4")
        }
    }
}

/// `preprocessor_config.json` of the vision tower: how pictures become patches.
public struct ImageProcessorConfiguration: CheckedConfiguration, Equatable {
    public var minimumPixels: Int = 56 * 56
    public var maximumPixels: Int = 28 * 28 * 16384
    public var mean: [Float] = [0.48145466, 0.4578275, 0.40821073]
    public var standardDeviation: [Float] = [0.26862954, 0.26130258, 0.27577711]

    public init() {}

    enum CodingKeys: String, CodingKey {
        case minimumPixels = "min_pixels"
        case maximumPixels = "max_pixels"
        case mean = "image_mean"
        case standardDeviation = "image_std"
    }

    public init(from decoder: any Swift.Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        minimumPixels = try values.decodeIfPresent(Int.self, forKey: .minimumPixels) ?? minimumPixels
        maximumPixels = try values.decodeIfPresent(Int.self, forKey: .maximumPixels) ?? maximumPixels
        mean = try values.decodeIfPresent([Float].self, forKey: .mean) ?? mean
        standardDeviation = try values.decodeIfPresent([Float].self, forKey: .standardDeviation) ?? standardDeviation
    }

    public func check() throws {
        try Check.range("min_pixels", minimumPixels, 1...1 << 30)
        try Check.range("max_pixels", maximumPixels, minimumPixels...1 << 30)
        guard mean.count == 3, standardDeviation.count == 3, standardDeviation.allSatisfy({ $0 > 0 && $0.isFinite }) else {
            throw ConfigurationError.invalid(
                key: "image_mean / image_std", value: "\(mean) / \(standardDeviation)", expected: "three numbers each, std > 0")
        }
    }
}

/// `config.json` of the unit vocoder (HiFi-GAN over discrete units).
public struct VocoderConfiguration: CheckedConfiguration, Equatable {
    public struct DurationPredictor: Codable, Sendable, Equatable {
        public var inputSize: Int
        public var hiddenSize: Int
        public var kernelSize: Int
        enum CodingKeys: String, CodingKey {
            case inputSize = "encoder_embed_dim"
            case hiddenSize = "var_pred_hidden_dim"
            case kernelSize = "var_pred_kernel_size"
        }
    }
    public var upsampleRates: [Int]
    public var upsampleKernelSizes: [Int]
    public var initialChannels: Int
    public var residualKernelSizes: [Int]
    public var residualDilations: [[Int]]
    public var units: Int
    public var embeddingSize: Int
    /// Samples one unit frame becomes: the product of the upsample rates.
    public var samplesPerFrame: Int { upsampleRates.reduce(1, *) }
    public var sampleRate: Int
    public var durationPredictor: DurationPredictor?

    public init(
        upsampleRates: [Int] = [5, 4, 4, 2, 2], upsampleKernelSizes: [Int] = [11, 8, 8, 4, 4], initialChannels: Int,
        residualKernelSizes: [Int] = [3, 7, 11], residualDilations: [[Int]] = [[1, 3, 5], [1, 3, 5], [1, 3, 5]],
        units: Int = 1000, embeddingSize: Int, sampleRate: Int = 16_000, durationHiddenSize: Int
    ) {
        (self.upsampleRates, self.upsampleKernelSizes) = (upsampleRates, upsampleKernelSizes)
        (self.initialChannels, self.residualKernelSizes) = (initialChannels, residualKernelSizes)
        (self.residualDilations, self.units, self.embeddingSize) = (residualDilations, units, embeddingSize)
        self.sampleRate = sampleRate
        durationPredictor = DurationPredictor(inputSize: embeddingSize, hiddenSize: durationHiddenSize, kernelSize: 3)
    }

    enum CodingKeys: String, CodingKey {
        case resblock
        case upsampleRates = "upsample_rates"
        case upsampleKernelSizes = "upsample_kernel_sizes"
        case initialChannels = "upsample_initial_channel"
        case residualKernelSizes = "resblock_kernel_sizes"
        case residualDilations = "resblock_dilation_sizes"
        case units = "num_embeddings"
        case embeddingSize = "embedding_dim"
        case sampleRate = "sampling_rate"
        case durationPredictor = "dur_predictor_params"
        case multiSpeaker = "multispkr"
        case f0
    }

    public init(from decoder: any Swift.Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        upsampleRates = try values.decode([Int].self, forKey: .upsampleRates)
        upsampleKernelSizes = try values.decode([Int].self, forKey: .upsampleKernelSizes)
        initialChannels = try values.decode(Int.self, forKey: .initialChannels)
        residualKernelSizes = try values.decode([Int].self, forKey: .residualKernelSizes)
        residualDilations = try values.decode([[Int]].self, forKey: .residualDilations)
        units = try values.decodeIfPresent(Int.self, forKey: .units) ?? 1000
        embeddingSize = try values.decode(Int.self, forKey: .embeddingSize)
        sampleRate = try values.decodeIfPresent(Int.self, forKey: .sampleRate) ?? 16_000
        durationPredictor = try values.decodeIfPresent(DurationPredictor.self, forKey: .durationPredictor)
        let resblock = try values.decodeIfPresent(String.self, forKey: .resblock) ?? "1"
        guard resblock == "1" else {
            throw ConfigurationError.invalid(key: "resblock", value: resblock, expected: "\"1\"")
        }
        if (try? values.decodeIfPresent(Bool.self, forKey: .f0)) == true {
            throw ConfigurationError.invalid(key: "f0", value: "true", expected: "false: a vocoder of units alone")
        }
    }

    public func encode(to encoder: any Swift.Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode("1", forKey: .resblock)
        try values.encode(upsampleRates, forKey: .upsampleRates)
        try values.encode(upsampleKernelSizes, forKey: .upsampleKernelSizes)
        try values.encode(initialChannels, forKey: .initialChannels)
        try values.encode(residualKernelSizes, forKey: .residualKernelSizes)
        try values.encode(residualDilations, forKey: .residualDilations)
        try values.encode(units, forKey: .units)
        try values.encode(embeddingSize, forKey: .embeddingSize)
        try values.encode(sampleRate, forKey: .sampleRate)
        try values.encodeIfPresent(durationPredictor, forKey: .durationPredictor)
    }

    public func check() throws {
        try Check.range("upsample_rates count", upsampleRates.count, 1...12)
        try Check.range("upsample_kernel_sizes count", upsampleKernelSizes.count, upsampleRates.count...upsampleRates.count)
        try Check.range("upsample_initial_channel", initialChannels, 1 << upsampleRates.count...65_536)
        try Check.range("resblock_kernel_sizes count", residualKernelSizes.count, 1...16)
        try Check.range(
            "resblock_dilation_sizes count", residualDilations.count, residualKernelSizes.count...residualKernelSizes.count)
        for (rate, kernel) in zip(upsampleRates, upsampleKernelSizes) {
            try Check.range("upsample_rates", rate, 1...64)
            try Check.range("upsample_kernel_sizes", kernel, rate...256)
            guard (kernel - rate) % 2 == 0 else {
                throw ConfigurationError.invalid(
                    key: "upsample_kernel_sizes", value: "\(kernel)", expected: "rate (\(rate)) plus an even number")
            }
        }
        for kernel in residualKernelSizes { try Check.range("resblock_kernel_sizes", kernel, 1...255) }
        for dilations in residualDilations {
            try Check.range("resblock_dilation_sizes length", dilations.count, 1...16)
            for dilation in dilations { try Check.range("resblock_dilation_sizes", dilation, 1...255) }
        }
        try Check.range("num_embeddings", units, 1...1_000_000)
        try Check.range("embedding_dim", embeddingSize, 1...65_536)
        try Check.range("sampling_rate", sampleRate, 1_000...192_000)
        if let predictor = durationPredictor {
            try Check.range("dur_predictor_params.encoder_embed_dim", predictor.inputSize, embeddingSize...embeddingSize)
            try Check.range("dur_predictor_params.var_pred_hidden_dim", predictor.hiddenSize, 1...65_536)
            try Check.range("dur_predictor_params.var_pred_kernel_size", predictor.kernelSize, 1...31)
        }
    }
}
