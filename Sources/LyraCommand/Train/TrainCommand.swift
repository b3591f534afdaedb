// lyra train: runs one stage of training from a configuration file.
import ArgumentParser
import Foundation
import Lyra
import LyraModel
import LyraTraining
import MLX
import Logging

/// A stage of the paper's, or one that trains a network by itself.
enum StageArgument: ExpressibleByArgument {
    case model(TrainingStage)
    case part(PartStage)

    /// "joint", or as the paper numbers them: "stage2".
    init?(argument: String) {
        let numbered: [String: TrainingStage] = [
            "stage1": .alignment, "stage2": .joint, "stage3": .longSpeech, "stage4": .speechGenerator,
        ]
        let name = argument.replacingOccurrences(of: "-", with: "_")
        if let stage = numbered[argument] ?? TrainingStage(rawValue: name) { self = .model(stage) }
        else if let stage = PartStage(rawValue: name) { self = .part(stage) }
        else { return nil }
    }
    static var allValueStrings: [String] { PartStage.allCases.map(\.rawValue) + TrainingStage.allCases.map(\.rawValue) }
}

struct TrainCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "train",
        abstract: "Train: the four stages of the paper, or everything from random weights.",
        discussion: """
            A run is described by a JSON file; --print-config writes one with the paper's settings to start from. Options \
            given here take precedence over the file. Checkpoints, metrics.jsonl, losses.svg and the result go into the \
            configuration's output folder. Ctrl-C stops after the step at hand and leaves a checkpoint; --resume goes on \
            from the newest one, also after a crash, with the same steps that would have followed. With --maximum-steps it \
            ends earlier or later; where that is no more than what is done, it only writes the result.

              speech-encoder    the speech encoder alone, from random weights (lyra new), by spelling what it hears
              vocoder           the vocoder alone, from recordings of one voice and their units (lyra data units)
              pretrain          every part, from random weights
              stage1, alignment         the speech projector
              stage2, joint             the projector and a LoRA adapter, with the cross-modality regulariser
              stage3, long-speech       the same for long speech
              stage4, speech-generator  the speech generator

            Examples:
              lyra train --print-config stage2 --preset mini > stage2.json
              lyra train stage2.json
              lyra train stage2.json --resume
              lyra train stage2.json --resume --maximum-steps 1   (take what there is)
              mpirun -n 2 lyra train stage2.json
            """)

    @Argument(help: "The run's configuration file.")
    var file: String?

    @Option(help: ArgumentHelp("Write the settings of a stage and stop: \(StageArgument.allValueStrings.joined(separator: ", ")).", valueName: "stage"))
    var printConfig: StageArgument?

    @Option(help: "With --print-config: size of the model the settings are for.")
    var preset: Preset = .mini

    @Flag(help: "Go on from the newest checkpoint in the output folder.")
    var resume = false

    @Option(help: ArgumentHelp("Checkpoint to start from.", valueName: "dir"))
    var model: String?

    @Option(help: ArgumentHelp("Where the run writes.", valueName: "dir"))
    var output: String?

    @Option(help: ArgumentHelp("Data files, instead of the configuration's.", valueName: "file"))
    var data: [String] = []

    @Option(help: ArgumentHelp("Stop after this many steps.", valueName: "n"))
    var maximumSteps: Int?

    @Option(help: ArgumentHelp("Base learning rate.", valueName: "rate"))
    var learningRate: Double?

    @Option(help: ArgumentHelp("Samples a step.", valueName: "n"))
    var batchSize: Int?

    @Option(help: ArgumentHelp("Seed of the order of samples, new adapters and dropout.", valueName: "n"))
    var seed: UInt64?

    @Flag(help: "Write the adapter's projector as the release does, as non_lora_trainables.bin.")
    var releaseLayout = false

    @Flag(help: "Train the speech generator one token off, as the original does, for its checkpoints.")
    var compat = false

    @Flag(help: "Say what is loaded and skipped.")
    var verbose = false

    func run() async throws {
        Log.start(verbose: verbose)
        if let printConfig {
            let json = switch printConfig {
            case .model(let stage): try TrainingPresets.json(stage, preset)
            case .part(let stage): try PartTrainer.template(stage, preset)
            }
            return try Terminal.shared.write(String(decoding: json, as: UTF8.self) + "\n")
        }
        guard let file else { throw UsageError("name a configuration file, or write one with --print-config") }
        guard FileManager.default.fileExists(atPath: file) else { throw MissingInput("no file at \(file)") }
        Memory.keepFreed()
        // A step can take long, and its checkpoint longer.
        Interrupts.allow(seconds: 600, saying: "stopping after this step, with a checkpoint; Ctrl-C again to stop at once")
        let group = try ProcessGroup.launched()
        if let stage = try PartStage(of: file) { try await train(stage, file, group) } else { try await train(configured(file), group) }
        // Not after a failure: it waits for the others, who would wait for this process.
        try DistributedGroup.leave()
    }

    private func configured(_ file: String) throws -> TrainingConfiguration {
        var configuration = try TrainingConfiguration.load(file)
        if let model { configuration.model = model }
        if let output { configuration.output = output }
        if !data.isEmpty { configuration.data = data.map { DataSource($0) } }
        if let maximumSteps { configuration.maximumSteps = maximumSteps }
        if let learningRate { configuration.learningRate = learningRate }
        if let batchSize { configuration.batchSize = batchSize }
        if let seed { configuration.seed = seed }
        if releaseLayout { configuration.releaseLayout = true }
        if compat { configuration.compatible = true }
        return configuration
    }

    private func train(_ stage: PartStage, _ file: String, _ group: ProcessGroup) async throws {
        var overrides = PartOverrides()
        (overrides.model, overrides.output, overrides.data) = (model, output, data)
        (overrides.steps, overrides.learningRate, overrides.batchSize, overrides.seed) = (maximumSteps, learningRate, batchSize, seed)
        let progress = group.isFirst ? PartProgress() : nil
        let written = try await PartTrainer.run(stage, file, overrides: overrides, resume: resume, group: group) { progress?.show($0) }
        progress?.finish(written)
    }

    private func train(_ configuration: TrainingConfiguration, _ group: ProcessGroup) async throws {
        let progress = group.isFirst ? TrainingProgress() : nil
        let trainer = try await withSpinner("loading \(configuration.model)") {
            try await Trainer(configuration, resume: resume, group: group) { progress?.show($0) }
        }
        let summary = try await trainer.run()
        progress?.finish(summary)
    }
}

