// Everything a run depends on, as one JSON file.
import Foundation
import LyraModel

/// The stage of training (LYRA.md section 6): what is trained, and by which losses, unless the configuration says otherwise.
public enum TrainingStage: String, Sendable, Codable, CaseIterable {
    /// From random weights: every part.
    case pretrain
    /// 1: the speech projector, on short speech.
    case alignment
    /// 2: the projector and a LoRA adapter, on text, pictures and speech, with the cross-modality regulariser.
    case joint
    /// 3: the projector and the adapter for long speech.
    case longSpeech = "long_speech"
    /// 4: the speech generator alone.
    case speechGenerator = "speech_generator"
}

/// Settings of the cross-modality regulariser (LCMR).
public struct RegulariserSettings: Sendable, Codable, Equatable {
    /// λ; 0 leaves it out.
    public var weight: Float
    /// τ
    public var temperature: Float = 0.06
    /// Smoothing of the soft minimum.
    public var gamma: Float = 0.1
    public var alignment: Alignment = .softDTW
    /// Whether gradients flow into the text side (the embedding table) too.
    public var trainsText = false

    public enum Alignment: String, Sendable, Codable {
        case softDTW = "soft_dtw"
        /// The last S speech tokens against the S text tokens.
        case truncated
    }

    public init(weight: Float) { self.weight = weight }

    var crossModality: CrossModality {
        let alignment: CrossModality.Alignment = alignment == .softDTW ? .softDTW(gamma: gamma) : .truncated
        return CrossModality(alignment: alignment, temperature: temperature, trainsText: trainsText)
    }

    public init(from decoder: any Swift.Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        weight = try values.decodeIfPresent(Float.self, forKey: .weight) ?? 0.5
        temperature = try values.decodeIfPresent(Float.self, forKey: .temperature) ?? 0.06
        gamma = try values.decodeIfPresent(Float.self, forKey: .gamma) ?? 0.1
        alignment = try values.decodeIfPresent(Alignment.self, forKey: .alignment) ?? .softDTW
        trainsText = try values.decodeIfPresent(Bool.self, forKey: .trainsText) ?? false
    }
}

/// A training run. Every key but `model`, `output` and `data` has a default, most of them by the stage.
public struct TrainingConfiguration: CheckedConfiguration, Equatable {
    public var stage: TrainingStage
    /// A checkpoint in the release's layout to start from.
    public var model: String
    /// Folder for checkpoints, metrics and the result.
    public var output: String
    public var data: [DataSource]
    /// Data that is only measured on.
    public var validation: [DataSource]

    /// What trains; later groups refine earlier ones.
    public var trainable: [ParameterGroup]
    public var adapter: AdapterSettings?
    public var lossWeights: LossWeights
    public var regulariser: RegulariserSettings
    public var extractor: ExtractorOptions?

    /// Samples a step, over all processes.
    public var batchSize: Int
    public var epochs: Int
    /// Ends the run earlier, where given; the schedule ends there too.
    public var maximumSteps: Int?
    public var learningRate: Double
    public var schedule: LearningRateSchedule
    /// Share of all steps over which the learning rate rises.
    public var warmupRatio: Double
    public var weightDecay: Double
    public var optimizer = OptimizerKind.adamW
    public var betas: [Double]
    public var epsilon: Double
    /// Largest norm of all gradients together; longer ones are scaled down to it. 0: never.
    public var gradientClip: Double

    /// Of products; weights that train and the optimiser stay float32.
    public var precision: Precision
    public var gradientCheckpointing: Bool
    /// Tokens that go through the networks at a time: what a pass needs memory for. Does not change results.
    public var tokensPerPass: Int
    /// Longer samples are left out and named.
    public var maximumTokens: Int
    public var groupsByLength: Bool
    public var seed: UInt64
    /// The original's generator is trained one token off from how it is used; for its checkpoints.
    public var compatible: Bool
    /// Spreads the optimiser's state over the processes of a run, where there are several.
    public var shardsOptimizer: Bool

    public var checkpointEvery: Int
    public var keepCheckpoints: Int
    public var validateEvery: Int?
    /// A loss this many times the usual one stops the run.
    public var explosionFactor: Float
    /// Where what frozen encoders compute is kept between runs.
    public var cache: String?
    /// Write the projector as the release's `non_lora_trainables.bin`.
    public var releaseLayout: Bool

