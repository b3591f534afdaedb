// Runs with replies that are known: what is kept, what goes on after an end, what is left out, what it comes to.
import Foundation
@testable import Lyra
@testable import LyraEvaluation
import Testing

/// Replies as told.
struct ScriptedResponder: Responder {
    var reply: @Sendable (EvaluationItem) throws -> [String]
    /// Ends the run as a crash would, before this many replies.
    var counter: Counter?
    /// Tokens of the prompt, and seconds to the first text.
    var costs: (@Sendable (EvaluationItem) -> (tokens: Int, seconds: Double))?

    final class Counter: Sendable {
        private let left: Left
        private actor Left {
            var count: Int
            init(_ count: Int) { self.count = count }
            func take() -> Bool {
                count -= 1
                return count >= 0
            }
        }
        init(_ count: Int) { left = Left(count) }
        func take() async -> Bool { await left.take() }
    }

    func respond(to item: EvaluationItem) async throws -> ItemResponse {
        if let counter, await !counter.take() { throw CancellationError() }
        var response = ItemResponse(replies: try reply(item))
        if let costs = costs?(item) {
            var (timings, usage) = (Timings(), Usage())
            (timings.firstText, timings.total, usage.promptTokens) = (costs.seconds, 1.3 * costs.seconds, costs.tokens)
            (timings.tokensPerSecond, timings.prefillTokensPerSecond) = (12, Double(costs.tokens) / costs.seconds)
            (response.timings, response.usage) = (timings, usage)
        }
        return response
    }
    func transcribe(_ path: String) async throws -> String? { nil }
}

func settings(_ benchmark: String, data: String = "data") -> RunSettings {
    RunSettings(
        benchmark: benchmark, model: "M", modelFingerprint: "f", data: data, precision: "f32", adapter: "auto", isCompatible: false,
        extractor: nil, limit: nil, maximumTokens: nil, maximumFrames: 16, speaks: false, options: [:])
}

/// Loads a benchmark of the miniature data.
func load(_ name: String, _ root: String, _ change: (inout BenchmarkRequest) -> Void = { _ in }) throws -> (any Benchmark, [EvaluationItem]) {
    let info = try Benchmarks.named(name)
    var request = BenchmarkRequest(folder: try info.locate(root))
    change(&request)
    let (benchmark, items) = try info.load(request)
    return (benchmark, items)
}

func isClose(_ value: Double?, _ expected: Double) -> Bool { value.map { abs($0 - expected) < 1e-9 } ?? false }
private let third = 100.0 / 3

@Suite struct RunTests {
    private struct Broken: Error, LocalizedError { var errorDescription: String? { "it is broken" } }

    private func run(
        _ name: String, _ data: TemporaryFolder, into folder: String, resume: Bool = false, stopAfter: Int? = nil,
        _ reply: @escaping @Sendable (EvaluationItem) throws -> [String]
    ) async throws -> RunSummary {
        let (benchmark, items) = try load(name, data.path)
        let run = EvaluationRun(
            benchmark, items: items, responder: ScriptedResponder(reply: reply, counter: stopAfter.map(ScriptedResponder.Counter.init)),
            folder: try RunFolder(folder, settings(name), resume: resume))
        return try await run.run()
    }

    @Test func wordErrors() async throws {
        let data = try TemporaryFolder()
        try MiniData(root: data.path, answer: { "the mister smith had twenty \($1) apples" }).librispeech()
        // One word wrong, one missing, one right in other words.
        let replies = ["the mister smith had twenty zero pears", "the mister had 21 apples", "The Mr. Smith had 22 apples!"]
        let summary = try await run("librispeech", data, into: data.file("run")) { [replies[Int($0.id.suffix(1)) ?? 0]] }
        let words = (0..<3).map { EnglishNormalizer.words("the mister smith had twenty \($0) apples") }
        let heard = replies.map { EnglishNormalizer.words($0) }
        let errors = zip(words, heard).reduce(0) { $0 + Self.distance($1.0, $1.1) }
        #expect(errors > 0)
        #expect(summary.metrics.first?.key == "wer")
        #expect(summary.metrics.first?.value == 100 * Double(errors) / Double(words.reduce(0) { $0 + $1.count }))
        #expect(summary.items == 3 && summary.failed == 0 && summary.isComplete)
        #expect(summary.metrics.first?.interval != nil)
    }

