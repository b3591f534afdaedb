// lyra eval BENCHMARK and lyra eval all.
import ArgumentParser
import Foundation
import Lyra
import LyraEvaluation
import LyraModel

struct EvalRunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Run a benchmark ('run' may be left out).",
        discussion: """
            Asks all questions of a benchmark, scores the replies and writes into the output folder: items.jsonl (a line for each \
            item, as it is done), summary.json, report.html, and what has to be handed in elsewhere. Prints a table, and the \
            summary as one line of JSON last. A run that ended early, in whatever way, is gone on with by --resume. Items that \
            cannot be read are reported, counted and left out of the score.

            Examples:
              lyra eval run librispeech --model M --data data/Lyra_Eval
              lyra eval nano --model models/nano --data data/nano
              lyra eval needle --model M --data D --extract 4,0.7 \\
                   --lengths 450,900 --depths 0,50,100
              lyra eval mmvet-speech --model M --data D \\
                   --judge http://localhost:8000/v1 --judge-model judge
              lyra eval mme --model M --data D --limit 100 --out /tmp/mme
              lyra eval mme --model M --data D --out /tmp/mme --shard 2/8
            """)

    @Argument(help: "Which benchmark: \(Benchmarks.all.map(\.name).joined(separator: ", ")).")
    var benchmark: String

    @OptionGroup(title: "Model") var model: ModelOptions

    @Option(help: ArgumentHelp("Folder of the evaluation data, or of this benchmark's.", valueName: "dir"))
    var data: String

    @Option(help: ArgumentHelp("Ask about this many items at most, taken evenly from all.", valueName: "n"))
    var limit: Int?

    @Option(help: ArgumentHelp("Where to write. Default: output/eval/BENCHMARK-MODEL.", valueName: "dir"))
    var out: String?

    @Flag(help: "Go on with the run in the output folder.")
    var resume = false

    @Option(help: ArgumentHelp("Do a part, so that several processes share a run: 1/8 to 8/8. The last to end has the whole result.", valueName: "k/n"))
    var shard: ShardArgument?

    @OptionGroup(title: "Replies") var reply: EvalReplyOptions

    @OptionGroup(title: "Judge") var judge: JudgeOptions

    @OptionGroup(title: "Benchmark") var options: BenchmarkOptions

    func run() async throws {
        Log.start(verbose: model.verbose)
        let info: BenchmarkInfo
        do { info = try Benchmarks.named(benchmark) } catch { throw UsageError(error.localizedDescription) }
        let plan = try EvalPlan(self)
        let folder = try plan.folder(of: info)
        let prepared = try plan.prepare(info, folder, options.values(for: info, strict: true))
        let (lyra, _) = try await model.open()
        let target = out ?? "output/eval/\(info.name)-\((lyra.location.model as NSString).lastPathComponent)"
        let summary = try await plan.run(prepared, lyra, into: target, resume: resume, shard: shard?.shard)
        let run = try ReportRun(target)
        try EvalOutput.write(HTMLReport([run]).html(), to: "\(target)/\(RunFolder.reportName)")
        try Terminal.shared.write(EvalOutput.table([run]))
        Terminal.shared.say("\(target)/\(RunFolder.reportName)")
        try Terminal.shared.write(try JSONText.encode(summary) + "\n")
        if summary.failed == summary.items { throw NothingScored(items: summary.items, first: summary.failures.first?.error ?? "") }
    }
}

/// "2/8"
struct ShardArgument: ExpressibleByArgument {
    let shard: Shard

    init?(argument: String) {
        let parts = argument.split(separator: "/").map { Int($0) }
        guard parts.count == 2, let number = parts[0], let count = parts[1], let shard = Shard(number: number, of: count) else { return nil }
        self.shard = shard
    }
}

