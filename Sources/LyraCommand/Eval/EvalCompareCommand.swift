// lyra eval compare, report and list.
import ArgumentParser
import Foundation
import LyraEvaluation

struct EvalCompareCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "compare",
        abstract: "Compare two runs over the items that both have asked.",
        discussion: """
            For each metric: both scores, their difference with its 95 % interval, and how likely a difference at least as large \
            is by chance (paired bootstrap, two-sided). Folders of lyra eval all are compared benchmark by benchmark. Prints a \
            table, and the same as one line of JSON last.

            Examples:
              lyra eval compare output/eval/mme-A output/eval/mme-B
              lyra eval compare results/A results/B --items 20
            """)

    @Argument(help: "The run to compare with.")
    var before: String

    @Argument(help: "The run that is compared.")
    var after: String

    @Option(help: ArgumentHelp("List the items that changed most, this many of each benchmark.", valueName: "n"))
    var items = 0

    func run() async throws {
        Log.start(verbose: false)
        for path in [before, after] where !FileManager.default.fileExists(atPath: path) { throw MissingInput("no folder at \(path)") }
        let others = try ReportRun.all(in: after)
        let pairs = try ReportRun.all(in: before).compactMap { run in
            others.first { $0.settings.benchmark == run.settings.benchmark }.map { (run, $0) }
        }
        guard !pairs.isEmpty else { throw UsageError("\(before) and \(after) have no benchmark in common") }
        var rows = [["benchmark", "metric", "A", "B", "B - A", "95 %", "p", "items", "better", "worse"]]
        var report: [String: [MetricComparison]] = [:], changes: [String] = []
        for (a, b) in pairs {
            let comparisons = try a.compare(with: b)
            report[a.info.name] = comparisons
            for (place, metric) in comparisons.enumerated() { rows.append([place == 0 ? a.info.name : ""] + Self.row(metric)) }
            for (old, new) in a.changes(to: b, limit: items) {
                changes.append("\(a.info.name) \(old.id): \(Self.score(old)) -> \(Self.score(new))")
                changes.append("    A: \(old.answer.prefix(160))")
                changes.append("    B: \(new.answer.prefix(160))")
            }
        }
        let lines = Columns.lines(rows, right: [2, 3, 4, 5, 6, 7, 8, 9]) + (changes.isEmpty ? [] : [""] + changes)
        try Terminal.shared.write(reply: lines.joined(separator: "\n") + "\n")
        try Terminal.shared.write(try JSONText.encode(Report(a: before, b: after, benchmarks: report)) + "\n")
    }

    private struct Report: Encodable {
        var a, b: String
        var benchmarks: [String: [MetricComparison]]
    }

    private static func score(_ record: ItemRecord) -> String { String(format: "%.2f", record.score ?? 0) }

    private static func row(_ metric: MetricComparison) -> [String] {
        func number(_ value: Double) -> String { String(format: "%.2f", value) }
        let range = metric.interval.map { "\(number($0.low)) to \(number($0.high))" } ?? "-"
        let p = metric.p.map { $0 < 0.001 ? "<0.001" : String(format: "%.3f", $0) } ?? "-"
        return [
            metric.name, number(metric.a), number(metric.b), String(format: "%+.2f", metric.difference), range, p, "\(metric.items)",
            "\(metric.better)", "\(metric.worse)",
        ]
    }
}

struct EvalReportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "report",
        abstract: "Write the report of runs anew, also of runs that are still under way.",
        discussion: """
            The page needs no other file. With several folders it shows them one below the other.

            Examples:
              lyra eval report output/eval/mme-Lyra_Mini_3B
              lyra eval report results/A results/B --out both.html
            """)

    @Argument(help: "Folders of runs, or of several runs.")
    var folders: [String]

    @Option(help: ArgumentHelp("Where to write. Default: report.html in the first folder.", valueName: "file"))
    var out: String?

    @Option(help: ArgumentHelp("How many of the worst items are shown of each run.", valueName: "n"))
    var worst = 8

    func run() async throws {
        Log.start(verbose: false)
        guard worst >= 0 else { throw UsageError("--worst is \(worst); give 0 or more") }
        for path in folders where !FileManager.default.fileExists(atPath: path) { throw MissingInput("no folder at \(path)") }
        let target = out ?? "\(folders.first ?? ".")/\(RunFolder.reportName)"
        try OutputFile.check(target)
        let runs = try folders.flatMap { try ReportRun.all(in: $0) }
        var report = HTMLReport(runs)
        report.worst = worst
        try EvalOutput.write(report.html(), to: target)
        try Terminal.shared.write(EvalOutput.table(runs))
        Terminal.shared.say(target)
    }
}

struct EvalListCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List the benchmarks, what they need and where to get it.",
        discussion: """
            With --data, also which of them are there.

            Examples:
              lyra eval list
              lyra eval list --data data/Lyra_Eval
            """)

    @Option(help: ArgumentHelp("Folder of the evaluation data.", valueName: "dir"))
    var data: String?

    @Flag(help: "Print one JSON object.")
    var json = false

    func run() async throws {
        Log.start(verbose: false)
        let entries = Benchmarks.all.map { info in
            Entry(
                name: info.name, title: info.title, metric: info.metrics.first?.name ?? "", source: info.source, layout: info.layout,
                options: info.options.map { "--\($0.key): \($0.meaning)" }, folder: data.flatMap { try? info.locate($0) })
        }
        if json { return try Terminal.shared.write(try JSONText.encode(["benchmarks": entries]) + "\n") }
        let text = entries.map { entry in
            let state = data == nil ? "" : entry.folder.map { "\n  there: \($0)" } ?? "\n  not there"
            let layout = entry.layout.split(separator: "\n").map { "\n    \($0)" }.joined()
            let options = entry.options.map { "\n  \($0)" }.joined()
            return "\(entry.name)  \(entry.title), \(entry.metric)\(state)\n  from \(entry.source)\(options)\(layout)\n"
        }
        try Terminal.shared.write(text.joined(separator: "\n"))
    }

    private struct Entry: Encodable {
        var name, title, metric, source, layout: String
        var options: [String]
        var folder: String?
    }
}
