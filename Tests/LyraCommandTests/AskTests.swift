// lyra ask, as a process, on the synthetic reference pack: answers are those of the original.
import Foundation
import MLX
import Testing

@Suite(.serialized) struct AskTests {
    private typealias Lyra = CommandLineProcess

    private func expected(_ name: String, _ setting: String) throws -> [Int] {
        let data = try Data(contentsOf: URL(fileURLWithPath: Lyra.pack + "/expected.json"))
        let json = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
        let cases = try #require(json["cases"] as? [String: Any]), entry = try #require(cases[name] as? [String: Any])
        let run = try #require((entry["runs"] as? [String: Any])?[setting] as? [String: Any])
        return try #require(run["greedy_ids"] as? [Int] ?? run["ids"] as? [Int])
    }

    private func ask(_ arguments: String...) throws -> CommandLineProcess.Result {
        try Lyra.run(["ask", "--precision", "f32", "--max-tokens", "24"] + arguments)
    }

    @Test func textAsJSON() throws {
        let result = try ask("--text", "Which is larger, 7 or 12? Explain it to a child.", "--json")
        #expect(result.status == 0)
        #expect(result.errors == "")
        let json = try result.json()
        #expect(json["token_ids"] as? [Int] == (try expected("text", "off")))
        #expect(json["adapter"] as? String == "off")
        #expect(json["precision"] as? String == "f32")
        #expect(json["finish_reason"] as? String == "length")
        let usage = try #require(json["usage"] as? [String: Any])
        #expect(usage["prompt_tokens"] as? Int == 62)
        #expect(usage["completion_tokens"] as? Int == 24)
        let timings = try #require(json["timings"] as? [String: Any])
        #expect((timings["total"] as? Double ?? 0) > 0)
        #expect((timings["seconds"] as? [String: Double])?["prefill"] != nil)
        #expect((json["text"] as? String)?.isEmpty == false)
    }

    @Test func textToRead() throws {
        let asJSON = try ask("--text", "Hello", "--json").json()["text"] as? String
        let result = try ask("--text", "Hello")
        #expect(result.status == 0)
        #expect(result.output == (asJSON ?? "") + "\n")
        #expect(result.errors.contains("--max-tokens"))
    }

    @Test func pictureFromStandardInput() throws {
        let picture = try Data(contentsOf: URL(fileURLWithPath: Lyra.input("img1.png")))
        let result = try Lyra.run(
            ["ask", "--precision", "f32", "--max-tokens", "24", "--image", "-", "--text", "Describe the colours and the numbers in the picture.", "--json"],
            input: picture)
        #expect(try result.json()["token_ids"] as? [Int] == (try expected("image_text", "off")))
    }

    @Test func questionFromStandardInput() throws {
        let result = try Lyra.run(
            ["ask", "--precision", "f32", "--max-tokens", "24", "--text", "-", "--json"],
            input: Data("Which is larger, 7 or 12? Explain it to a child.\n".utf8))
        #expect(try result.json()["token_ids"] as? [Int] == (try expected("text", "off")))
    }

    @Test func speechSpokenAndTraced() throws {
        let folder = try TemporaryFolder()
        let (speech, trace) = (folder.file("answer.wav"), folder.file("trace.safetensors"))
        let result = try ask(
            "--speech", Lyra.input("question_short.wav"), "--text", "Reply to the question you hear.", "--speak", speech, "--trace",
            trace, "--json")
        let json = try result.json()
        #expect(json["token_ids"] as? [Int] == (try expected("speech_text", "speech")))
        #expect(json["adapter"] as? String == "speech")
        #expect(json["speech_file"] as? String == speech)
        #expect(json["trace_file"] as? String == trace)
        #expect(folder.names == ["answer.wav", "trace.safetensors"])

        let sound = try Data(contentsOf: URL(fileURLWithPath: speech))
        #expect(sound.starts(with: Data("RIFF".utf8)))
        let seconds = try #require((json["usage"] as? [String: Any])?["spoken_seconds"] as? Double)
        #expect(abs(Double(sound.count - 44) / 2 / 16_000 - seconds) < 0.01)

        let file = try SafetensorsFile(URL(fileURLWithPath: trace))
        #expect(file.tensors["mel"]?.shape == [1, 128, 3_000])
        #expect(file.tensors["speech_tokens"]?.shape == [300, 48])
        #expect(file.tensors["position_ids"]?.shape == [3, 345])
        #expect(file.tensors["logits"]?.shape == [752])
        let ids = try file.array(named: "generated_ids").asArray(Int32.self).map(Int.init)
        #expect(ids == json["token_ids"] as? [Int])
        #expect(try file.array(named: "input_ids").asArray(Int32.self).contains(-500))
        #expect(try file.array(named: "waveform").size == (sound.count - 44) / 2)
    }

    @Test(arguments: ["mp3", "opus", "flac"]) func spokenInOtherFormats(format: String) throws {
        let folder = try TemporaryFolder()
        let path = folder.file("answer.\(format)")
        let result = try ask("--speech", Lyra.input("greeting.wav"), "--image", Lyra.input("img2.png"), "--speak", path)
        #expect(result.status == 0, "\(result.errors)")
        #expect(folder.names == ["answer.\(format)"])
        #expect((FileManager.default.contents(atPath: path)?.count ?? 0) > 500)
    }

    @Test func evidenceInEveryFormat() throws {
        let folder = try TemporaryFolder()
        for format in ["json", "svg", "png"] {
            let path = folder.file("evidence.\(format)")
            let result = try ask(
                "--image", Lyra.input("img1.png"), "--speech", Lyra.input("greeting.wav"), "--text", "What?", "--extract", "3,0.5",
                "--evidence", path, "--json")
            #expect(try result.json()["evidence_file"] as? String == path)
        }
        let data = try Data(contentsOf: URL(fileURLWithPath: folder.file("evidence.json")))
        let json = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
        let media = try #require(json["media"] as? [[String: Any]])
        #expect(media.compactMap { $0["kind"] as? String } == ["vision", "speech"])
        #expect(media.allSatisfy { $0["kept_share"] is Double })
        #expect(json["layers"] as? [Int] == [1, 3])
        let svg = try String(contentsOfFile: folder.file("evidence.svg"), encoding: .utf8)
        #expect(svg.contains("“What?”") && svg.contains("img1.png") && svg.contains("greeting.wav"))
        #expect(XMLChecker.isWellFormed(svg))
        #expect(FileManager.default.contents(atPath: folder.file("evidence.png"))?.starts(with: [0x89, 0x50, 0x4E, 0x47]) == true)
    }

    @Test func sameSeedSameReply() throws {
        func draw(_ seed: String) throws -> [Int]? {
            try ask("--text", "Name a colour.", "--temperature", "1.5", "--top-p", "0.95", "--seed", seed, "--json").json()["token_ids"] as? [Int]
        }
        #expect(try draw("1") == draw("1"))
        #expect(try draw("1") != draw("2"))
    }
}
