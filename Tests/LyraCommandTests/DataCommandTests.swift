// lyra data, as a process.
import Foundation
import Testing

@Suite(.serialized) struct DataCommandTests {
    private typealias Command = CommandLineProcess

    @Test func checkGoodAndBad() throws {
        let good = try Command.run(["data", "check", "examples/training/train.json"])
        #expect(good.status == 0, "\(good.errors)")
        #expect(good.output.hasPrefix("16 samples, 16 good, 0 bad\n10 pictures, 0 videos, 11 recordings"), "\(good.output)")

        let folder = try TemporaryFolder()
        let path = folder.file("data.jsonl")
        try Data("{\"id\":\"x\",\"image\":\"none.png\",\"conversations\":[{\"from\":\"human\",\"value\":\"<image>\"},{\"from\":\"gpt\",\"value\":\"a\"}]}\nnonsense\n".utf8)
            .write(to: URL(fileURLWithPath: path))
        let bad = try Command.run(["data", "check", path])
        #expect(bad.status == 1)
        #expect(bad.output.contains("\(path):1 (id x): image: no file at '\(folder.path)/none.png'"), "\(bad.output)")
        #expect(bad.errors == "Error: 2 of 2 samples cannot be trained on\n")
        let json = try Command.run(["data", "check", "--json", "--headers-only", path]).json()
        #expect(json["bad"] as? [String: Int] == ["missing_file": 1, "not_json": 1])
        #expect((json["problems"] as? [[String: Any]])?.compactMap { $0["line"] as? Int } == [1, 2])
        #expect(json["samples"] as? Int == 2)
    }

    @Test func wrongUse() throws {
        #expect(try Command.run(["data", "check", "/nowhere.json"]).status == 66)
        #expect(try Command.run(["data", "check"]).status == 64)
        #expect(try Command.run(["data", "check", "examples/training/train.json"], environment: [:]).status == 64)
        #expect(try Command.run(["data", "check", "--max-tokens", "0", "examples/training/train.json"]).status == 64)
        let short = try Command.run(["data", "check", "--max-tokens", "50", "examples/training/train.json", "--list", "1"])
        #expect(short.status == 1)
        #expect(short.output.contains("too_long"))
        let folder = try TemporaryFolder()
        try Data("[{".utf8).write(to: URL(fileURLWithPath: folder.file("cut.json")))
        let cut = try Command.run(["data", "check", folder.file("cut.json")])
        #expect(cut.status == 1)
        #expect(cut.errors.contains("item 0, which begins at byte 1, does not end"))
    }
}

/// From recordings to units and back to sound.
@Suite(.serialized) struct VocodeCommandTests {
    private typealias Command = CommandLineProcess

    @Test func whatTheVoiceMakesOfUnits() throws {
        let folder = try TemporaryFolder(), data = folder.file("data.jsonl"), own = folder.file("own"), units = folder.file("units/units.txt")
        let root = Command.root + "/examples/nano", vocoder = "models/nano/model_zoo/audio/vocoder"
        let lines = [("a", "sentence.flac", "The train to London leaves at six nineteen."), ("b", "question.wav", "What can you see in the picture?")].map {
            #"{"id":"\#($0.0)","speech":"\#(root)/\#($0.1)","speech_asr":"\#($0.2)"}"#
        }
        try Data((lines.joined(separator: "\n") + "\n").utf8).write(to: URL(fileURLWithPath: data))
        #expect(try Command.run(["data", "units", data, "--clusters", "20", "--change-cost", "2", "--output", folder.file("units")]).status == 0)
        let arguments = ["data", "vocode", data, "--units", units, "--vocoder", vocoder, "--output", own]
        let made = try Command.run(arguments)
        #expect(made.status == 0 && made.output == "\(own)/recordings.jsonl\n", "\(made.errors)")
        let checked = try Command.run(["data", "check", own + "/recordings.jsonl"])
        #expect(checked.output.hasPrefix("2 samples, 2 good, 0 bad\n0 pictures, 0 videos, 2 recordings"), "\(checked.output)")
        let first = try Data(contentsOf: URL(fileURLWithPath: own + "/0000/000000.flac"))
        #expect(first.count > 2_000 && first.prefix(4) == Data("fLaC".utf8))
        // Other units, other sound, in a folder that has been written before; one list of as many as there shall be.
        let lists = try String(contentsOfFile: units, encoding: .utf8).split(separator: "\n")
        try Data("a|\(lists[1].dropFirst(2))\nb|1\n".utf8).write(to: URL(fileURLWithPath: units))
        #expect(try Command.run(arguments + ["--limit", "1"]).status == 0)
        #expect(try Data(contentsOf: URL(fileURLWithPath: own + "/0000/000000.flac")) != first)
        #expect(try String(contentsOfFile: own + "/recordings.jsonl", encoding: .utf8).split(separator: "\n").count == 1)

        try Data("a|1 1 9999\n".utf8).write(to: URL(fileURLWithPath: units))
        let wrong = try Command.run(arguments)
        #expect(wrong.status == 66 && wrong.errors.contains("a has unit 9999, beyond the vocoder's"), "\(wrong.errors)")
        try Data("c|1 1\n".utf8).write(to: URL(fileURLWithPath: units))
        let none = try Command.run(arguments)
        #expect(none.status == 66 && none.errors.contains("no recording with a transcript has units"), "\(none.errors)")
    }
}