    /// Levenshtein's distance by its definition.
    static func distance(_ a: [String], _ b: [String]) -> Int {
        guard let x = a.last else { return b.count }
        guard let y = b.last else { return a.count }
        if x == y { return distance(a.dropLast(), b.dropLast()) }
        return 1 + min(distance(a.dropLast(), b), distance(a, b.dropLast()), distance(a.dropLast(), b.dropLast()))
    }

    @Test func scoresOfPictures() async throws {
        let data = try TemporaryFolder()
        try MiniData(root: data.path, answer: { name, i in name == "chartqa-speech" ? "\(100 + i)" : "word\(i)" }).all()
        // VQA: eight of ten people said it; leaving one out at least seven agree.
        let vqa = try await run("textvqa-speech", data, into: data.file("a")) { [$0.id.hasPrefix("img1") ? "Word1." : "no"] }
        // "no" was said by one: zero where that one is left out, else a third.
        #expect(isClose(vqa.metrics.first?.value, 100 * 1.6 / 3))
        let anls = try await run("docvqa-speech", data, into: data.file("b")) { [["word0", "w0rd1", "else"][Int($0.id) ?? 0]] }
        #expect(isClose(anls.metrics.first?.value, 60))
        #expect(anls.metrics.map(\.key) == ["anls", "match"])
        #expect(isClose(anls.metrics[1].value, third))
        let relaxed = try await run("chartqa-speech", data, into: data.file("c")) { [["104", "110", "102%"][Int($0.id) ?? 0]] }
        #expect(isClose(relaxed.metrics.first?.value, third))
    }

    @Test func mme() async throws {
        let data = try TemporaryFolder()
        try MiniData(root: data.path).mme()
        // In existence all are right, in landmark one of two.
        let summary = try await run("mme", data, into: data.file("run")) { [$0.id.hasPrefix("landmark") ? "Yes" : $0.truth[0] + "."] }
        #expect(summary.metrics.map(\.value) == [250, 250, 75])
        #expect(summary.slices.map(\.name) == ["existence", "landmark"] && summary.slices.map(\.metric.value) == [200, 50])
    }

    @Test func choicesAndSubmissions() async throws {
        let data = try TemporaryFolder()
        try MiniData(root: data.path).all()
        let video = try await run("videomme", data, into: data.file("a")) { [$0.id.hasPrefix("000") ? "A" : "(B) blue"] }
        #expect(isClose(video.metrics.first?.value, third))
        let sound = try await run("videomme-speech", data, into: data.file("b")) { [$0.id.hasPrefix("000") ? "Yes." : "no", "A"] }
        #expect(sound.metrics.map(\.value) == [100, 100, third, 100])
        let ego = try await run("egoschema", data, into: data.file("c")) { [$0.id == "ego1" ? "C" : "nonsense"] }
        #expect(ego.metrics.first?.value == 0 && ego.metrics.first?.items == 2 && ego.unscored == 1)
        let choices = try JSONSerialization.jsonObject(with: Data(contentsOf: URL(fileURLWithPath: data.file("c/egoschema-submission.json")))) as? [String: Int]
        #expect(choices == ["ego0": -1, "ego1": 2, "ego2": -1])
        let mvbench = try await run("mvbench", data, into: data.file("d")) { [$0.id.hasPrefix("action_count") || $0.id.hasSuffix("-1") ? "B" : "A"] }
        #expect(isClose(mvbench.metrics.first?.value, (100 + third) / 2))
        let vet = try await run("mmvet-speech", data, into: data.file("e")) { _ in ["It is funny."] }
        #expect(vet.metrics.isEmpty && vet.unscored == 3)
        let answers = try JSONSerialization.jsonObject(with: Data(contentsOf: URL(fileURLWithPath: data.file("e/mm-vet-submission.json")))) as? [String: String]
        #expect(answers == ["v1_0": "It is funny.", "v1_1": "It is funny.", "v1_2": "It is funny."])
    }

