// The report: complete, self-contained, and harmless whatever models and data sets say.
import Foundation
@testable import LyraEvaluation
import Testing

@Suite struct ReportTests {
    private func page(_ name: String, _ data: TemporaryFolder, _ reply: @escaping @Sendable (EvaluationItem) -> String) async throws -> String {
        let (benchmark, items) = try load(name, data.path) { if name == "needle" { $0.options = ["lengths": "8,9", "depths": "0,50"] } }
        let folder = data.file("run-\(name)")
        let run = EvaluationRun(
            benchmark, items: items, responder: ScriptedResponder { [reply($0)] }, folder: try RunFolder(folder, settings(name), resume: false))
        try await run.run()
        return HTMLReport([try ReportRun(folder)]).html()
    }

    @Test func hostileTextStaysText() async throws {
        let data = try TemporaryFolder()
        try MiniData(root: data.path, answer: { _, _ in "<script>alert(1)</script>" }).spokenQuestions("Docvqa_val", "lyra_docvqa_audio", "docvqa-speech")
        let page = try await page("docvqa-speech", data) { _ in "<img src=x onerror=alert('1')>&\u{0}" }
        #expect(!page.contains("<script") && !page.contains("<img src=x") && page.contains("&lt;img src=x onerror=alert(&#39;1&#39;)&gt;&amp;"))
    }

    @Test func needsNoOtherFile() async throws {
        let data = try TemporaryFolder()
        try MiniData(root: data.path).all()
        for name in ["librispeech", "docvqa-speech", "videomme", "needle", "mme"] {
            let page = try await page(name, data) { _ in "maybe" }
            for match in page.matches(of: /(?:src|href)="([^"]*)"/) {
                #expect(match.1.hasPrefix("data:") || match.1.hasPrefix("#"), "\(match.1.prefix(60))")
            }
            #expect(!page.contains("url(") && !page.contains("@import"))
            // Every element that is opened is closed.
            for tag in ["section", "div", "table", "tr", "td", "th", "dl", "dd", "figure", "article", "svg", "ul", "h3", "h4"] {
                #expect(page.matches(of: try Regex("<\(tag)[ >]")).count == page.components(separatedBy: "</\(tag)>").count - 1, "\(name) \(tag)")
            }
        }
        let page = try await self.page("librispeech", data) { _ in "the answer naught" }
        #expect(page.contains("<audio controls") && page.contains("<del>") && page.contains("Most frequent errors"))
        #expect(try await self.page("docvqa-speech", data) { _ in "x" }.contains("data:image/png;base64,"))
    }

    @Test func bandsOfThePaper() async throws {
        let data = try TemporaryFolder()
        try MiniData(root: data.path).librispeech()
        let page = try await page("librispeech", data) { $0.truth[0] }
        #expect(page.contains("2.10–2.40") && page.contains("0.00 %"))
    }

    @Test func comparison() async throws {
        let data = try TemporaryFolder()
        try MiniData(root: data.path, count: 40).spokenQuestions("Docvqa_val", "lyra_docvqa_audio", "docvqa-speech")
        _ = try await page("docvqa-speech", data) { (Int($0.id) ?? 0) % 2 == 0 ? $0.truth[0] : "zzz" }
        try FileManager.default.moveItem(atPath: data.file("run-docvqa-speech"), toPath: data.file("a"))
        _ = try await page("docvqa-speech", data) { (Int($0.id) ?? 0) % 4 < 3 ? $0.truth[0] : "zzz" }
        let (a, b) = (try ReportRun(data.file("a")), try ReportRun(data.file("run-docvqa-speech")))
        let comparison = try #require(try a.compare(with: b).first)
        #expect((comparison.a, comparison.b, comparison.difference, comparison.items) == (50, 75, 25, 40))
        #expect(comparison.better == 10 && comparison.worse == 0)
        #expect(try #require(comparison.p) < 0.01 && #require(comparison.interval).low > 5)
        let same = try #require(try a.compare(with: a).first)
        #expect(same.difference == 0 && same.p == 1)
        #expect(a.changes(to: b, limit: 3).map(\.before.id) == ["1", "5", "9"])
    }
}