struct EvalAllCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "all",
        abstract: "Run every benchmark whose data are there.",
        discussion: """
            Runs one benchmark after the other, each in a folder of its own, and writes one report about all. Data sets that are \
            not there are named, with where to get them and how to lay them out. Called again with --resume it goes on, and \
            takes in data that have come meanwhile.

            Examples:
              lyra eval all --model M --data data/Lyra_Eval --out results/M
              lyra eval all --model M --data data/Lyra_Eval --out results/M --resume
            """)

    @OptionGroup(title: "Model") var model: ModelOptions

    @Option(help: ArgumentHelp("Folder of the evaluation data.", valueName: "dir"))
    var data: String

    @Option(help: ArgumentHelp("Ask about this many items of each benchmark at most.", valueName: "n"))
    var limit: Int?

    @Option(help: ArgumentHelp("Where to write. Default: output/eval/MODEL.", valueName: "dir"))
    var out: String?

    @Flag(help: "Go on with the runs in the output folder.")
    var resume = false

    @Option(help: ArgumentHelp("Only these benchmarks, with commas between them.", valueName: "list"))
    var only: String?

    @OptionGroup(title: "Replies") var reply: EvalReplyOptions

    @OptionGroup(title: "Judge") var judge: JudgeOptions

    @OptionGroup(title: "Benchmarks") var options: BenchmarkOptions

    func run() async throws {
        Log.start(verbose: model.verbose)
        let plan = try EvalPlan(self)
        var wanted = Benchmarks.all
        if let only {
            do { wanted = try only.split(separator: ",").map { try Benchmarks.named(String($0)) } } catch {
                throw UsageError(error.localizedDescription)
            }
        }
        var missing: [(name: String, why: String)] = [], found: [PreparedBenchmark] = []
        for info in wanted {
            do {
                found.append(try plan.prepare(info, try plan.folder(of: info), try options.values(for: info, strict: false)))
            } catch let error as MissingInput {
                missing.append((info.name, error.message))
            } catch let error as EvaluationError {
                missing.append((info.name, error.localizedDescription))
            }
        }
        for (name, why) in missing { Terminal.shared.say("not run: \(name)\n" + why.split(separator: "\n").map { "    \($0)" }.joined(separator: "\n")) }
        guard !found.isEmpty else { throw MissingInput("no benchmark's data are in \(data)") }

        let (lyra, _) = try await model.open()
        let target = out ?? "output/eval/\((lyra.location.model as NSString).lastPathComponent)"
        var summaries: [RunSummary] = []
        for prepared in found {
            Terminal.shared.say("\(prepared.info.name): \(prepared.items.count) items")
            do {
                summaries.append(try await plan.run(prepared, lyra, into: "\(target)/\(prepared.info.name)", resume: resume))
            } catch let error as EvaluationError {
                // The others can still be run.
                Terminal.shared.say("\(prepared.info.name): \(error.localizedDescription)")
                missing.append((prepared.info.name, error.localizedDescription))
            }
            if let runs = try? ReportRun.all(in: target) {
                try EvalOutput.write(HTMLReport(runs, missing: missing).html(), to: "\(target)/\(RunFolder.reportName)")
            }
        }
        let runs = try ReportRun.all(in: target)
        try Terminal.shared.write(EvalOutput.table(runs))
        Terminal.shared.say("\(target)/\(RunFolder.reportName)")
        try Terminal.shared.write(try JSONText.encode(EvalAllSummary(model: lyra.location.model, benchmarks: summaries, notRun: missing.map(\.name))) + "\n")
    }
}

struct EvalAllSummary: Encodable {
    var model: String
    var benchmarks: [RunSummary]
    var notRun: [String]
}

/// Not a single item counts.
struct NothingScored: Error, LocalizedError {
    let items: Int, first: String
    var errorDescription: String? { "none of the \(items) items could be asked; the first: \(first)" }
}

/// A benchmark, read.
struct PreparedBenchmark {
    var info: BenchmarkInfo
    var folder: String
    var options: [String: String]
    var benchmark: any Benchmark
    var items: [EvaluationItem]
}

/// What both commands do with a benchmark.
struct EvalPlan {
    let model: ModelOptions
    let data: String
    let limit: Int?
    let reply: EvalReplyOptions
    let replyOptions: ReplyOptions
    let judge: EndpointJudge?
    let recognisers: [any Recogniser]
    let fingerprint: String

    init(_ command: EvalRunCommand) throws {
        try self.init(command.model, command.data, command.limit, command.reply, command.judge)
    }

    init(_ command: EvalAllCommand) throws {
        try self.init(command.model, command.data, command.limit, command.reply, command.judge)
    }

    private init(_ model: ModelOptions, _ data: String, _ limit: Int?, _ reply: EvalReplyOptions, _ judge: JudgeOptions) throws {
        if let limit, limit < 1 { throw UsageError("--limit is \(limit); give 1 or more") }
        try reply.check()
        guard FileManager.default.fileExists(atPath: data) else { throw MissingInput("no folder at \(data)") }
        let (location, configuration) = try model.resolve()
        (self.model, self.data, self.limit, self.reply) = (model, data, limit, reply)
        replyOptions = try reply.replyOptions(layers: configuration.layers)
        self.judge = try judge.make()
        recognisers = try reply.recogniser.map { [try CommandRecogniser($0)] } ?? []
        fingerprint = ModelFingerprint.text(location)
        if reply.speak { _ = try model.resolve(needs: .speech) }
    }

