// Stages that train one network by itself, without the language model: which there are, and what all have in common.
import Foundation
import LyraModel

/// A stage outside the paper's four, for those who begin with random weights: a network that the release takes ready-made.
public enum PartStage: String, Sendable, Codable, CaseIterable {
    /// The speech encoder, on recordings with transcripts.
    case speechEncoder = "speech_encoder"
    /// The speech encoder with the projector, in the language model's words, on recordings that say when which word is said.
    case speechWords = "speech_words"
    /// The vision tower, on pictures with labelled regions.
    case visionTower = "vision_tower"
    /// The vocoder with its duration predictor, on recordings of one voice and their units.
    case vocoder

    /// The stage that a configuration file names; nil if it is none of these.
    /// - Throws: `ConfigurationError` if the file cannot be read.
    public init?(of path: String) throws {
        struct Header: Decodable { var stage: String }
        let header = try PartSettings.read(Header.self, path)
        self.init(rawValue: header.stage)
    }
}

/// How a network is trained; the keys are those of ``TrainingConfiguration``.
public struct PartSettings: Sendable, Equatable {
    /// A checkpoint in the release's layout to start from.
    public var model = ""
    /// Folder for checkpoints, metrics and the result.
    public var output = ""
    public var data: [DataSource] = []
    /// Data that is only measured on.
    public var validation: [DataSource] = []
    public var batchSize: Int
    public var steps: Int
    public var learningRate: Double
    public var schedule: LearningRateSchedule = .cosine
    /// Share of all steps over which the learning rate rises.
    public var warmupRatio = 0.03
    public var weightDecay = 0.0
    public var optimizer = OptimizerKind.adamW
    public var betas: [Double]
    public var epsilon = 1e-8
    /// Largest norm of all gradients together; longer ones are scaled down to it. 0: never.
    public var gradientClip = 1.0
    /// Of products; weights and the optimiser stay float32.
    public var precision = Precision.fastest
    public var seed: UInt64 = 0
    public var checkpointEvery = 500
    public var keepCheckpoints = 2
    public var validateEvery: Int? = 500
    /// Recordings decoded at a time, beside the training itself.
    public var loadingThreads = 1

    init(batchSize: Int, steps: Int, learningRate: Double, betas: [Double] = [0.9, 0.98]) {
        (self.batchSize, self.steps, self.learningRate, self.betas) = (batchSize, steps, learningRate, betas)
    }

    enum CodingKeys: String, CodingKey, CaseIterable {
        case model, output, data, validation, batchSize, steps, learningRate, schedule, warmupRatio, weightDecay, optimizer, betas, epsilon
        case gradientClip, precision, seed, checkpointEvery, keepCheckpoints, validateEvery, loadingThreads
    }

    mutating func read(_ decoder: any Swift.Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        model = try values.decode(String.self, forKey: .model)
        output = try values.decode(String.self, forKey: .output)
        data = try values.decode([DataSource].self, forKey: .data)
        try values.read(.validation, &validation)
        try values.read(.batchSize, &batchSize)
        try values.read(.steps, &steps)
        try values.read(.learningRate, &learningRate)
        try values.read(.schedule, &schedule)
        try values.read(.warmupRatio, &warmupRatio)
        try values.read(.weightDecay, &weightDecay)
        try values.read(.optimizer, &optimizer)
        try values.read(.betas, &betas)
        try values.read(.epsilon, &epsilon)
        try values.read(.gradientClip, &gradientClip)
        try values.read(.precision, &precision)
        try values.read(.seed, &seed)
        try values.read(.checkpointEvery, &checkpointEvery)
        try values.read(.keepCheckpoints, &keepCheckpoints)
        if values.contains(.validateEvery) { validateEvery = try values.decodeIfPresent(Int.self, forKey: .validateEvery) }
        try values.read(.loadingThreads, &loadingThreads)
    }

    func write(_ encoder: any Swift.Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(model, forKey: .model)
        try values.encode(output, forKey: .output)
        try values.encode(data, forKey: .data)
        try values.encode(validation, forKey: .validation)
        try values.encode(batchSize, forKey: .batchSize)
        try values.encode(steps, forKey: .steps)
        try values.encode(learningRate, forKey: .learningRate)
        try values.encode(schedule, forKey: .schedule)
        try values.encode(warmupRatio, forKey: .warmupRatio)
        try values.encode(weightDecay, forKey: .weightDecay)
        try values.encode(optimizer, forKey: .optimizer)
        try values.encode(betas, forKey: .betas)
        try values.encode(epsilon, forKey: .epsilon)
        try values.encode(gradientClip, forKey: .gradientClip)
        try values.encode(precision, forKey: .precision)
        try values.encode(seed, forKey: .seed)
        try values.encode(checkpointEvery, forKey: .checkpointEvery)
        try values.encode(keepCheckpoints, forKey: .keepCheckpoints)
        try values.encodeIfPresent(validateEvery, forKey: .validateEvery)
        try values.encode(loadingThreads, forKey: .loadingThreads)
    }