    /// The paper's settings of a stage (LYRA.md section 6).
    public init(stage: TrainingStage, model: String = "", output: String = "", data: [DataSource] = []) {
        (self.stage, self.model, self.output, self.data) = (stage, model, output, data)
        validation = []
        lossWeights = LossWeights()
        regulariser = RegulariserSettings(weight: 0)
        (batchSize, epochs, learningRate, warmupRatio) = (128, 1, 2e-4, 0.03)
        switch stage {
        case .pretrain:
            trainable = [ParameterGroup("*")]
            (learningRate, batchSize) = (1e-3, 32)
        case .alignment:
            trainable = [ParameterGroup("model/model.mm_speech_projector.*")]
            (learningRate, batchSize) = (1e-3, 256)
        case .joint:
            trainable = [ParameterGroup("speech_lora/*")]
            adapter = AdapterSettings(name: .speech)
            regulariser.weight = 0.5
        case .longSpeech:
            trainable = [ParameterGroup("long_speech_lora/*")]
            adapter = AdapterSettings(name: .longSpeech)
            (batchSize, epochs) = (16, 3)
        case .speechGenerator:
            trainable = [ParameterGroup("model/speech_generator.*")]
            lossWeights = LossWeights(answer: 0, speech: 1)
            (batchSize, warmupRatio) = (32, 0.09)
        }
        (schedule, weightDecay, betas, epsilon, gradientClip) = (.cosine, 0, [0.9, 0.999], 1e-8, 1)
        (precision, gradientCheckpointing, tokensPerPass, maximumTokens) = (.fastest, true, 4_096, 25_000)
        (groupsByLength, seed, compatible, shardsOptimizer) = (true, 0, false, false)
        (checkpointEvery, keepCheckpoints, explosionFactor, releaseLayout) = (500, 2, 10, false)
    }

    public init(from decoder: any Swift.Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        self.init(
            stage: try values.decode(TrainingStage.self, forKey: .stage), model: try values.decode(String.self, forKey: .model),
            output: try values.decode(String.self, forKey: .output), data: try values.decode([DataSource].self, forKey: .data))
        func read<T: Decodable>(_ key: CodingKeys, _ value: inout T) throws {
            if let given = try values.decodeIfPresent(T.self, forKey: key) { value = given }
        }
        try read(.validation, &validation)
        try read(.trainable, &trainable)
        if values.contains(.adapter) { adapter = try values.decodeIfPresent(AdapterSettings.self, forKey: .adapter) }
        try read(.lossWeights, &lossWeights)
        try read(.regulariser, &regulariser)
        extractor = try values.decodeIfPresent(ExtractorOptions.self, forKey: .extractor)
        try read(.batchSize, &batchSize)
        try read(.epochs, &epochs)
        maximumSteps = try values.decodeIfPresent(Int.self, forKey: .maximumSteps)
        try read(.learningRate, &learningRate)
        try read(.schedule, &schedule)
        try read(.warmupRatio, &warmupRatio)
        try read(.weightDecay, &weightDecay)
        try read(.optimizer, &optimizer)
        try read(.betas, &betas)
        try read(.epsilon, &epsilon)
        try read(.gradientClip, &gradientClip)
        try read(.precision, &precision)
        try read(.gradientCheckpointing, &gradientCheckpointing)
        try read(.tokensPerPass, &tokensPerPass)
        try read(.maximumTokens, &maximumTokens)
        try read(.groupsByLength, &groupsByLength)
        try read(.seed, &seed)
        try read(.compatible, &compatible)
        try read(.shardsOptimizer, &shardsOptimizer)
        try read(.checkpointEvery, &checkpointEvery)
        try read(.keepCheckpoints, &keepCheckpoints)
        validateEvery = try values.decodeIfPresent(Int.self, forKey: .validateEvery)
        try read(.explosionFactor, &explosionFactor)
        cache = try values.decodeIfPresent(String.self, forKey: .cache)
        try read(.releaseLayout, &releaseLayout)
        // A key that is not known is most likely misspelt, and its default would silently be used instead.
        let known = Set(CodingKeys.allCases.map(\.rawValue))
        let given = try decoder.container(keyedBy: AnyKey.self).allKeys.map(\.stringValue)
        if let unknown = given.sorted().first(where: { !known.contains($0) && !$0.hasPrefix("_") }) {
            throw ConfigurationError.invalid(
                key: Self.written(unknown), value: "given",
                expected: "one of \(known.map(Self.written).sorted().joined(separator: ", "))")
        }
    }

    enum CodingKeys: String, CodingKey, CaseIterable {
        case stage, model, output, data, validation, trainable, adapter, lossWeights, extractor, batchSize, epochs, maximumSteps
        case learningRate, schedule, warmupRatio, weightDecay, optimizer, betas, epsilon, gradientClip, precision, gradientCheckpointing
        case tokensPerPass, maximumTokens, groupsByLength, seed, compatible, shardsOptimizer, checkpointEvery, keepCheckpoints
        case validateEvery, explosionFactor, cache, releaseLayout
        case regulariser = "lcmr"
    }

    /// A key as files have it: `batch_size`.
    private static func written(_ key: String) -> String { key.replacing(/[A-Z]/) { "_" + $0.output.lowercased() } }