/// The progress line of a run, and what is worth a line of its own.
final class TrainingProgress {
    private let began = ContinuousClock.now
    private var done = 0
    private var first = 0
    private let isTerminal = Terminal.shared.errorIsTerminal

    func show(_ event: TrainingEvent) {
        switch event {
        case .began(let run):
            first = run.done
            Terminal.shared.say(
                "\(run.samples) samples, \(run.steps) steps, \(run.trainableParameters) parameters train in \(run.trainableTensors) tensors"
                    + (run.done > 0 ? "; going on after step \(run.done)" : ""))
        case .skipped(let id, let reason): Terminal.shared.say("left out \(id): \(reason)")
        case .step(let step, let total):
            let elapsed = (ContinuousClock.now - began) / .seconds(1)
            let label = Self.text(step)
            Terminal.shared.draw(
                ProgressLine(
                    label: label, fraction: Double(step.step - first) / Double(max(1, total - first)),
                    count: "\(step.step)/\(total)", rate: String(format: "%.0f tokens/s", Double(step.tokens) / max(1e-9, step.seconds)),
                    elapsed: elapsed
                ).text(columns: Terminal.columns))
            if let validation = step.validation {
                Terminal.shared.say(
                    String(
                        format: "step %d: validation loss %.4f, token accuracy %.2f %%", step.step, validation.losses.total,
                        100 * validation.accuracy))
            }
            // Without a terminal there is no progress line: a line now and then.
            if !isTerminal, step.step % max(1, total / 20) == 0 { Terminal.shared.say("step \(step.step)/\(total)  \(label)") }
        case .checkpoint(let step, let path): Log.command.debug("checkpoint of step \(step) in \(path)")
        }
    }

    private static func text(_ step: StepMetrics) -> String {
        let losses = step.losses
        var text = String(format: "loss %.4f", losses.total)
        let parts = [("LCMR", losses.regulariser), ("CTC", losses.speech), ("evidence", losses.evidence)].filter { $0.1 != 0 }
        if !parts.isEmpty {
            text += " (" + (losses.answer != 0 ? [("CE", losses.answer)] + parts : parts).map { String(format: "\($0) %.4f", $1) }.joined(separator: " ") + ")"
        }
        return text + String(format: "  lr %.2e", step.learningRate)
    }

    func finish(_ summary: TrainingSummary) {
        Terminal.shared.clearProgress()
        if let last = summary.last { Terminal.shared.say("step \(summary.steps): \(Self.text(last))") }
        if summary.skipped > 0 { Terminal.shared.say("\(summary.skipped) samples were left out") }
        for path in summary.written { try? Terminal.shared.write(path + "\n") }
    }
}
