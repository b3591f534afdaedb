// lyra quantize and compare, as processes.
import Foundation
@testable import LyraCommand
import LyraModel
import Testing

@Suite(.serialized) struct QuantizeCommandTests {
    private typealias Command = CommandLineProcess

    @Test func aCopyIsWrittenInspectedUsedAndCompared() throws {
        let folder = try TemporaryFolder()
        let plain = folder.file("plain"), out = folder.file("out")
        try RandomCheckpoint.write(preset: .tiny, seed: 3, to: plain)
        let result = try Command.run(["quantize", plain, out, "--bits", "8", "--group-size", "32", "--vision-bits", "none"])
        #expect(result.status == 0, "\(result.errors)")
        #expect(result.output == out + "\n")
        #expect(result.errors.contains("layers quantised"))

        let before = try Command.run(["inspect", plain, "--json"]).json(), after = try Command.run(["inspect", out, "--check", "--json"]).json()
        func part(_ json: [String: Any], _ name: String) -> [String: Any]? {
            (json["parts"] as? [[String: Any]])?.first { $0["name"] as? String == name }
        }
        for name in ["language model", "vision tower", "speech tower", "adapter speech"] {
            let old = try #require(part(before, name)), new = try #require(part(after, name))
            #expect(old["parameters"] as? Int == new["parameters"] as? Int, "\(name)")
            #expect((new["problems"] as? [String])?.isEmpty == true, "\(name)")
        }
        let quantization = try #require(part(after, "language model")?["quantization"] as? [String: Any])
        #expect(quantization["bits"] as? Int == 8 && quantization["group_size"] as? Int == 32)
        #expect(part(after, "vision tower")?["quantization"] == nil)
        #expect(part(after, "speech tower")?["quantization"] != nil)
        #expect(try Command.run(["inspect", out]).output.contains("layers in 8 bits, groups of 32"))

        let answer = try Command.run(["ask", "--model", out, "--text", "Hello?", "--max-tokens", "3", "--json"])
        #expect(try answer.json()["finish_reason"] as? String == "length", "\(answer.errors)")

        let compared = try Command.run(["compare", plain, out, "--precision", "f32", "--tokens", "8", "--text", "Hello?", "--json"]).json()
        let errors = try #require(compared["relative_errors"] as? [String: Double])
        for stage in ["speech encoder", "speech tokens", "log-probabilities", "speech generator"] {
            #expect((errors[stage] ?? 0) > 0 && (errors[stage] ?? 1) < 0.1, "\(stage)")
        }
        #expect(errors["vision tokens"] == 0)
        #expect(compared["greedy_agreement"] as? Double ?? 0 > 0.5)
        let same = try Command.run(["compare", plain, "--precision", "f32", "--tokens", "8"])
        #expect(same.status == 0 && same.output.contains("100.0 %"), "\(same.errors)")
    }

    @Test func wrongUseIsToldBeforeTheWork() throws {
        let folder = try TemporaryFolder()
        #expect(try Command.run(["quantize", folder.file("nothing"), folder.file("out")]).status == 66)
        #expect(try Command.run(["quantize", Command.pack, folder.file("out"), "--bits", "3"]).status == 64)
        #expect(try Command.run(["quantize", Command.pack, folder.file("out"), "--group-size", "48"]).status == 64)
        let none = try Command.run(["quantize", Command.pack, folder.file("out"), "--keep", "model/nothing.*"])
        #expect(none.status == 1 && none.errors.contains("names look like model/"))
        #expect(folder.names == [])
    }

    @Test func speechIsKeptOnDiskBetweenCommands() throws {
        let folder = try TemporaryFolder()
        func ask() throws -> [String: Any] {
            try Command.run([
                "ask", "--speech", Command.input("greeting.wav"), "--cache", folder.file("cache"), "--max-tokens", "3", "--json",
            ]).json()
        }
        let first = try ask(), second = try ask()
        func known(_ json: [String: Any]) -> Int? { (json["usage"] as? [String: Any])?["known_speech_windows"] as? Int }
        #expect(known(first) == 0 && known(second) == 1)
        #expect(first["text"] as? String == second["text"] as? String)
    }

    @Test func severalFormatsAndAnEarlierRun() throws {
        let folder = try TemporaryFolder()
        let few = ["--preset", "tiny", "--repeat", "1", "--tokens", "2", "--lengths", "16", "--context", "8"]
        let both = try Command.run(["bench"] + few + ["--formats", "bf16,int8", "--threads", "1", "--only", "prefill,decode"])
        #expect(both.status == 0, "\(both.errors)")
        let line = try #require(both.output.split(separator: "\n").last)
        let json = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
        let runs = try #require(json["runs"] as? [[String: Any]])
        #expect(runs.compactMap { $0["format"] as? String } == ["bf16", "int8"])
        #expect(runs.allSatisfy { $0["threads"] as? Int == 1 && ($0["decode_tokens_per_second"] as? Double ?? 0) > 0 })
        try Data(both.output.utf8).write(to: URL(fileURLWithPath: folder.file("before.txt")))

        let contexts = try Command.run(
            ["bench"] + few + ["--only", "contexts,decode", "--contexts", "64,128", "--compare", folder.file("before.txt"), "--formats", "bf16", "--threads", "1"])
        #expect(contexts.status == 0, "\(contexts.errors)")
        for text in ["prefill s, no extractor", "prefill s, (4, 0.7)", "tokens/s, (4, 0.8)", "bf16 1", "ratio"] {
            #expect(contexts.output.contains(text), "\(text) in \(contexts.output)")
        }
        #expect(try Command.run(["bench"] + few + ["--compare", folder.file("nothing")]).status == 66)
        #expect(try Command.run(["bench"] + few + ["--formats", "q4"]).status == 64)
    }

    @Test func aRecordingIsMeasured() throws {
        let result = try Command.run(["bench", "--preset", "tiny", "--tokens", "2", "--only", "recording", "--recording", "2"])
        #expect(result.status == 0, "\(result.errors)")
        let line = try #require(result.output.split(separator: "\n").last)
        let json = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
        for key in ["recording_encoding_seconds", "recording_prefill_seconds", "recording_next_question_share", "recording_other_question_share"] {
            #expect((json[key] as? Double ?? 0) > 0, "\(key)")
        }
    }
}
