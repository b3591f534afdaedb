// Runs a stage that trains one network by itself, from its configuration file.
import Foundation
import LyraModel

/// Where what a run is told beside its file goes.
public struct PartOverrides: Sendable {
    public var model, output: String?
    public var data: [String] = []
    public var steps: Int?
    public var learningRate: Double?
    public var batchSize: Int?
    public var seed: UInt64?

    public init() {}

    func apply(to settings: inout PartSettings) {
        if let model { settings.model = model }
        if let output { settings.output = output }
        if !data.isEmpty { settings.data = data.map { DataSource($0) } }
        if let steps { settings.steps = steps }
        if let learningRate { settings.learningRate = learningRate }
        if let batchSize { settings.batchSize = batchSize }
        if let seed { settings.seed = seed }
    }
}

public enum PartTrainer {
    /// Trains to the end and writes the result. Cancellation stops after the step at hand, with a checkpoint.
    /// - Parameter group: the processes that share every batch, of which the first writes.
    /// - Returns: files and folders written.
    public static func run(
        _ stage: PartStage, _ path: String, overrides: PartOverrides = PartOverrides(), resume: Bool, group: ProcessGroup = ProcessGroup(),
        report: @escaping (PartEvent) -> Void = { _ in }
    ) async throws -> [String] {
        func run<C: PartConfiguration>(_ begin: (C) throws -> some PartTraining) async throws -> [String] {
            var configuration = try C.load(path)
            overrides.apply(to: &configuration.settings)
            try configuration.check()
            try group.checkShares(of: configuration.settings.batchSize)
            return try await PartRun(
                settings: configuration.settings, group: group, training: begin(configuration), configuration: PartSettings.json(configuration),
                report: report
            ).run(resume: resume)
        }
        return switch stage {
        case .speechEncoder: try await run(SpeechEncoderTraining.init)
        case .speechWords: try await run(SpeechWordsTraining.init)
        case .visionTower: try await run(VisionTowerTraining.init)
        case .vocoder: try await run(VocoderTraining.init)
        }
    }

    /// The settings of a stage with every key, as a file to start from.
    public static func template(_ stage: PartStage, _ preset: Preset) throws -> Data {
        let name = preset.configurations.name
        func filled<C: PartConfiguration>(_ configuration: C, _ data: String, unitsFile: String? = nil) throws -> Data {
            var configuration = configuration
            (configuration.settings.model, configuration.settings.output) = ("work_dirs/\(name)", "runs/\(stage.rawValue)")
            configuration.settings.data = [DataSource("data/\(data)", unitsFile: unitsFile)]
            return try PartSettings.json(configuration)
        }
        return switch stage {
        case .speechEncoder: try filled(SpeechEncoderConfiguration(), "speech.jsonl")
        case .speechWords: try filled(SpeechEncoderConfiguration(.speechWords), "speech.words.jsonl")
        case .visionTower: try filled(VisionTowerConfiguration(), "pictures.jsonl")
        case .vocoder: try filled(VocoderTrainingConfiguration(), "voice.jsonl", unitsFile: "data/units.txt")
        }
    }
}
