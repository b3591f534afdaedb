// Every benchmark in miniature on a real model, from files to report. The model's weights are random; so that scores are not all
// nothing, some accepted answers are what it replied to the same questions before. Scores are then computed by other means.
import Foundation
import Lyra
@testable import LyraEvaluation
import Testing

@Suite(.serialized) struct MiniBenchmarkTests {
    private static let count = 3
    /// Replies of a benchmark become its accepted answers where this says so.
    private static func isMadeRight(_ number: Int) -> Bool { number != 1 }

    private func records(
        _ name: String, _ lyra: Lyra, _ data: TemporaryFolder, _ folder: String, _ change: (inout BenchmarkRequest) -> Void = { _ in },
        extractor: Bool = false
    ) async throws -> (RunSummary, [ItemRecord]) {
        let (benchmark, items) = try load(name, data.path, change)
        var options = ReplyOptions()
        if extractor { options.extractor = ExtractorOptions(gap: 2, keepRate: 0.5) }
        let run = EvaluationRun(
            benchmark, items: items, responder: LyraResponder(lyra, options: options, maximumTokens: 6),
            folder: try RunFolder(folder, settings(name), resume: false))
        let summary = try await run.run()
        let failures = summary.failures
        #expect(failures.isEmpty, "\(name): \(failures)")
        return (summary, RunFolder.items(of: folder))
    }

