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
            and first sound). Two take long and are measured when they are named: contexts (prefill, tokens a second and \
            memory for contexts of growing length, without and with the extractor at (4, 0.8) and (4, 0.7)), and recording \
            (a recording of --recording minutes, its first question, the next one, and one in another conversation).

            With --formats or --threads every combination is measured in a process of its own. Formats: f32, bf16, int8 \
            (the checkpoint in that precision), 8bit, 4bit (a quantised copy), 8bit-int8, 4bit-int8 (its products in 8-bit \
            integers).

            With --train it measures steps of training on samples with a picture, one window of speech and text: small \
            sizes train from random weights, encoders and all; from mini on an adapter trains beside frozen weights. Shares \
            of the peak do not count what gradient checkpointing computes twice.

            Examples:
              lyra bench --preset mini
              lyra bench --preset mini --formats bf16,8bit,4bit --only prefill,decode
              lyra bench --model Lyra_Mini_3B --only contexts --contexts 2048,32768
              lyra bench --preset mini --formats 4bit --only recording --recording 120
              lyra bench --preset mini > before.txt; lyra bench --preset mini --compare before.txt
              lyra bench --train --preset nano
            """)

    enum BenchStage: String, CaseIterable {
        case speech, vision, prefill, decode, generator, vocoder, reply, contexts, recording
        static let usual: [BenchStage] = [.speech, .vision, .prefill, .decode, .generator, .vocoder, .reply]
    }

    @Option(help: "Sizes of the random checkpoint to measure.")
    var preset: Preset?

    @OptionGroup(title: "Model") var model: ModelOptions

    @Option(name: .customLong("repeat"), help: ArgumentHelp("Runs of which the median is taken.", valueName: "n"))
    var runs = 3

    @Option(
        help: ArgumentHelp(
            "Stages to measure, separated by commas. Default: \(BenchStage.usual.map(\.rawValue).joined(separator: ",")).",
            valueName: "stages"))
    var only: String?

    @Option(help: ArgumentHelp("Prompt lengths to measure, separated by commas.", valueName: "tokens"))
    var lengths = "512,2048"

    @Option(help: ArgumentHelp("Tokens in the cache when new ones are measured.", valueName: "tokens"))
    var context = 512

    @Option(help: ArgumentHelp("New tokens per run.", valueName: "tokens"))
    var tokens = 32

    @Option(help: ArgumentHelp("Forms of weights to measure, separated by commas. Default: as the checkpoint is.", valueName: "formats"))
    var formats: String?

    @Option(help: ArgumentHelp("Thread counts to measure, separated by commas. Default: one a processor.", valueName: "counts"))
    var threads: String?

    @Option(help: ArgumentHelp("Lengths of context for the stage contexts.", valueName: "tokens"))
    var contexts = "2048,4096,8192,16384,32768"

    @Option(help: ArgumentHelp("Length of the recording for the stage recording.", valueName: "minutes"))
    var recording = 120

    @Option(help: ArgumentHelp("The extractor for the stage recording: blocks and share kept, or off.", valueName: "n,rho"))
    var extract = "4,0.7"

    @Option(help: ArgumentHelp("Results of an earlier run, to print ratios against.", valueName: "file"))
    var compare: String?

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
                cases: preset.map { [TrainCase.named($0)] } ?? TrainCase.all, precision: model.precision ?? .fastest, runs: plan.runs)
            return try Terminal.shared.write(try await bench.run())
        }
        guard preset == nil || model.model == nil else { throw UsageError("say what to measure: either --preset or --model DIR") }
        let earlier = try compare.map { try BenchFile.load($0) }
        let formats = try formats.map { try BenchFormat.list($0) } ?? []
        let counts = try threads.map { try BenchPlan.counts($0, "--threads", 1...4_096) } ?? []
        var options = model
        var temporary: [String] = []
        func expect(_ folder: String) {
            temporary.append(folder)
            PartialFiles.shared.expectFolder(folder)
        }
        if let preset {
            let folder = try BenchCheckpoint.folder(preset, keep: keep)
            if !keep { expect(folder) }
            try BenchCheckpoint.make(preset, in: folder)
            options.model = folder
        }
        defer { for folder in temporary { try? FileManager.default.removeItem(atPath: folder) } }
        let results: [[String: Any]]
        if formats.count > 1 || formats.contains(where: { $0.bits != nil }) || !counts.isEmpty {
            let path = try options.path()
            let copies = keep && preset != nil ? path + "-formats" : FileManager.default.temporaryDirectory.appendingPathComponent("lyra-bench-\(getpid())-formats").path
            if !keep || preset == nil { expect(copies) }
            try FileManager.default.createDirectory(atPath: copies, withIntermediateDirectories: true)
            let forms: [BenchFormat?] = formats.isEmpty ? [nil] : formats, teams: [Int?] = counts.isEmpty ? [nil] : counts
            let members = forms.flatMap { format in teams.map { BenchSeries.Member(format: format, threads: $0) } }
            results = try await BenchSeries(members: members).run { member in
                try arguments(model: member.format?.checkpoint(path, in: copies) ?? path, precision: member.format?.precision)
            }
        } else {
            if let format = formats.first { options.precision = format.precision }
            results = [try await measure(plan, options)]
        }
        if let earlier { try Terminal.shared.write(BenchFile.ratios(results, earlier) + "\n") }
        try Terminal.shared.write(try BenchResults.json(results.count == 1 ? results[0] : ["runs": results]) + "\n")
    }

    /// Measures in this process and prints the table.
    private func measure(_ plan: BenchPlan, _ options: ModelOptions) async throws -> [String: Any] {
        Machine.resetPeakMemory()
        let (lyra, loadSeconds) = try await options.open()
        var results = BenchResults(
            model: preset.map { "\($0.rawValue), random weights" } ?? lyra.location.model, precision: lyra.precision,
            adapter: plan.adapter, runs: runs)
        results.add("model load", key: "model_load_seconds", loadSeconds, unit: "s", note: "weights mapped, file cache warm")
        try await BenchRun(lyra: lyra, plan: plan).measure(into: &results)
        results.finish()
        try Terminal.shared.write(results.text + "\n")
        return results.values
    }

    /// The same measurement of one checkpoint, for a process of its own.
    private func arguments(model path: String, precision: Precision?) -> [String] {
        var list = [
            "bench", "--model", path, "--repeat", "\(runs)", "--lengths", lengths, "--context", "\(context)", "--tokens", "\(tokens)",
            "--adapter", adapter.rawValue, "--contexts", contexts, "--recording", "\(recording)", "--extract", extract,
        ]
        if let precision = precision ?? model.precision { list += ["--precision", precision.rawValue] }
        if model.kvCache != .exact { list += ["--kv-cache", model.kvCache.rawValue] }
        if let only { list += ["--only", only] }
        for (name, value) in [("--vision-tower", model.visionTower), ("--speech-tower", model.speechTower), ("--vocoder", model.vocoder)] {
            if let value { list += [name, value] }
        }
        return list
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
    let contexts: [Int]
    let recordingMinutes: Int
    let recordingExtraction: BenchExtraction?

    /// "512,2048"
    static func counts(_ text: String, _ option: String, _ range: ClosedRange<Int>) throws -> [Int] {
        try text.split(separator: ",").map { word in
            guard let count = Int(String(word).trimmed), range.contains(count) else {
                throw UsageError("\(option): '\(word)' is no number from \(range.lowerBound) to \(range.upperBound)")
            }
            return count
        }
    }

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
            stages = Set(BenchCommand.BenchStage.usual)
        }
        guard (1...1_000).contains(command.runs) else { throw UsageError("--repeat is \(command.runs); give 1 to 1000") }
        guard (1...1_000_000).contains(command.context) else { throw UsageError("--context is \(command.context); give 1 or more tokens") }
        guard (1...100_000).contains(command.tokens) else { throw UsageError("--tokens is \(command.tokens); give 1 or more") }
        lengths = try Self.counts(command.lengths, "--lengths", 1...1_000_000)
        contexts = try Self.counts(command.contexts, "--contexts", 32...1_000_000)
        guard (1...2_200).contains(command.recording) else { throw UsageError("--recording is \(command.recording); give 1 to 2200 minutes") }
        recordingMinutes = command.recording
        if command.extract == "off" {
            recordingExtraction = nil
        } else {
            guard let found = ExtractArgument(argument: command.extract) else {
                throw UsageError("--extract: '\(command.extract)' is neither off nor like 4,0.7")
            }
            try found.check()
            recordingExtraction = BenchExtraction(blocks: found.blocks, keepRate: found.keepRate)
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
        let progress = ShareProgress()
        try RandomCheckpoint.write(preset: preset, seed: 1, to: partial) { part, share in
            try progress.show("writing random weights", share)
        }
        try FileManager.default.moveItem(atPath: partial, toPath: folder)
        PartialFiles.shared.keepFolder(partial)
        Terminal.shared.clearProgress()
    }
}
