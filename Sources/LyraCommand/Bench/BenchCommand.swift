// lyra bench: how fast every stage is on this machine.
import ArgumentParser
import Foundation
import Lyra
import LyraModel
import MLX

struct BenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Measure how fast every stage is on this machine.",
        discussion: """
            Prints a table for people and, as the last line, one JSON object for programs. With --preset a checkpoint with \
            random weights of the real sizes is made first, outside the measured time, and removed afterwards.

            Every number is the median of --repeat runs after one that is not counted. Rates are set against what the \
            machine can do: a large matrix product, and reading memory, both measured here. Operations are counted from \
            the configurations (a multiplication and an addition are two), without norms and activations.

            Stages: speech (one window: 30 s in the release), vision (448 x 448 pixels), prefill (512 and 2,048 tokens), decode (tokens \
            after --context others), generator and vocoder (spoken replies), reply (a spoken question, to first text \
            and first sound).

            With --train it measures steps of training on samples with a picture, one window of speech and text: small \
            sizes train from random weights, encoders and all; from mini on an adapter trains beside frozen weights. Shares \
            of the peak do not count what gradient checkpointing computes twice.

            Examples:
              lyra bench --preset mini
              lyra bench --train --preset nano
              lyra bench --model Lyra_Mini_3B --only prefill,decode --context 8192
              lyra bench --preset mini --keep | tail -1 | jq .decode_tokens_per_second
            """)

    enum BenchStage: String, CaseIterable { case speech, vision, prefill, decode, generator, vocoder, reply }

    @Option(help: "Sizes of the random checkpoint to measure.")
    var preset: Preset?

    @OptionGroup(title: "Model") var model: ModelOptions

    @Option(name: .customLong("repeat"), help: ArgumentHelp("Runs of which the median is taken.", valueName: "n"))
    var runs = 3

    @Option(
        help: ArgumentHelp(
            "Stages to measure, separated by commas. Default: \(BenchStage.allCases.map(\.rawValue).joined(separator: ",")).",
            valueName: "stages"))
    var only: String?

    @Option(help: ArgumentHelp("Prompt lengths to measure, separated by commas.", valueName: "tokens"))
    var lengths = "512,2048"

    @Option(help: ArgumentHelp("Tokens in the cache when new ones are measured.", valueName: "tokens"))
    var context = 512

    @Option(help: ArgumentHelp("New tokens per run.", valueName: "tokens"))
    var tokens = 32

    @Option(help: "Which adapter is active in prefill and decode.")
    var adapter = AdapterChoice.off

    @Flag(help: "Keep the random checkpoint in the cache folder, and use the one that is there.")
    var keep = false

    @Flag(help: "Measure steps of training instead: of nano, of nano at hidden size 512 and of mini, or of --preset.")
    var train = false

    func run() async throws {
        Log.start(verbose: model.verbose)
        let plan = try BenchPlan(self)
        if train {
            guard model.model == nil else { throw UsageError("--train measures random weights: give --preset instead of --model") }
            let bench = TrainBench(
                cases: preset.map { [TrainCase.named($0)] } ?? TrainCase.all, precision: model.precision ?? (Kernel.hasFastBFloat16 ? .bf16 : .f32), runs: plan.runs)
            return try Terminal.shared.write(try await bench.run())
        }
        guard (preset == nil) != (model.model == nil) || (preset == nil && (try? model.path()) != nil) else {
            throw UsageError("say what to measure: either --preset tiny|mini|base|pro or --model DIR")
        }
        var options = model
        var temporary: String?
        if let preset {
            let folder = try BenchCheckpoint.folder(preset, keep: keep)
            if !keep {
                temporary = folder
                PartialFiles.shared.expectFolder(folder)
            }
            try BenchCheckpoint.make(preset, in: folder)
            options.model = folder
        }
        defer { if let temporary { try? FileManager.default.removeItem(atPath: temporary) } }
        Machine.resetPeakMemory()
        let (lyra, loadSeconds) = try await options.open()
        var results = BenchResults(
            model: preset.map { "\($0.rawValue), random weights" } ?? lyra.location.model, precision: lyra.precision,
            adapter: plan.adapter, runs: runs)
        results.add("model load", key: "model_load_seconds", loadSeconds, unit: "s", note: "weights mapped, file cache warm")
        try await BenchRun(lyra: lyra, plan: plan).measure(into: &results)
        results.finish()
        try Terminal.shared.write(results.text + "\n" + (try results.json()) + "\n")
    }
}

/// What is to be measured.
struct BenchPlan: Sendable {
    let stages: Set<BenchCommand.BenchStage>
    let runs: Int
    let lengths: [Int]
    let context: Int
    let tokens: Int
    let adapter: Adapter?

    init(_ command: BenchCommand) throws {
        if let only = command.only {
            stages = try Set(
                only.split(separator: ",").map { word in
                    guard let stage = BenchCommand.BenchStage(rawValue: String(word).trimmed) else {
                        let known = BenchCommand.BenchStage.allCases.map(\.rawValue).joined(separator: ", ")
                        throw UsageError("--only: there is no stage '\(word)'; there are \(known)")
                    }
                    return stage
                })
        } else {
            stages = Set(BenchCommand.BenchStage.allCases)
        }
        guard (1...1_000).contains(command.runs) else { throw UsageError("--repeat is \(command.runs); give 1 to 1000") }
        guard (1...1_000_000).contains(command.context) else { throw UsageError("--context is \(command.context); give 1 or more tokens") }
        guard (1...100_000).contains(command.tokens) else { throw UsageError("--tokens is \(command.tokens); give 1 or more") }
        lengths = try command.lengths.split(separator: ",").map { word in
            guard let length = Int(String(word).trimmed), (1...1_000_000).contains(length) else {
                throw UsageError("--lengths: '\(word)' is no number of tokens; give e.g. 512,2048")
            }
            return length
        }
        (runs, context, tokens) = (command.runs, command.context, command.tokens)
        guard command.adapter != .automatic else {
            throw UsageError("--adapter auto has no meaning here; give off, speech or long_speech")
        }
        adapter = command.adapter.fixed
    }
}

/// The random checkpoint of a preset.
enum BenchCheckpoint {
    static func folder(_ preset: Preset, keep: Bool) throws -> String {
        let name = "lyra-bench-\(preset.rawValue)"
        guard keep else {
            return FileManager.default.temporaryDirectory.appendingPathComponent("\(name)-\(getpid())").path
        }
        let caches = try FileManager.default.url(for: .cachesDirectory, in: .userDomainMask, appropriateFor: nil, create: true)
        return caches.appendingPathComponent(name).path
    }

    /// Writes it, unless it is there already.
    static func make(_ preset: Preset, in folder: String) throws {
        guard !FileManager.default.fileExists(atPath: folder) else { return }
        let partial = "\(folder).\(getpid()).part"
        PartialFiles.shared.expectFolder(partial)
        let began = ContinuousClock.now
        try RandomCheckpoint.write(preset: preset, seed: 1, to: partial) { part, share in
            try Task.checkCancellation()
            let elapsed = (ContinuousClock.now - began) / .seconds(1)
            Terminal.shared.draw(
                ProgressLine(label: "writing random weights", fraction: share, elapsed: elapsed).text(columns: Terminal.columns))
        }
        try FileManager.default.moveItem(atPath: partial, toPath: folder)
        PartialFiles.shared.keepFolder(partial)
        Terminal.shared.clearProgress()
    }
}