    private struct AnyKey: CodingKey {
        var stringValue: String
        var intValue: Int? { nil }
        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    public func check() throws {
        func range(_ key: CodingKeys, _ value: Int, _ range: ClosedRange<Int>) throws {
            guard range.contains(value) else {
                throw ConfigurationError.invalid(
                    key: Self.written(key.rawValue), value: "\(value)", expected: "\(range.lowerBound) to \(range.upperBound)")
            }
        }
        func number(_ key: CodingKeys, _ value: Double, _ range: Range<Double>) throws {
            guard range.contains(value) else {
                throw ConfigurationError.invalid(
                    key: Self.written(key.rawValue), value: "\(value)", expected: "a number from \(range.lowerBound) to below \(range.upperBound)")
            }
        }
        for (key, text) in [(CodingKeys.model, model), (.output, output)] where text.isEmpty {
            throw ConfigurationError.invalid(key: key.rawValue, value: "empty", expected: "a folder")
        }
        guard !data.isEmpty else { throw ConfigurationError.invalid(key: "data", value: "empty", expected: "at least one data file") }
        for problem in (data + validation).compactMap(\.speechAugmentation?.problem) {
            throw ConfigurationError.invalid(key: "data.speech_augmentation", value: "given", expected: problem)
        }
        for span in (data + validation).compactMap(\.positionSpan) where !(1...10_000_000).contains(span) {
            throw ConfigurationError.invalid(key: "data.position_span", value: "\(span)", expected: "1 to 10000000")
        }
        try range(.batchSize, batchSize, 1...1_000_000)
        try range(.epochs, epochs, 1...1_000_000)
        if let maximumSteps { try range(.maximumSteps, maximumSteps, 1...1_000_000_000) }
        try number(.learningRate, learningRate, 0..<1_000)
        try number(.warmupRatio, warmupRatio, 0..<1.000001)
        try number(.weightDecay, weightDecay, 0..<1_000)
        guard betas.count == 2, betas.allSatisfy({ (0..<1).contains($0) }) else {
            throw ConfigurationError.invalid(key: "betas", value: "\(betas)", expected: "two numbers from 0 to below 1")
        }
        guard optimizer == .adamW || !shardsOptimizer else {
            throw ConfigurationError.invalid(key: "optimizer", value: optimizer.rawValue, expected: "adamw, where shards_optimizer is true")
        }
        try number(.epsilon, epsilon, 0..<1)
        try number(.gradientClip, gradientClip, 0..<1e9)
        try range(.tokensPerPass, tokensPerPass, 1...100_000_000)
        try range(.maximumTokens, maximumTokens, 1...100_000_000)
        try range(.checkpointEvery, checkpointEvery, 1...1_000_000_000)
        try range(.keepCheckpoints, keepCheckpoints, 1...1_000_000)
        if let validateEvery { try range(.validateEvery, validateEvery, 1...1_000_000_000) }
        if let adapter {
            try number(.adapter, Double(adapter.dropout), 0..<1)
            try range(.adapter, adapter.rank, 1...65_536)
        }
        if let extractor, !(0...1).contains(extractor.keepRate) || extractor.gap < 1 {
            throw ConfigurationError.invalid(
                key: "extractor", value: "gap \(extractor.gap), keepRate \(extractor.keepRate)",
                expected: "a gap of at least 1 and a keep rate from 0 to 1")
        }
        guard lossWeights.evidence == 0 || extractor != nil else {
            throw ConfigurationError.invalid(key: "loss_weights.evidence", value: "\(lossWeights.evidence)", expected: "0 where there is no extractor")
        }
        guard regulariser.temperature > 0, regulariser.gamma > 0, regulariser.weight >= 0 else {
            throw ConfigurationError.invalid(key: "lcmr", value: "\(regulariser)", expected: "temperature and gamma above 0")
        }
    }

    // MARK: Files

    /// Reads and checks the file; keys are in snake case (`batch_size`). Relative paths are relative to its folder.
    public static func load(_ path: String) throws -> TrainingConfiguration {
        let data: Data
        do { data = try Data(contentsOf: URL(fileURLWithPath: path)) } catch {
            throw ConfigurationError.unreadable(path: path, reason: "no such file, or no permission to read it")
        }
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        var configuration: TrainingConfiguration
        do { configuration = try decoder.decode(Self.self, from: data) } catch let error as DecodingError {
            let reason = error.summary, place = reason.prefix { $0 != ":" }
            throw ConfigurationError.unreadable(path: path, reason: written(String(place)) + reason.dropFirst(place.count))
        }
        let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
        configuration.model = MediaFolders.join(folder, configuration.model)
        configuration.output = MediaFolders.join(folder, configuration.output)
        configuration.cache = configuration.cache.map { MediaFolders.join(folder, $0) }
        configuration.data = configuration.data.map { $0.resolved(in: folder) }
        configuration.validation = configuration.validation.map { $0.resolved(in: folder) }
        try configuration.check()
        return configuration
    }

    /// As a file that ``load(_:)`` reads.
    public func json() throws -> Data {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return try encoder.encode(self)
    }
}