    func check() throws {
        for (key, text) in [("model", model), ("output", output)] where text.isEmpty {
            throw ConfigurationError.invalid(key: key, value: "empty", expected: "a folder")
        }
        guard !data.isEmpty else { throw ConfigurationError.invalid(key: "data", value: "empty", expected: "at least one data file") }
        try Self.range("batch_size", Double(batchSize), 1...100_000)
        try Self.range("steps", Double(steps), 1...1e9)
        try Self.range("learning_rate", learningRate, 0...1_000)
        try Self.range("warmup_ratio", warmupRatio, 0...1)
        try Self.range("weight_decay", weightDecay, 0...1_000)
        guard betas.count == 2, betas.allSatisfy({ (0..<1).contains($0) }) else {
            throw ConfigurationError.invalid(key: "betas", value: "\(betas)", expected: "two numbers from 0 to below 1")
        }
        try Self.range("epsilon", epsilon, 0...1)
        try Self.range("gradient_clip", gradientClip, 0...1e9)
        try Self.range("checkpoint_every", Double(checkpointEvery), 1...1e9)
        try Self.range("keep_checkpoints", Double(keepCheckpoints), 1...1e6)
        if let validateEvery { try Self.range("validate_every", Double(validateEvery), 1...1e9) }
        try Self.range("loading_threads", Double(loadingThreads), 1...256)
    }

    /// The same with all paths absolute; relative ones are relative to `folder`.
    mutating func resolve(in folder: String) {
        model = MediaFolders.join(folder, model)
        output = MediaFolders.join(folder, output)
        data = data.map { $0.resolved(in: folder) }
        validation = validation.map { $0.resolved(in: folder) }
    }

    /// Factor of the learning rate at a step, counted from 0.
    func rateFactor(_ step: Int) -> Double {
        schedule.factor(step: step, warmup: Int((warmupRatio * Double(steps)).rounded(.up)), steps: steps)
    }
}

/// The configuration file of such a stage: snake case, relative paths, no unknown keys.
protocol PartConfiguration: CheckedConfiguration {
    var settings: PartSettings { get set }
    init()
    /// Makes relative paths absolute.
    mutating func resolve(in folder: String)
}

extension PartConfiguration {
    mutating func resolve(in folder: String) { settings.resolve(in: folder) }

    /// Reads and checks the file. Relative paths are relative to its folder.
    public static func load(_ path: String) throws -> Self {
        var configuration = try PartSettings.read(Self.self, path)
        configuration.resolve(in: URL(fileURLWithPath: path).deletingLastPathComponent().path)
        try configuration.check()
        return configuration
    }
}

extension PartSettings {
    static func read<T: Decodable>(_ type: T.Type, _ path: String) throws -> T {
        let data: Data
        do { data = try Data(contentsOf: URL(fileURLWithPath: path)) } catch {
            throw ConfigurationError.unreadable(path: path, reason: "no such file, or no permission to read it")
        }
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        do { return try decoder.decode(type, from: data) } catch let error as DecodingError {
            throw ConfigurationError.unreadable(path: path, reason: error.summary)
        }
    }

    static func json(_ value: some Encodable) throws -> Data {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return try encoder.encode(value)
    }

    /// Refuses keys that are not known: most likely they are misspelt, and their defaults would silently be used instead.
    static func refuseUnknown(_ decoder: any Swift.Decoder, known: [String]) throws {
        let given = try decoder.container(keyedBy: AnyKey.self).allKeys.map(\.stringValue)
        if let unknown = given.sorted().first(where: { !known.contains($0) && !$0.hasPrefix("_") }) {
            throw ConfigurationError.invalid(key: unknown, value: "given", expected: "one of \(known.sorted().joined(separator: ", "))")
        }
    }

    static func range(_ key: String, _ value: Double, _ range: ClosedRange<Double>) throws {
        guard range.contains(value) else {
            throw ConfigurationError.invalid(
                key: key, value: "\(value)", expected: "a number from \(range.lowerBound) to \(range.upperBound)")
        }
    }

    private struct AnyKey: CodingKey {
        var stringValue: String
        var intValue: Int? { nil }
        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }
}

extension KeyedDecodingContainer {
    /// Leaves the value as it is where the key is not given.
    func read<T: Decodable>(_ key: Key, _ value: inout T) throws {
        if let given = try decodeIfPresent(T.self, forKey: key) { value = given }
    }
}