    @Test func prompts() throws {
        let data = try TemporaryFolder()
        try MiniData(root: data.path).all()
        func words(_ name: String) throws -> [[String]] {
            try #require(load(name, data.path).1.first).turns.map { turn in
                turn.map { piece in
                    switch piece {
                    case .text(let text): text
                    case .image: "<image>"
                    case .video: "<video>"
                    case .speech, .sound: "<speech>"
                    }
                }
            }
        }
        #expect(try words("librispeech") == [["<speech>", "\nRecord the spoken words as text."]])
        #expect(try words("textvqa-speech") == [["<image>", "<speech>", "Reference OCR token: STOP\nAnswer the question using a single word or phrase."]])
        #expect(try words("docvqa-speech") == [["<image>", "<speech>"]])
        #expect(try words("mmvet") == [["<image>", "What is funny in 0?"]] && words("mmvet-speech") == [["<image>", "<speech>"]])
        #expect(try words("videomme-speech").count == 2)
        #expect(try words("mvbench")[0][1].contains("(B)") == false && words("mvbench")[0][1].contains("B. answer 0"))
    }

    @Test func corruptItemsAreCountedAndTheRestGoesOn() async throws {
        let data = try TemporaryFolder(), mini = MiniData(root: data.path, count: 6)
        try mini.spokenQuestions("Docvqa_val", "lyra_docvqa_audio", "docvqa-speech")
        let list = data.file("Docvqa_val/lyra_docvqa_audio.jsonl")
        var lines = try String(contentsOfFile: list, encoding: .utf8).split(separator: "\n").map(String.init)
        lines[2] = "{\"question_id\": 2, \"image\""
        lines[4] = "{\"question_id\": 4}"
        try lines.joined(separator: "\n").write(toFile: list, atomically: true, encoding: .utf8)
        let summary = try await run("docvqa-speech", data, into: data.file("run")) { item in
            if item.id == "3" { throw Broken() }
            return [item.truth[0]]
        }
        #expect(summary.items == 6 && summary.failed == 3 && summary.metrics.first?.value == 100 && summary.metrics.first?.items == 3)
        #expect(summary.failures.map(\.id) == ["line 3", "3", "line 5"])
        #expect(summary.failures.map(\.error).filter { $0.contains("'image' is missing") || $0.contains("not JSON") || $0 == "it is broken" }.count == 3)
    }

    @Test func nothingWorks() async throws {
        let data = try TemporaryFolder()
        try MiniData(root: data.path, count: 40).spokenQuestions("Docvqa_val", "lyra_docvqa_audio", "docvqa-speech")
        await #expect {
            _ = try await run("docvqa-speech", data, into: data.file("run")) { _ in throw Broken() }
        } throws: { error in
            error as? EvaluationError == .nothingWorks(count: 20, first: "0: it is broken")
        }
    }

    // MARK: Resuming

    private static let imperfect: @Sendable (EvaluationItem) throws -> [String] = { item in
        if item.id == "5" { throw Broken() }
        return [(Int(item.id) ?? 0) % 3 == 0 ? "something else" : item.truth[0]]
    }

    @Test(arguments: [0, 1, 4, 11]) func aRunThatWasEndedGivesTheSameReport(after stop: Int) async throws {
        let data = try TemporaryFolder()
        try MiniData(root: data.path, count: 12).spokenQuestions("Docvqa_val", "lyra_docvqa_audio", "docvqa-speech")
        _ = try await run("docvqa-speech", data, into: data.file("whole/run"), Self.imperfect)
        let target = data.file("parts/run")
        await #expect(throws: CancellationError.self) {
            _ = try await run("docvqa-speech", data, into: target, stopAfter: stop, Self.imperfect)
        }
        // What a killed process leaves of its last line.
        let items = "\(target)/items.jsonl"
        #expect(RunFolder.items(of: target).count == stop)
        let handle = try #require(FileHandle(forWritingAtPath: items))
        try handle.seekToEnd()
        try handle.write(contentsOf: Data("{\"index\":\(stop),\"id\":\"\(stop)\",\"sco".utf8))
        try handle.close()
        _ = try await run("docvqa-speech", data, into: target, resume: true, Self.imperfect)
        func text(_ folder: String, _ name: String) throws -> String { try String(contentsOfFile: "\(folder)/\(name)", encoding: .utf8) }
        func withoutMemory(_ text: String) -> String { text.replacing(/"peak_memory(_bytes)?" ?: ?\d+/, with: "") }
        for name in ["summary.json", "items.jsonl", "run.json"] {
            #expect(withoutMemory(try text(target, name)) == withoutMemory(try text(data.file("whole/run"), name)), "\(name)")
        }
        let reports = try [target, data.file("whole/run")].map { path -> String in
            HTMLReport([try ReportRun(path)]).html().replacing(/Most memory: [0-9.]+ [MG]B/, with: "")
        }
        #expect(reports[0] == reports[1])
    }

    @Test func severalProcessesShareARun() async throws {
        let data = try TemporaryFolder(), target = data.file("run")
        try MiniData(root: data.path, count: 7).spokenQuestions("Docvqa_val", "lyra_docvqa_audio", "docvqa-speech")
        let (benchmark, items) = try load("docvqa-speech", data.path)
        func part(_ number: Int) async throws -> RunSummary {
            let folder = try RunFolder(target, settings("docvqa-speech"), resume: false, shard: Shard(number: number, of: 3))
            return try await EvaluationRun(benchmark, items: items, responder: ScriptedResponder(reply: Self.imperfect), folder: folder).run()
        }
        let first = try await part(2)
        #expect(first.items == 2 && !first.isComplete)
        _ = try await part(3)
        let last = try await part(1)
        let whole = try await run("docvqa-speech", data, into: data.file("whole"), Self.imperfect)
        #expect(last.items == 7 && last.isComplete && last.metrics == whole.metrics && last.failures == whole.failures)
        // What one of them left can be done by a process for all.
        try FileManager.default.removeItem(atPath: "\(target)/items-2-of-3.jsonl")
        #expect(try await run("docvqa-speech", data, into: target, resume: true, Self.imperfect).metrics == whole.metrics)
        await #expect(throws: RunFolderError.exists(target)) { _ = try await part(1) }
        #expect(Shard(number: 0, of: 2) == nil && Shard(number: 3, of: 2) == nil)
    }

    @Test func otherSettingsAreRefused() async throws {
        let folder = try TemporaryFolder()
        _ = try RunFolder(folder.file("run"), settings("mme"), resume: false)
        #expect(throws: RunFolderError.exists(folder.file("run"))) { try RunFolder(folder.file("run"), settings("mme"), resume: false) }
        var other = settings("mme")
        other.limit = 5
        #expect(throws: RunFolderError.otherRun(folder.file("run"), difference: "limit is none there, 5 here")) {
            try RunFolder(folder.file("run"), other, resume: true)
        }
        #expect(throws: RunFolderError.notARun(folder.path)) { try RunFolder.settings(of: folder.path) }
    }

    @Test func limits() throws {
        let data = try TemporaryFolder()
        try MiniData(root: data.path, count: 5).mme()
        let items = try load("mme", data.path).1
        let some = Benchmarks.limited(items, to: 8)
        #expect(some.count == 8 && Set(some.compactMap(\.group)).count == 4)
        #expect(Set(some.compactMap { $0.slices["category"] }).count == 2)
        #expect(Benchmarks.limited(items, to: nil).count == 20 && Benchmarks.limited(items, to: 1).count == 2)
    }

    @Test func missingDataAreNamed() throws {
        let folder = try TemporaryFolder()
        for info in Benchmarks.all {
            #expect {
                try info.locate(folder.path)
            } throws: { error in
                let text = error.localizedDescription
                return text.contains(info.source) && text.contains("lay them out") && text.contains(info.name)
            }
        }
        #expect(throws: EvaluationError.self) { try Benchmarks.named("imagenet") }
    }
}
