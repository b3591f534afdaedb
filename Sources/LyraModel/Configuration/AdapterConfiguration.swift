// adapter_config.json of a PEFT adapter folder.

/// The part of PEFT's LoRA settings that changes the numbers; settings this implementation does not know are refused.
public struct AdapterConfiguration: CheckedConfiguration, Equatable {
    public var rank: Int
    public var alpha: Float
    public var usesRankStabilisation: Bool
    public var targetModules: [String]
    /// What has no part in the numbers: the share of inputs dropped in training, and what the adapter was trained on.
    public var dropout: Float = 0
    public var baseModel: String?
    private var type: String
    private var usesDora, transposed: Bool
    private var bias: String
    private var rankPattern, alphaPattern: [String: Float]

    /// What B A x is multiplied with.
    public var scale: Float { usesRankStabilisation ? alpha / Float(rank).squareRoot() : alpha / Float(rank) }

    public init(rank: Int, alpha: Float) {
        (self.rank, self.alpha) = (rank, alpha)
        targetModules = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
        (usesRankStabilisation, usesDora, transposed) = (false, false, false)
        (type, bias, rankPattern, alphaPattern) = ("LORA", "none", [:], [:])
    }

    enum CodingKeys: String, CodingKey {
        case rank = "r"
        case alpha = "lora_alpha"
        case usesRankStabilisation = "use_rslora"
        case targetModules = "target_modules"
        case dropout = "lora_dropout"
        case baseModel = "base_model_name_or_path"
        case task = "task_type"
        case isForInference = "inference_mode"
        case type = "peft_type"
        case usesDora = "use_dora"
        case transposed = "fan_in_fan_out"
        case bias
        case rankPattern = "rank_pattern"
        case alphaPattern = "alpha_pattern"
    }

    public init(from decoder: any Swift.Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        rank = try values.decode(Int.self, forKey: .rank)
        alpha = try values.decode(Float.self, forKey: .alpha)
        usesRankStabilisation = try values.decodeIfPresent(Bool.self, forKey: .usesRankStabilisation) ?? false
        targetModules = (try? values.decodeIfPresent([String].self, forKey: .targetModules)) ?? []
        dropout = (try? values.decodeIfPresent(Float.self, forKey: .dropout)) ?? 0
        baseModel = try? values.decodeIfPresent(String.self, forKey: .baseModel)
        type = try values.decodeIfPresent(String.self, forKey: .type) ?? "LORA"
        usesDora = try values.decodeIfPresent(Bool.self, forKey: .usesDora) ?? false
        transposed = try values.decodeIfPresent(Bool.self, forKey: .transposed) ?? false
        bias = try values.decodeIfPresent(String.self, forKey: .bias) ?? "none"
        rankPattern = try values.decodeIfPresent([String: Float].self, forKey: .rankPattern) ?? [:]
        alphaPattern = try values.decodeIfPresent([String: Float].self, forKey: .alphaPattern) ?? [:]
    }

    /// The keys that PEFT needs; it has defaults for the others.
    public func encode(to encoder: any Swift.Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(type, forKey: .type)
        try values.encode("CAUSAL_LM", forKey: .task)
        try values.encode(baseModel, forKey: .baseModel)
        try values.encode(true, forKey: .isForInference)
        try values.encode(rank, forKey: .rank)
        try values.encode(alpha, forKey: .alpha)
        try values.encode(dropout, forKey: .dropout)
        try values.encode(targetModules, forKey: .targetModules)
        try values.encode(usesRankStabilisation, forKey: .usesRankStabilisation)
        try values.encode(usesDora, forKey: .usesDora)
        try values.encode(transposed, forKey: .transposed)
        try values.encode(bias, forKey: .bias)
        try values.encode(rankPattern, forKey: .rankPattern)
        try values.encode(alphaPattern, forKey: .alphaPattern)
    }

    public func check() throws {
        try Check.range("r", rank, 1...65_536)
        guard alpha.isFinite else {
            throw ConfigurationError.invalid(key: "lora_alpha", value: "\(alpha)", expected: "a number")
        }
        for (key, value, supported) in [
            ("peft_type", type, "LORA"), ("bias", bias, "none"), ("use_dora", "\(usesDora)", "false"),
            ("fan_in_fan_out", "\(transposed)", "false"),
            ("rank_pattern", rankPattern.isEmpty ? "{}" : "\(rankPattern)", "{}"),
            ("alpha_pattern", alphaPattern.isEmpty ? "{}" : "\(alphaPattern)", "{}"),
        ] where value != supported {
            throw ConfigurationError.invalid(key: "adapter_config.json: \(key)", value: value, expected: supported)
        }
    }
}
