// chat, transcribe, inspect, new and bench, as processes.
import Foundation
import Lyra
@testable import LyraCommand
import LyraModel
import MLX
import Testing

@Suite(.serialized) struct OtherCommandTests {
    private typealias Command = CommandLineProcess

    // MARK: chat

    @Test func chatFromAPipe() throws {
        let folder = try TemporaryFolder()
        let lines = """
            hello
            /image \(Command.input("img1.png"))
            What is on it?
            /speak \(folder.file("r.wav"))
            /speech \(Command.input("greeting.wav"))

            and again
            /save \(folder.file("chat.json"))
            /save \(folder.file("chat.txt"))
            /quit
            this is not read
            """
        let result = try Command.run(["chat", "--max-tokens", "5"], input: Data(lines.utf8))
        #expect(result.status == 0, "\(result.errors)")
        let data = try Data(contentsOf: URL(fileURLWithPath: folder.file("chat.json")))
        let turns = try #require((try JSONSerialization.jsonObject(with: data) as? [String: Any])?["turns"] as? [[String: Any]])
        #expect(turns.compactMap { $0["user"] as? String } == ["hello", "What is on it?", "", "and again"])
        let usage = turns.compactMap { $0["usage"] as? [String: Any] }
        #expect(usage[1]["vision_tokens"] as? Int == 54)
        #expect((usage[1]["cached_tokens"] as? Int ?? 0) > 0)
        for answer in turns.compactMap({ $0["assistant"] as? String }) { #expect(result.output.contains(answer)) }
        #expect(try String(contentsOfFile: folder.file("chat.txt"), encoding: .utf8).contains("[image: "))
        #expect(folder.names.filter { $0.hasSuffix(".wav") } == ["r-2.wav", "r.wav"])
    }

    @Test func chatStopsAtAWrongLineOfAPipe() throws {
        let result = try Command.run(["chat"], input: Data("/dance\nhello\n".utf8))
        #expect(result.status == 64)
        #expect(result.output == "")
    }

    // MARK: transcribe

    @Test func transcribeAsksAsTheReleaseDoes() async throws {
        let data = try Data(contentsOf: URL(fileURLWithPath: Command.pack + "/expected.json"))
        let json = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
        let prompts = try #require(json["eval_prompts"] as? [[String: Any]])
        let ids = try #require(prompts.first { $0["kind"] as? String == "asr" }?["input_ids"] as? [Int])
        let lyra = try await Lyra.open(Command.pack)
        var options = ReplyOptions()
        let trace = Trace()
        options.trace = trace
        options.maximumTokens = 1
        _ = try await lyra.conversation().respond(
            to: [.samples([Float](repeating: 0, count: 16_000)), .text(Transcriber(lyra: lyra).instruction)], options: options)
        #expect(trace.arrays()["input_ids"]?.asArray(Int32.self).map(Int.init) == ids)
    }

    @Test func subtitlesOfALongRecording() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("long.wav")
        try AudioFile.write((0..<(16_000 * 40)).map { sin(Float($0) * 0.05) * 0.3 }, sampleRate: 16_000, to: path)
        let result = try Command.run(["transcribe", path, "--format", "srt", "--max-tokens", "4"])
        #expect(result.status == 0)
        let cues = result.output.components(separatedBy: "\n\n").filter { !$0.isEmpty }
        #expect(cues.count == 2)
        #expect(cues[0].hasPrefix("1\n00:00:00,000 --> 00:00:"))
        #expect(cues[1].hasPrefix("2\n") && cues[1].contains("--> 00:00:40,000"))
        let start = cues[0].components(separatedBy: "--> ")[1].prefix(12), next = cues[1].dropFirst(2).prefix(12)
        #expect(start == next)

        let json = try Command.run(["transcribe", path, "--format", "json", "--max-tokens", "4", "--whole"]).json()
        #expect(json["duration"] as? Double == 40)
        #expect((json["segments"] as? [[String: Any]])?.count == 1)
    }

