// The preset whose speech encoder hears 8 s at a time: nothing depends on the release's 30 s.
import Foundation
import LyraMedia
import LyraModel
import Testing

@Suite(.serialized) struct NanoTests {
    private typealias Lyra = CommandLineProcess

    /// A checkpoint, and sounds of 8 s and 9 s.
    private func prepare(_ folder: TemporaryFolder) throws -> (environment: [String: String], eight: String, nine: String) {
        let model = try RandomCheckpoint.write(preset: .nano, seed: 1, to: folder.file("nano"))
        for seconds in [8, 9] {
            let sound = (0..<(seconds * 16_000)).map { sin(Float($0) * 0.05) * (Float($0 % 20_000) / 60_000) }
            try AudioFile.write(sound, sampleRate: 16_000, to: folder.file("\(seconds).wav"))
        }
        return (["LYRA_MODEL": model], folder.file("8.wav"), folder.file("9.wav"))
    }

    @Test func aWindowHasEightSeconds() throws {
        let folder = try TemporaryFolder()
        let (environment, eight, nine) = try prepare(folder)

        let report = try Lyra.run(["inspect", "--json"], environment: environment).json()
        let parts = try #require(report["parts"] as? [[String: Any]])
        let parameters = parts.reduce(0) { $0 + ($1["parameters"] as? Int ?? 0) }
        #expect((5_000_000...20_000_000).contains(parameters), "\(parameters)")

        for (file, tokens, adapter) in [(eight, 80, "speech"), (nine, 160, "long_speech")] {
            let evidence = folder.file("\(tokens).json")
            let reply = try Lyra.run(
                [
                    "ask", "--speech", file, "--text", "What is said?", "--max-tokens", "2", "--extract", "2,0.5", "--evidence",
                    evidence, "--json",
                ], environment: environment
            ).json()
            #expect((reply["usage"] as? [String: Any])?["speech_tokens"] as? Int == tokens)
            #expect(reply["adapter"] as? String == adapter)
            let found = try JSONSerialization.jsonObject(with: Data(contentsOf: URL(fileURLWithPath: evidence))) as? [String: Any]
            let pieces = try #require((found?["media"] as? [[String: Any]])?.first?["pieces"] as? [[String: Any]])
            #expect(pieces.count == tokens)
            #expect(abs((pieces.last?["end"] as? Double ?? 0) - Double(tokens) / 10) < 1e-9)
        }

        let transcript = try Lyra.run(
            ["transcribe", nine, "--format", "json", "--max-tokens", "2"], environment: environment
        ).json()
        let segments = try #require(transcript["segments"] as? [[String: Any]])
        #expect(segments.count == 2 && segments.first?["end"] as? Double ?? 9 <= 8)
        #expect(segments.last?["end"] as? Double == 9)
        let tooLong = try Lyra.run(["transcribe", nine, "--window", "12"], environment: environment)
        #expect(tooLong.status == 64 && tooLong.errors.contains("8"), "\(tooLong.errors)")
    }

    @Test func trainingCountsItsTokens() throws {
        let folder = try TemporaryFolder()
        let (environment, _, _) = try prepare(folder)
        let lines = [8, 9].map {
            #"{"id":"s\#($0)","speech":"\#($0).wav","speech_asr":"hum","conversations":[{"from":"human","value":"<speech>\n?"},{"from":"gpt","value":"m"}]}"#
        }
        try lines.joined(separator: "\n").write(toFile: folder.file("data.jsonl"), atomically: true, encoding: .utf8)
        let settings: [String: Any] = [
            "stage": "joint", "model": try #require(environment["LYRA_MODEL"]), "output": "run", "data": [["path": "data.jsonl"]],
            "batch_size": 2, "adapter": ["name": "speech", "rank": 16, "alpha": 32],
        ]
        try JSONSerialization.data(withJSONObject: settings).write(to: URL(fileURLWithPath: folder.file("train.json")))
        let result = try Lyra.run(["train", folder.file("train.json")])
        #expect(result.status == 0, "\(result.errors)")
        let log = try String(contentsOfFile: folder.file("run/metrics.jsonl"), encoding: .utf8)
        let step = try #require(try JSONSerialization.jsonObject(with: Data(log.utf8)) as? [String: Any])
        // 80 + 160 of speech, and the words around them, a token a byte; windows of 30 s would have 300 each.
        let tokens = try #require(step["tokens"] as? Int)
        #expect(tokens > 240 && tokens < 480, "\(tokens)")
        #expect((step["losses"] as? [String: Any])?["regulariser"] as? Double ?? 0 > 0)
    }
}