    func folder(of info: BenchmarkInfo) throws -> String {
        do { return try info.locate(data) } catch let error as MissingData { throw MissingInput(error.localizedDescription) }
    }

    func prepare(_ info: BenchmarkInfo, _ folder: String, _ options: [String: String]) throws -> PreparedBenchmark {
        var request = BenchmarkRequest(folder: folder)
        (request.options, request.extracts, request.speaks) = (options, replyOptions.extractor != nil, reply.speak)
        let (benchmark, all) = try info.load(request)
        let items = Benchmarks.limited(all, to: limit)
        guard !items.isEmpty else { throw EvaluationError.noItems(folder) }
        return PreparedBenchmark(info: info, folder: folder, options: options, benchmark: benchmark, items: items)
    }

    func run(_ prepared: PreparedBenchmark, _ lyra: Lyra, into target: String, resume: Bool, shard: Shard? = nil) async throws -> RunSummary {
        let settings = RunSettings(
            benchmark: prepared.info.name, model: lyra.location.model, modelFingerprint: fingerprint, data: prepared.folder,
            precision: lyra.precision.rawValue, adapter: reply.adapter.rawValue, isCompatible: lyra.options.isCompatible,
            extractor: replyOptions.extractor.map { "gap \($0.gap), keep \($0.keepRate)" }, limit: limit, maximumTokens: reply.maxTokens,
            maximumFrames: reply.maxFrames, speaks: reply.speak, options: prepared.options)
        // In a folder of several runs, those that are not there yet are begun.
        let folder = try RunFolder(target, settings, resume: resume, shard: shard)
        let run = EvaluationRun(
            prepared.benchmark, items: prepared.items,
            responder: LyraResponder(lyra, options: replyOptions, maximumTokens: reply.maxTokens), folder: folder,
            recognisers: recognisers, judge: judge)
        let progress = EvalProgress(prepared.info.name)
        do {
            let summary = try await run.run { progress.show($0) }
            Terminal.shared.clearProgress()
            return summary
        } catch is CancellationError {
            Terminal.shared.clearProgress()
            Terminal.shared.say("stopped after \(folder.records.count) of \(prepared.items.count) items; --resume goes on")
            throw CancellationError()
        }
    }
}

/// The progress line of a run, and a line for each item that fails.
final class EvalProgress {
    private let name: String
    private let began = ContinuousClock.now
    private var told = 0
    private static let mostTold = 10

    init(_ name: String) { self.name = name }

    func show(_ progress: RunProgress) {
        if let failure = progress.failure {
            told += 1
            if told <= Self.mostTold { Terminal.shared.say("\(name): \(failure.id): \(failure.error)") }
            if told == Self.mostTold { Terminal.shared.say("\(name): further failures are in items.jsonl") }
        }
        let elapsed = (ContinuousClock.now - began) / .seconds(1), fresh = progress.done - progress.resumed
        let left = max(1, progress.total - progress.resumed)
        Terminal.shared.draw(
            ProgressLine(
                label: name, fraction: Double(fresh) / Double(left),
                count: "\(progress.done)/\(progress.total)" + (progress.failed > 0 ? ", \(progress.failed) failed" : ""),
                rate: fresh > 0 && elapsed > 1 ? String(format: "%.2f/s", Double(fresh) / elapsed) : nil, elapsed: elapsed
            ).text(columns: Terminal.columns))
    }
}

/// Tells whether a model is the one that a run was begun with.
enum ModelFingerprint {
    /// Names, sizes and times of the files of all parts, as a short hash.
    static func text(_ location: ModelLocation) -> String {
        let folders = [location.model, location.vision, location.speech, location.vocoder].compactMap { $0 } + location.adapters.values.sorted()
        var lines: [String] = []
        for folder in folders {
            for name in ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).sorted() {
                var info = stat()
                guard stat("\(folder)/\(name)", &info) == 0, info.st_mode & S_IFMT == S_IFREG else { continue }
                lines.append("\(name) \(info.st_size) \(info.st_mtim.tv_sec).\(info.st_mtim.tv_nsec)")
            }
        }
        // FNV-1a, 64 bits.
        let hash = lines.joined(separator: "\n").utf8.reduce(0xcbf2_9ce4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
        return String(format: "%016llx", hash)
    }
}