/// Recordings of answers lend their units to conversations.
@Suite(.serialized) struct MatchUnitsCommandTests {
    private typealias Command = CommandLineProcess

    @Test func whoeverHasTheAnswerGetsItsUnits() throws {
        let folder = try TemporaryFolder()
        func write(_ name: String, _ lines: [String]) throws -> String {
            try Data((lines.joined(separator: "\n") + "\n").utf8).write(to: URL(fileURLWithPath: folder.file(name)))
            return folder.file(name)
        }
        func turns(_ texts: [String]) -> String {
            "[" + texts.enumerated().map { #"{"from":"\#($0.offset % 2 == 0 ? "human" : "gpt")","value":"\#($0.element)"}"# }.joined(separator: ",") + "]"
        }
        let recordings = try write("answers.jsonl", [("a", "It is red."), ("b", "It is red."), ("c", "Yes."), ("d", "No.")].map {
            #"{"id":"\#($0.0)","speech":"\#($0.0).flac","speech_asr":"\#($0.1)"}"#
        })
        let units = try write("units.txt", ["a|1 1 2", "b|3 3", "c|4 5 5"])
        let data = try write("pictures.jsonl", [
            #"{"id":"1","image":"x/1.png","conversations":\#(turns([#"<image>\nWhich colour?"#, "It is red.", "Is it big?", "No."]))}"#,
            #"{"id":"2","speech":["/s.wav","q.wav"],"conversations":\#(turns([#"<speech>\n<speech>"#, "Yes."]))}"#,
            #"{"id":"3","image":"x/3.png","conversations":\#(turns([#"<image>\nHow many?"#, "There are two.", "Is it round?", "Yes."]))}"#,
        ])
        let arguments = ["data", "match-units", data, "--recordings", recordings, "--units", units, "--output", folder.file("matched.jsonl")]
        func matched(_ more: [String]) throws -> [String: (asked: [String], units: [Int], media: [String])] {
            let done = try Command.run(arguments + more)
            #expect(done.status == 0, "\(done.errors)")
            let lines = try String(contentsOfFile: folder.file("matched.jsonl"), encoding: .utf8).split(separator: "\n")
            return Dictionary(uniqueKeysWithValues: try lines.map { line in
                let item = try #require(JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
                let turns = try #require(item["conversations"] as? [[String: String]]).compactMap { $0["value"] }
                let media = (item["image"] as? String).map { [$0] } ?? item["speech"] as? [String] ?? []
                return (try #require(item["id"] as? String), (turns, try #require(item["units"] as? [Int]), media))
            })
        }
        // Of conversations the last answer counts; nobody says "No." in units.
        let whole = try matched([])
        #expect(Set(whole.keys) == ["2", "3"] && whole["2"]?.units == [4, 5] && whole["3"]?.asked.count == 4)
        #expect(whole["2"]?.media == ["/s.wav", "q.wav"])
        // Of independent questions one whose answer is said, with the picture.
        let single = try matched(["--independent-turns"])
        #expect(Set(single.keys) == ["1", "2", "3"] && single["1"]?.asked == ["<image>\nWhich colour?", "It is red."])
        #expect([[1, 2], [3]].contains(single["1"]?.units) && single["3"]?.asked == ["<image>\nIs it round?", "Yes."] && single["3"]?.media == ["x/3.png"])
        #expect(try matched(["--independent-turns", "--limit", "1"]).count == 1)
        let system = #"{"id":"4","image":"x/4.png","conversations":[{"from":"system","value":"Be brief."},\#(turns([#"<image>\nHow many?"#, "Two.", "Is it round?", "Yes."]).dropFirst())}"#
        _ = try write("pictures.jsonl", [system])
        #expect(try matched(["--independent-turns"])["4"]?.asked == ["Be brief.", "<image>\nIs it round?", "Yes."])
        _ = try write("pictures.jsonl", [#"{"id":"1","image":"x/1.png","conversations":\#(turns([#"<image>\nWhich colour?"#, "It is red."]))}"#])
        let versions = try (0..<20).map { try matched(["--independent-turns", "--seed", "\($0)"])["1"]?.units }
        #expect(Set(versions) == [[1, 2], [3]])

        #expect(try Command.run(arguments + ["--units", units]).status == 64)
        _ = try write("units.txt", ["z|1"])
        let none = try Command.run(arguments)
        #expect(none.status == 66 && none.errors.contains("no recording says an answer"), "\(none.errors)")
    }
}

@Suite(.serialized) struct SynthesisCommandTests {
    private typealias Command = CommandLineProcess

    /// A small world, checked as training would read it, a tokenizer learnt from it, and a model that takes the tokenizer.
    @Test(.enabled(if: FileManager.default.fileExists(atPath: "/usr/share/festival/voices/us/cmu_us_slt_arctic_hts")
        && FileManager.default.fileExists(atPath: "/usr/bin/espeak-ng") && FileManager.default.fileExists(atPath: "/usr/bin/flite"),
        "skipped: espeak-ng, flite, festival or its voices are not installed"))
    func fromNothingToATokenizedModel() throws {
        let folder = try TemporaryFolder(), world = folder.file("world")
        let made = try Command.run([
            "data", "synth", world, "--split", "train", "--scale", "0.0005", "--only", "pictures", "spoken", "knowledge", "video", "passages",
            "--json",
        ])
        #expect(made.status == 0, "\(made.errors)")
        #expect(try made.json()["items"] as? Int == 10 + 10 + 5 + 3 + 3)
        let files = ["pictures", "spoken", "knowledge", "video", "passages"].map { "\(world)/train/\($0).jsonl" }
        let checked = try Command.run(["data", "check"] + files)
        #expect(checked.status == 0 && checked.output.hasPrefix("31 samples, 31 good"), "\(checked.output)\(checked.errors)")
        let wrong = try Command.run(["data", "synth", world, "--seed", "2"])
        let settings = try String(contentsOfFile: world + "/settings.txt", encoding: .utf8).trimmingCharacters(in: .whitespacesAndNewlines)
        #expect(settings.hasPrefix("version ") && settings.hasSuffix(", seed 0, flac"))
        #expect(wrong.status == 1 && wrong.errors.contains("holds data made with \(settings)"), "\(wrong.errors)")

        let learnt = try Command.run(["data", "tokenizer"] + files + ["--vocabulary", "700", "--out", folder.file("tokenizer")])
        #expect(learnt.status == 0 && learnt.output.contains("tokens, from"), "\(learnt.errors)")
        let new = try Command.run(["new", "--preset", "tiny", "--tokenizer", folder.file("tokenizer"), folder.file("model")])
        #expect(new.status == 0, "\(new.errors)")
        let model = new.output.trimmingCharacters(in: .whitespacesAndNewlines)
        func read(_ name: String) throws -> [String: Any] {
            let data = try Data(contentsOf: URL(fileURLWithPath: "\(model)/\(name)"))
            return try #require(JSONSerialization.jsonObject(with: data) as? [String: Any])
        }
        // Control tokens are where the tokenizer has them: at its end.
        let added = try #require(try read("tokenizer_config.json")["added_tokens_decoder"] as? [String: [String: Any]])
        let end = try #require(added.first { $0.value["content"] as? String == "<|im_end|>" }.flatMap { Int($0.key) })
        #expect(end > 300)
        #expect(try read("config.json")["eos_token_id"] as? Int == end)
        #expect(try read("generation_config.json")["eos_token_id"] as? [Int] == [end, end - 2])
        let asked = try Command.run(["ask", "--text", "How many?", "--max-tokens", "4", "--json"], environment: ["LYRA_MODEL": model])
        #expect(asked.status == 0, "\(asked.errors)")
        // Fewer tokens than single bytes would take.
        let prompt = try #require((try asked.json()["usage"] as? [String: Any])?["prompt_tokens"] as? Int)
        #expect(prompt < 40)
    }

    /// A sound file, and the same as an item with what is said in it, by the encoder that ships.
    @Test func listening() throws {
        let folder = try TemporaryFolder(), question = Command.root + "/examples/question.wav", ears = Command.root + "/models/nano-towers"
        let heard = try Command.run(["data", "listen", question, "--encoder", ears])
        #expect(heard.status == 0 && heard.output.hasPrefix("what colour is the circle and "), "\(heard.output)\(heard.errors)")
        let list = folder.file("list.jsonl")
        try Data(#"{"speech": "\#(question)", "speech_asr": "What colour is the circle, and what does the sign say?", "voice": "a"}"#.utf8)
            .write(to: URL(fileURLWithPath: list))
        let report = try Command.run(["data", "listen", list, "--encoder", ears, "--json"]).json()
        let all = try #require(report["all"] as? [String: Any])
        let wrong = try #require(all["cer"] as? Double)
        #expect(all["recordings"] as? Int == 1 && wrong < 0.06)
        let mixed = try Command.run(["data", "listen", list, question, "--encoder", ears])
        #expect(mixed.output.hasPrefix("\(question)\twhat colour") && mixed.output.contains("WER"), "\(mixed.output)")
        let refused = try Command.run(["data", "listen", question, "--encoder", ears, "--json"])
        #expect(refused.status == 64 && refused.errors.contains("sound file"), "\(refused.errors)")
        #expect(try Command.run(["data", "listen", "/nowhere.wav", "--encoder", ears]).status == 66)
    }

    @Test func wrongUse() throws {
        #expect(try Command.run(["data", "synth"]).status == 64)
        #expect(try Command.run(["data", "synth", "/tmp/x", "--jobs", "0"]).status == 64)
        #expect(try Command.run(["data", "synth", "/tmp/x", "--real-speech", "/nowhere"]).status == 66)
        #expect(try Command.run(["data", "tokenizer", "/nowhere.txt", "--out", "/tmp/x"]).status == 66)
        #expect(try Command.run(["data", "tokenizer", "README.md", "--out", "/tmp/x", "--vocabulary", "100"]).status == 64)
        // Without the synthesisers, the packages that bring them are named.
        let missing = try Command.run(["data", "synth", "/tmp/lyra-none"], environment: ["PATH": "/nowhere"])
        #expect(missing.status == 1 && missing.errors.contains("apt-get install espeak-ng flite festival"), "\(missing.errors)")
        // Where nobody speaks, and where speech is written, nothing is missing; and no file is scaled away.
        let folder = try TemporaryFolder()
        for options in [["--only", "pictures"], ["--written", "--only", "long", "--longest", "1"]] {
            let made = try Command.run(
                ["data", "synth", folder.file(options[0]), "--split", "train", "--scale", "0.0001"] + options, environment: ["PATH": "/nowhere"])
            #expect(made.status == 0, "\(made.errors)")
        }
        try Data([0xFF, 0xFE]).write(to: URL(fileURLWithPath: folder.file("a.txt")))
        let binary = try Command.run(["data", "tokenizer", folder.file("a.txt"), "--out", folder.file("t")])
        #expect(binary.status == 1 && binary.errors.contains("not valid UTF-8"))
        // A tokenizer that a preset has no room for.
        let large = try Command.run(["data", "tokenizer", "README.md", "docs/decisions.md", "--vocabulary", "1500", "--out", folder.file("t")])
        #expect(large.status == 0, "\(large.errors)")
        let new = try Command.run(["new", "--preset", "tiny", "--tokenizer", folder.file("t"), folder.file("m")])
        #expect(new.status == 64 && new.errors.contains("1500 tokens, more than the preset's 1024"), "\(new.errors)")
    }
}