    @Test func transcriptsIntoAFolder() throws {
        let folder = try TemporaryFolder()
        let files = ["greeting.wav", "statement.wav"].map(Command.input)
        let result = try Command.run(["transcribe"] + files + ["--output", folder.file("out"), "--format", "vtt", "--max-tokens", "4"])
        #expect(result.status == 0, "\(result.errors)")
        #expect(result.output == "")
        for name in ["greeting", "statement"] {
            #expect(try String(contentsOfFile: folder.file("out/\(name).vtt"), encoding: .utf8).hasPrefix("WEBVTT\n\n00:00:00.000 --> "))
        }
    }

    // MARK: inspect

    @Test func inspectACheckpoint() throws {
        let json = try Command.run(["inspect", Command.pack, "--check", "--tensors", "--json"]).json()
        let parts = try #require(json["parts"] as? [[String: Any]])
        #expect(
            parts.compactMap { $0["name"] as? String } == [
                "language model", "adapter long_speech", "projector long_speech", "adapter speech", "projector speech",
                "vision tower", "speech tower", "vocoder",
            ])
        #expect((parts[0]["tensors"] as? [[String: Any]])?.isEmpty == false)
        #expect((json["language"] as? [String: Any])?["hidden_size"] as? Int == 48)
        #expect(json["end_tokens"] as? [Int] == [726, 728])
        #expect(json["non_finite"] as? [String] == [])
        let text = try Command.run(["inspect", Command.pack])
        #expect(text.output.contains("6 layers of width 48"))
        let file = try Command.run(["inspect", "--tensors", Command.pack + "/model_zoo/audio/vocoder/g_00500000"])
        #expect(file.status == 0 && file.output.contains("conv_pre.weight_v"), "\(file.errors)")
    }

    @Test func inspectFindsDamage() throws {
        let folder = try TemporaryFolder()
        try RandomCheckpoint.write(preset: .tiny, seed: 3, to: folder.path)
        #expect(try Command.run(["inspect", "--check", folder.path]).status == 0)
        let path = folder.file("work_dirs/Lyra_Tiny/model.safetensors")
        let file = try SafetensorsFile(URL(fileURLWithPath: path))
        var arrays = Dictionary(uniqueKeysWithValues: try file.names.map { ($0, try file.array(named: $0)) })
        arrays["model.norm.weight"] = MLXArray([Float](repeating: .nan, count: 64), [64])
        arrays["model.layers.0.mlp.up_proj.weight"] = MLXArray.zeros([3, 4])
        arrays["model.layers.1.mlp.up_proj.weight"] = nil
        arrays["model.surprise"] = MLXArray.zeros([1])
        try SafetensorsWriter.save(arrays, to: URL(fileURLWithPath: path))
        let result = try Command.run(["inspect", "--check", folder.path])
        #expect(result.status == 1)
        for words in [
            "model.norm.weight: 64 NaN of 64 values", "wrong shape: model.layers.0.mlp.up_proj.weight is [3, 4]",
            "missing: model.layers.1.mlp.up_proj.weight", "unexpected: model.surprise",
        ] { #expect(result.output.contains(words), "\(words) in \(result.output)") }
    }

    // MARK: new

    @Test func newIsReproducible() throws {
        let folder = try TemporaryFolder()
        for name in ["a", "b"] {
            let result = try Command.run(["new", "--preset", "tiny", "--seed", "9", folder.file(name)])
            #expect(result.status == 0, "\(result.errors)")
            #expect(result.output == folder.file(name) + "/work_dirs/Lyra_Tiny\n")
        }
        let model = "work_dirs/Lyra_Tiny/model.safetensors"
        #expect(FileManager.default.contentsEqual(atPath: folder.file("a/\(model)"), andPath: folder.file("b/\(model)")))
        let again = try Command.run(["new", "--preset", "tiny", folder.file("a")])
        #expect(again.status == 1)
        #expect(folder.names == ["a", "b"])
        let answer = try Command.run(["ask", "--model", folder.file("a"), "--text", "Hello?", "--max-tokens", "3", "--json"])
        #expect(try answer.json()["finish_reason"] as? String == "length", "\(answer.errors)")
    }

    @Test func shardedCheckpointsAreTheSame() throws {
        let folder = try TemporaryFolder()
        _ = try Command.run(["new", "--preset", "tiny", "--seed", "4", folder.file("one")])
        let result = try Command.run(["new", "--preset", "tiny", "--seed", "4", "--max-shard-size", "200KB", folder.file("many")])
        #expect(result.status == 0, "\(result.errors)")
        let files = try FileManager.default.contentsOfDirectory(atPath: folder.file("many/work_dirs/Lyra_Tiny"))
        #expect(files.contains { $0.hasPrefix("model-00002-of-") } && files.contains("model.safetensors.index.json"))
        let answers = try ["one", "many"].map {
            try Command.run(["ask", "--model", folder.file($0), "--text", "Hello?", "--max-tokens", "8", "--json"]).json()["token_ids"] as? [Int]
        }
        #expect(answers[0] == answers[1] && answers[0]?.count == 8)
        #expect(try Command.run(["inspect", "--check", folder.file("many")]).status == 0)
    }

    // MARK: bench

    @Test func benchMeasuresTraining() throws {
        let result = try Command.run(["bench", "--train", "--preset", "tiny", "--repeat", "1"])
        #expect(result.status == 0, "\(result.errors)")
        let last = try #require(result.output.split(separator: "\n").last)
        let json = try #require(try JSONSerialization.jsonObject(with: Data(last.utf8)) as? [String: Any])
        let tiny = try #require((json["train"] as? [String: Any])?["tiny"] as? [String: Any])
        // 64 of the picture, 300 of the sound, 110 of text.
        #expect(tiny["tokens"] as? Int == 16 * 474)
        for layers in ["kept", "recomputed"] {
            let step = try #require(tiny[layers] as? [String: Any])
            for key in ["seconds", "samples_per_second", "tokens_per_second", "gflops", "share_of_product", "peak_memory_bytes"] {
                #expect((step[key] as? NSNumber)?.doubleValue ?? 0 > 0, "\(layers) \(key)")
            }
        }
        let none = try Command.run(["bench", "--train", "--model", Command.pack])
        #expect(none.status == 64 && none.errors.contains("--preset"), "\(none.errors)")
    }

    @Test func benchPrintsATableAndALine() throws {
        let before = Set(try FileManager.default.contentsOfDirectory(atPath: FileManager.default.temporaryDirectory.path).filter { $0.hasPrefix("lyra-bench") })
        let result = try Command.run(["bench", "--preset", "tiny", "--repeat", "1", "--tokens", "4", "--lengths", "16", "--context", "8"])
        #expect(result.status == 0, "\(result.errors)")
        let lines = result.output.split(separator: "\n")
        let last = try #require(lines.last)
        let json = try #require(try JSONSerialization.jsonObject(with: Data(last.utf8)) as? [String: Any])
        for key in [
            "model_load_seconds", "speech_encoding_seconds", "speech_encoding_gflops", "vision_encoding_seconds",
            "prefill_16_tokens_per_second", "decode_tokens_per_second", "decode_share_of_bandwidth", "first_text_seconds",
            "vocoder_real_time_factor", "peak_memory_bytes", "read_gb_per_second", "product_gflops", "threads",
        ] { #expect((json[key] as? NSNumber)?.doubleValue ?? 0 > 0, "\(key)") }
        #expect(json["processor"] as? String != nil)
        #expect(lines.contains { $0.contains("prefill of 16 tokens") })
        let after = Set(try FileManager.default.contentsOfDirectory(atPath: FileManager.default.temporaryDirectory.path).filter { $0.hasPrefix("lyra-bench") })
        #expect(after.subtracting(before).isEmpty)
    }
}