    @Test func allBenchmarks() async throws {
        let lyra = try await Lyra.open(CommandLineProcess.pack)
        let first = try TemporaryFolder(), second = try TemporaryFolder()
        try MiniData(root: first.path, count: Self.count).all()
        var replies: [String: [String]] = [:]
        let grid: (inout BenchmarkRequest) -> Void = { $0.options = $0.folder.contains("needle") ? ["lengths": "8", "depths": "50"] : [:] }
        for info in Benchmarks.all {
            let (_, records) = try await records(info.name, lyra, first, first.file("runs/\(info.name)"), grid)
            replies[info.name] = records.map(\.answer)
            #expect(records.allSatisfy { $0.error == nil && $0.finishReason != nil && ($0.timings?.total ?? 0) > 0 })
        }
        // The same questions with some of the replies as answers.
        let shared = ["videomme-speech": "videomme", "textvqa-speech": "textvqa", "mmvet-speech": "mmvet"]
        let base = replies
        try MiniData(root: second.path, answer: { name, number in
            guard Self.isMadeRight(number), let known = base[name], number < known.count else { return "never said" }
            let words = EnglishNormalizer.words(known[number])
            return words.isEmpty ? "never said" : known[number]
        }, count: Self.count).all()
        for info in Benchmarks.all where !info.name.hasPrefix("mmvet") {
            let (summary, records) = try await records(info.name, lyra, second, second.file("runs/\(info.name)"), grid)
            try check(info.name, summary, records)
            if shared[info.name] == nil, !["mme", "nano", "videomme", "mvbench", "egoschema"].contains(info.name) {
                #expect(records.map(\.answer) == replies[info.name], "\(info.name): greedy replies are the same")
            }
        }
        let report = HTMLReport(try ReportRun.all(in: second.file("runs"))).html()
        for info in Benchmarks.all where !info.name.hasPrefix("mmvet") { #expect(report.contains("id=\"\(info.name)\"")) }
    }

    /// The benchmark's first number, from questions and replies alone.
    private func check(_ name: String, _ summary: RunSummary, _ records: [ItemRecord]) throws {
        let value = try #require(summary.metrics.first, "\(name)").value
        func folded(_ text: String) -> [Character] { Array(text.lowercased().split(whereSeparator: \.isWhitespace).joined(separator: " ")) }
        func mean(_ scores: [Double]) -> Double { 100 * scores.reduce(0, +) / Double(scores.count) }
        let expected: Double
        switch name {
        case "librispeech":
            let pairs = records.map { (EnglishNormalizer.words($0.truth[0]), EnglishNormalizer.words($0.answer)) }
            expected = 100 * Double(pairs.reduce(0) { $0 + RunTests.distance($1.0, $1.1) }) / Double(pairs.reduce(0) { $0 + $1.0.count })
        case "docvqa-speech":
            expected = mean(records.map { record in
                let (a, b) = (folded(record.truth[0]), folded(record.answer))
                let share = 1 - Double(RunTests.distance(a.map(String.init), b.map(String.init))) / Double(max(record.truth[0].count, record.answer.count, 1))
                return share >= 0.5 ? share : 0
            })
        case "textvqa", "textvqa-speech":
            // Eight of ten people said the first answer: it counts whole, and nothing else was said by three.
            expected = mean(records.map { AnswerProcessor.process($0.answer) == AnswerProcessor.process($0.truth[0]) ? 1 : 0 })
        case "chartqa-speech":
            expected = mean(records.map { folded($0.answer) == folded($0.truth[0]) ? 1 : 0 })
        case "mme":
            let right = records.map { record -> (String, Bool) in
                let start = record.answer.lowercased().replacing(".", with: "").prefix(4)
                let said = start.contains("yes") ? "yes" : start.contains("no") ? "no" : ""
                return (String(record.id.dropLast(2)), said == record.truth[0].lowercased())
            }
            let pictures = Dictionary(grouping: right, by: \.0).mapValues { $0.map(\.1) }
            let byCategory = Dictionary(grouping: pictures, by: { $0.key.split(separator: "/")[0] })
            expected = byCategory.values.reduce(0) { total, pictures in
                let points = pictures.map { picture in
                    Double(picture.value.count { $0 }) * 50 + (picture.value.allSatisfy { $0 } ? 100 : 0)
                }
                return total + points.reduce(0, +) / Double(points.count)
            }
        case "needle":
            expected = mean(records.map { record in
                let (reply, wanted) = (" " + EnglishNormalizer.words(record.answer).joined(separator: " ") + " ", EnglishNormalizer.words(record.truth[0]))
                return reply.contains(" " + wanted.joined(separator: " ") + " ") ? 1 : 0
            })
        case "nano":
            expected = mean(records.map { record in
                let (said, wanted) = (EnglishNormalizer.words(record.answer), EnglishNormalizer.words(record.truth[0]))
                if record.slices["ability"] != "transcription" { return said == wanted ? 1 : 0 }
                return max(0, 1 - Double(RunTests.distance(wanted, said)) / Double(wanted.count))
            })
        default:
            let scored = records.filter { !$0.truth.isEmpty }
            expected = mean(scored.map { record in
                let right = Int(UnicodeScalar(record.truth[0])?.value ?? 65) - 65
                return MultipleChoice.choice(record.answer, options: record.options ?? []) == right ? 1 : 0
            })
        }
        #expect(abs(value - expected) < 1e-9, "\(name): \(value), expected \(expected)")
    }

    @Test func extractorAndSpeech() async throws {
        let lyra = try await Lyra.open(CommandLineProcess.pack)
        let data = try TemporaryFolder()
        try MiniData(root: data.path, count: 2).all()
        let (summary, records) = try await records("needle", lyra, data, data.file("a"), {
            $0.options = ["lengths": "8", "depths": "50"]
            $0.extracts = true
        }, extractor: true)
        let on = records.filter { $0.slices["extractor"] == "on" }
        #expect(on.count == 2 && on.allSatisfy { $0.evidence?.layers == [1, 3] && $0.evidence?.factKept != nil })
        #expect(records.filter { $0.slices["extractor"] == "off" }.allSatisfy { $0.evidence == nil })
        // 300 tokens of the window, a half left twice; eight seconds of it are sound.
        let medium = try #require(on[0].evidence?.media.first)
        #expect(medium.tokens == 80 && medium.left.count == 2 && medium.left[0] >= medium.left[1])
        #expect(medium.profile.count == 40 && abs(medium.profile.reduce(0, +) / 40 - Double(medium.left[1]) / 80) < 1e-9)
        #expect(summary.metrics.contains { $0.key == "kept" } && summary.metrics.contains { $0.key == "fact_kept" })

        let (spoken, replies) = try await self.records("docvqa-speech", lyra, data, data.file("b"), { $0.speaks = true })
        #expect(spoken.metrics.contains { $0.key == "model_word_accuracy" })
        for record in replies where record.spoken != nil {
            #expect(FileManager.default.fileExists(atPath: data.file("b/\(record.spoken ?? "")")))
        }
        #expect(replies.allSatisfy { $0.heard?["model"] != nil })
        let page = HTMLReport([try ReportRun(data.file("a")), try ReportRun(data.file("b"))]).html()
        #expect(page.contains("What the extractor keeps") && page.contains("heard by model"))
    }
}
