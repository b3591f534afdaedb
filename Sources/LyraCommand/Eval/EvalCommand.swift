// lyra eval: the paper's evaluation, one command a number.
import ArgumentParser
import Foundation
import Lyra
import LyraEvaluation
import LyraModel

struct EvalCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "eval",
        abstract: "Measure a model: the paper's benchmarks, comparisons, reports.",
        discussion: """
            lyra eval BENCHMARK runs one benchmark, lyra eval all every one whose data are there. What each benchmark needs and \
            where to get it: lyra eval list, and docs/evaluation.md.
            """,
        subcommands: [EvalRunCommand.self, EvalAllCommand.self, EvalCompareCommand.self, EvalReportCommand.self, EvalListCommand.self],
        defaultSubcommand: EvalRunCommand.self)
}

/// How replies are made while measuring.
struct EvalReplyOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Most tokens of a reply. Default: what the benchmark is known to need.", valueName: "n"))
    var maxTokens: Int?

    @Option(help: ArgumentHelp("Use the extractor: blocks and the share kept after each, e.g. 4,0.7.", valueName: "n,rho"))
    var extract: ExtractArgument?

    @Option(help: "Low-rank adapter: auto, off, speech or long_speech.")
    var adapter: AdapterChoice = .automatic

    @Option(help: ArgumentHelp("Most frames looked at of a video.", valueName: "n"))
    var maxFrames = 16

    @Flag(help: "Have replies spoken, and count how much of them is heard.")
    var speak = false

    @Option(
        help: ArgumentHelp(
            "A program that writes down what it hears in {audio}, to listen to spoken replies besides the model.", valueName: "command"))
    var recogniser: String?

    func check() throws {
        if let maxTokens, maxTokens < 1 { throw UsageError("--max-tokens is \(maxTokens); give 1 or more") }
        guard maxFrames >= 2 else { throw UsageError("--max-frames is \(maxFrames); give 2 or more") }
        try extract?.check()
    }

    func replyOptions(layers: Int) throws -> ReplyOptions {
        var options = ReplyOptions()
        (options.adapter, options.maximumFrames) = (adapter, maxFrames)
        if let extract {
            guard extract.blocks <= layers else {
                throw UsageError("--extract: the model has \(layers) layers, which cannot be split into \(extract.blocks) blocks")
            }
            options.extractor = ExtractorOptions(blocks: extract.blocks, keepRate: extract.keepRate, layers: layers)
        }
        return options
    }
}

/// Who judges free answers.
struct JudgeOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "An OpenAI-compatible endpoint that judges free answers (MM-Vet), such as http://localhost:8000/v1. Its key is read from the environment variable LYRA_JUDGE_KEY.",
            valueName: "url"))
    var judge: String?

    @Option(help: ArgumentHelp("The judging model.", valueName: "name"))
    var judgeModel = "gpt-4o"

    func make() throws -> EndpointJudge? {
        guard let judge else { return nil }
        return EndpointJudge(try ChatEndpoint(judge, model: judgeModel, key: ProcessInfo.processInfo.environment["LYRA_JUDGE_KEY"]))
    }
}

/// Settings of benchmarks that have some.
struct BenchmarkOptions: ParsableArguments {
    @Option(help: ArgumentHelp("librispeech: test-clean, test-other, dev-clean or dev-other.", valueName: "name"))
    var split: String?

    @Option(help: ArgumentHelp("needle: lengths of the recordings in seconds, e.g. 450,900,1800.", valueName: "list"))
    var lengths: String?

    @Option(help: ArgumentHelp("needle: depths in percent, e.g. 0,25,50,75,100.", valueName: "list"))
    var depths: String?

    @Option(help: ArgumentHelp("needle: how many needles for each length and depth. Default: all.", valueName: "n"))
    var needles: Int?

    @Option(help: ArgumentHelp("needle: with the extractor, without, or both one after the other.", valueName: "on|off|both"))
    var extractor: String?

    @Option(help: ArgumentHelp("nano: which abilities, with commas between them.", valueName: "list"))
    var abilities: String?

    @Option(help: ArgumentHelp("egoschema: subset for the questions whose answers are public, or all.", valueName: "part"))
    var part: String?

    var values: [String: String] {
        let given: [(String, String?)] = [
            ("split", split), ("lengths", lengths), ("depths", depths), ("needles", needles.map(String.init)), ("extractor", extractor),
            ("abilities", abilities), ("part", part),
        ]
        return Dictionary(uniqueKeysWithValues: given.compactMap { key, value in value.map { (key, $0) } })
    }

    /// Those that a benchmark knows; others are a mistake unless several benchmarks are run.
    func values(for info: BenchmarkInfo, strict: Bool) throws -> [String: String] {
        let known = Set(info.options.map(\.key))
        if strict, let wrong = values.keys.sorted().first(where: { !known.contains($0) }) {
            throw UsageError("--\(wrong) means nothing to \(info.name)" + (known.isEmpty ? "" : "; it knows --\(known.sorted().joined(separator: ", --"))"))
        }
        if let extractor, known.contains("extractor"), !["on", "off", "both"].contains(extractor) {
            throw UsageError("--extractor is '\(extractor)'; give on, off or both")
        }
        return values.filter { known.contains($0.key) }
    }
}
