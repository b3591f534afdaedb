// Runs with made-up replies over generated data, to look at the report: docs/evaluation-report.png is a picture of it.
//
//     lyra data synth --split test --held-out 60 --output DATA
//     LYRA_REPORT_DATA=DATA LYRA_REPORT_OUT=OUT make test FILTER=ReportDemonstration
import Foundation
import Lyra
@testable import LyraEvaluation
import Testing

@Suite struct ReportDemonstration {
    private static let environment = ProcessInfo.processInfo.environment

    @Test(.enabled(if: environment["LYRA_REPORT_DATA"] != nil && environment["LYRA_REPORT_OUT"] != nil))
    func reportOfMadeUpReplies() async throws {
        let data = try #require(Self.environment["LYRA_REPORT_DATA"]), out = try #require(Self.environment["LYRA_REPORT_OUT"])
        let (nano, items) = try load("nano", data) { $0.extracts = true }
        try await run(nano, "nano", items, out)
        let needles = try TemporaryFolder()
        try MiniData(root: needles.path, answer: { "seven \($1)" }).needle()
        let (needle, grid) = try load("needle", needles.path) {
            $0.options = ["lengths": "450,900,1800,2700,3600,4500", "depths": "0,25,50,75,100"]
            $0.extracts = true
        }
        try await run(needle, "needle", (0..<5).flatMap { round in grid.map { item in
            var item = item
            item.id += "-\(round)"
            return item
        } }, out)
        let html = HTMLReport(try ReportRun.all(in: out), missing: [("mme", "no data for mme (MME) in \(data).")]).html()
        try html.write(toFile: "\(out)/report.html", atomically: true, encoding: .utf8)
        print("\(out)/report.html, \(html.utf8.count) bytes")
    }

    private func run(_ benchmark: any Benchmark, _ name: String, _ items: [EvaluationItem], _ out: String) async throws {
        var settings = settings(name)
        (settings.model, settings.extractor) = ("made-up-replies", "gap 2, keep 0.6")
        let folder = try RunFolder("\(out)/\(name)", settings, resume: false)
        let answers = items.map { $0.truth.first ?? "" }
        let responder = ScriptedResponder { item in
            var random = SplitMix(state: StableHash.of(item.id))
            let length = Double(item.slices["length"] ?? "") ?? 0
            let chance = item.extracts ? 0.93 : length > 2_700 ? 0.45 : length > 900 ? 0.8 : 0.9
            let truth = item.truth.first ?? ""
            if Double(random.below(1_000)) < 1_000 * chance { return [truth] }
            guard item.slices["ability"] == "transcription" else { return [answers[random.below(answers.count)]] }
            var words = truth.split(separator: " ").map(String.init)
            words[random.below(words.count)] = ["river", "seven", ""][random.below(3)]
            return [words.joined(separator: " ")]
        } costs: { item in
            var random = SplitMix(state: StableHash.of("cost \(item.id)"))
            let tokens = 10 * Int(Double(item.slices["length"] ?? "") ?? 30) + 120 + random.below(400)
            let seconds = Double(tokens) * (item.extracts ? 0.0012 : 0.0021) * (0.9 + Double(random.below(200)) / 1_000)
            return (tokens, seconds)
        }
        try await EvaluationRun(benchmark, items: items, responder: responder, folder: folder).run()
    }
}
