// Needles: where they are put, what is around them, the grid, the heat map.
import Foundation
@testable import LyraEvaluation
import LyraMedia
import Testing

@Suite struct NeedleTests {
    @Test(arguments: [0.0, 0.3, 0.5, 1.0]) func placeAndLoudness(depth: Double) throws {
        let folder = try TemporaryFolder()
        // A tone with a pause every two seconds, and a louder needle of another pitch.
        let base = (0..<(16_000 * 12)).map { i -> Float in i % 32_000 < 8_000 ? 0 : 0.1 * sin(Float(i) * 0.3) }
        try AudioFile.write(base, sampleRate: 16_000, to: folder.file("talk.wav"))
        try AudioFile.write((0..<16_000).map { 0.8 * sin(Float($0) * 0.05) }, sampleRate: 16_000, to: folder.file("needle.wav"))
        let (samples, fact) = try Haystack(haystack: folder.file("talk.wav"), needle: folder.file("needle.wav"), seconds: 20, depth: depth).make()
        #expect(samples.count == 20 * 16_000)
        let range = try #require(fact)
        #expect(abs(range.upperBound - range.lowerBound - 1) < 1e-6)
        let ideal = depth * (20 - 1.8) + 0.4
        #expect(abs(range.lowerBound - ideal) <= 1.7, "\(range) for \(ideal)")
        let start = Int(range.lowerBound * 16_000)
        let inside = samples[start..<(start + 16_000)]
        func loudness(_ samples: some Collection<Float>) -> Float { (samples.reduce(0) { $0 + $1 * $1 } / Float(samples.count)).squareRoot() }
        // As loud as the recording as a whole, and alone between pauses.
        #expect(abs(loudness(inside) - loudness(base)) < 0.01)
        #expect(samples[(start - 6_000)..<start].allSatisfy { $0 == 0 } && samples[(start + 16_001)..<(start + 16_000 + 6_000)].allSatisfy { $0 == 0 })
        // In the middle of a recording it stands where that is quiet.
        if depth > 0, depth < 1 {
            let before = start - 6_400
            #expect(samples[(before - 800)..<before].allSatisfy { abs($0) < 0.01 })
        }
    }

    @Test func tooShortAndSilent() throws {
        let folder = try TemporaryFolder()
        try AudioFile.write([Float](repeating: 0.1, count: 16_000), sampleRate: 16_000, to: folder.file("needle.wav"))
        try AudioFile.write([Float](repeating: 0.1, count: 16_000), sampleRate: 16_000, to: folder.file("talk.wav"))
        #expect(throws: EvaluationError.self) { try Haystack(haystack: folder.file("talk.wav"), needle: folder.file("needle.wav"), seconds: 1, depth: 0).make() }
        #expect(throws: MediaError.self) { try Haystack(haystack: folder.file("talk.wav"), needle: folder.file("none.wav"), seconds: 9, depth: 0).make() }
    }

    @Test func gridAndHeatMap() async throws {
        let data = try TemporaryFolder()
        try MiniData(root: data.path).needle()
        let (benchmark, items) = try load("needle", data.path) {
            $0.options = ["lengths": "8,120", "depths": "0,50,100"]
            $0.extracts = true
        }
        #expect(items.count == 24)
        #expect(items.count { !$0.extracts } == 12)
        let responder = ScriptedResponder { item in
            [item.slices["extractor"] == "on" || item.slices["length"] == "8" ? "I heard " + item.truth[0] : "nothing"]
        }
        let folder = try RunFolder(data.file("run"), settings("needle"), resume: false)
        let summary = try await EvaluationRun(benchmark, items: items, responder: responder, folder: folder).run()
        #expect(summary.metrics.map(\.key) == ["accuracy", "accuracy_extractor_on", "accuracy_extractor_off"])
        #expect(summary.metrics.map(\.value) == [75, 100, 50])
        let map = try #require(HeatMap(RunFolder.items(of: data.file("run")), title: "T", where: "extractor", is: "off"))
        #expect(map.columns == ["8", "120"] && map.rows == ["0", "50", "100"])
        #expect(map.cells == [[1, 0], [1, 0], [1, 0]] && map.counts == [[2, 2], [2, 2], [2, 2]])
        for mode in ["on", "off"] {
            let svg = try Data(contentsOf: URL(fileURLWithPath: data.file("run/needle-extractor-\(mode).svg")))
            let text = String(decoding: svg, as: UTF8.self)
            #expect(try #require(text.firstMatch(of: /width="(\d+)/).flatMap { Int($0.1) }) >= 400)
            #expect(text.hasPrefix("<svg") && text.contains("depth 50 %") && text.contains("of 12 found"))
        }
    }

    @Test func wrongGrids() throws {
        let data = try TemporaryFolder()
        try MiniData(root: data.path).needle()
        for options in [["lengths": "many"], ["depths": "101"], ["lengths": "0"], ["lengths": ""]] {
            #expect(throws: EvaluationError.self, "\(options)") { try load("needle", data.path) { $0.options = options } }
        }
    }
}
