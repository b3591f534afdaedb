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
    /// - Returns: files and folders written.
    public static func run(
        _ stage: PartStage, _ path: String, overrides: PartOverrides = PartOverrides(), resume: Bool,
        report: @escaping (PartEvent) -> Void = { _ in }
    ) async throws -> [String] {
        switch stage {
        case .speechEncoder:
            var configuration = try SpeechEncoderConfiguration.load(path)
            overrides.apply(to: &configuration.settings)
            try configuration.check()
            let training = try SpeechEncoderTraining(configuration)
            return try await PartRun(
                settings: configuration.settings, training: training, configuration: PartConfiguration.json(configuration),
                report: report
            ).run(resume: resume)
        case .vocoder:
            var configuration = try VocoderTrainingConfiguration.load(path)
            overrides.apply(to: &configuration.settings)
            try configuration.check()
            let training = try VocoderTraining(configuration)
            return try await PartRun(
                settings: configuration.settings, training: training, configuration: PartConfiguration.json(configuration),
                report: report
            ).run(resume: resume)
        }
    }

    /// The settings of a stage with every key, as a file to start from.
    public static func template(_ stage: PartStage, _ preset: Preset) throws -> Data {
        let name = preset.configurations.name
        func fill(_ settings: inout PartSettings, _ data: String) {
            (settings.model, settings.output) = ("work_dirs/\(name)", "runs/\(stage.rawValue)")
            settings.data = [DataSource("data/\(data)")]
        }
        switch stage {
        case .speechEncoder:
            var configuration = SpeechEncoderConfiguration()
            fill(&configuration.settings, "speech.jsonl")
            return try PartConfiguration.json(configuration)
        case .vocoder:
            var configuration = VocoderTrainingConfiguration()
            fill(&configuration.settings, "voice.jsonl")
            configuration.settings.data[0].unitsFile = "data/units.txt"
            return try PartConfiguration.json(configuration)
        }
    }
}
