// lyra eval and the data preparation commands, as processes: what they print, and that a run outlives kill -9.
import Foundation
import LyraMedia
import Testing

@Suite(.serialized) struct EvalCommandTests {
    private typealias Command = CommandLineProcess

    private func lastLine(_ result: Command.Result) throws -> [String: Any] {
        let line = try #require(result.output.split(separator: "\n").last, "\(result.errors)")
        return try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any], "\(result.output) \(result.errors)")
    }

    private func eval(_ arguments: [String], while body: (Process) throws -> Void = { _ in }) throws -> Command.Result {
        try Command.run(["eval"] + arguments, while: body)
    }

    @Test func killedAndGoneOnWith() throws {
        let data = try TemporaryFolder()
        try MiniData(root: data.path, count: 12).spokenQuestions("Docvqa_val", "lyra_docvqa_audio", "docvqa-speech")
        try Data("no sound".utf8).write(to: URL(fileURLWithPath: data.file("Docvqa_val/lyra_audios/7.mp3")))
        let arguments = ["docvqa-speech", "--data", data.path, "--max-tokens", "4", "--precision", "f32", "--out"]
        let whole = try eval(arguments + [data.file("whole")])
        #expect(whole.status == 0, "\(whole.errors)")
        #expect(whole.errors.contains("docvqa-speech: 7: ") && whole.output.contains("1 of 12 items could not be asked"))

        let items = data.file("parts/items.jsonl")
        func lines() -> Int { (FileManager.default.contents(atPath: items) ?? Data()).count { $0 == 0x0A } }
        let killed = try eval(arguments + [data.file("parts")]) { process in
            let deadline = Date(timeIntervalSinceNow: 60)
            while lines() < 3, process.isRunning, Date() < deadline { usleep(500) }
            kill(process.processIdentifier, SIGKILL)
        }
        #expect(killed.status == -SIGKILL)
        #expect((3..<12).contains(lines()))
        #expect(try eval(arguments + [data.file("parts")]).status == 1)
        let resumed = try eval(arguments + [data.file("parts"), "--resume"])
        #expect(resumed.status == 0, "\(resumed.errors)")
        #expect(resumed.output.components(separatedBy: "\n{")[0] == whole.output.components(separatedBy: "\n{")[0])
        let (a, b) = (try lastLine(whole), try lastLine(resumed))
        for key in ["metrics", "failures", "items", "failed", "slices", "is_complete"] { #expect("\(a[key] ?? "")" == "\(b[key] ?? "")", "\(key)") }
        func replies(_ folder: String) throws -> [String] {
            try String(contentsOfFile: data.file("\(folder)/items.jsonl"), encoding: .utf8).split(separator: "\n").map { line in
                let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
                return "\(object?["id"] ?? "") \(object?["answer"] ?? "") \(object?["score"] ?? "") \(object?["error"] ?? "")"
            }
        }
        #expect(try replies("parts") == replies("whole"))
        // Nothing is asked twice, and another model's run is not mixed in.
        let again = try eval(arguments + [data.file("parts"), "--resume"])
        #expect(again.status == 0 && lines() == 12)
        let other = try eval(["docvqa-speech", "--data", data.path, "--max-tokens", "5", "--precision", "f32", "--resume", "--out", data.file("parts")])
        #expect(other.status == 1 && other.errors.contains("maximum_tokens is 4 there, 5 here"))

        let compared = try eval(["compare", data.file("whole"), data.file("parts"), "--items", "2"])
        #expect(compared.status == 0 && compared.output.contains("+0.00"), "\(compared.errors)")
        let comparison = try #require((try lastLine(compared)["benchmarks"] as? [String: [[String: Any]]])?["docvqa-speech"]?.first)
        #expect(comparison["difference"] as? Double == 0 && comparison["items"] as? Int == 11)
        let report = try eval(["report", data.file("whole"), data.file("parts"), "--out", data.file("both.html")])
        #expect(report.status == 0 && FileManager.default.fileExists(atPath: data.file("both.html")), "\(report.errors)")
    }

    @Test func everythingThatIsThere() throws {
        let data = try TemporaryFolder(), mini = MiniData(root: data.path, count: 2)
        try mini.mme()
        try mini.nano()
        let result = try eval(["all", "--data", data.path, "--out", data.file("out"), "--max-tokens", "3", "--limit", "4"])
        #expect(result.status == 0, "\(result.errors)")
        #expect(result.errors.contains("not run: librispeech") && result.errors.contains("https://www.openslr.org/12") && result.errors.contains("trans.txt"))
        let summary = try lastLine(result)
        #expect((summary["benchmarks"] as? [[String: Any]])?.compactMap { $0["benchmark"] as? String } == ["mme", "nano"])
        #expect((summary["not_run"] as? [String])?.count == 12)
        let page = try String(contentsOfFile: data.file("out/report.html"), encoding: .utf8)
        #expect(page.contains("id=\"mme\"") && page.contains("id=\"nano\"") && page.contains("Not run"))
        // More data have come.
        try mini.librispeech()
        let more = try eval(["all", "--data", data.path, "--out", data.file("out"), "--max-tokens", "3", "--limit", "4", "--resume"])
        #expect(more.status == 0, "\(more.errors)")
        #expect((try lastLine(more)["benchmarks"] as? [[String: Any]])?.count == 3)
    }

    @Test func nanoPrintsATableAndALine() throws {
        let data = try TemporaryFolder()
        try MiniData(root: data.path, count: 2).nano()
        let recogniser = "echo heard; test -s {audio}"
        let result = try eval([
            "nano", "--data", data.path, "--out", data.file("out"), "--max-tokens", "3", "--extract", "2,0.5", "--recogniser", recogniser,
        ])
        #expect(result.status == 0, "\(result.errors)")
        for words in ["Question in writing about a picture", ">= 97", "missed", "Transcription: word error rate", "<= 6"] { #expect(result.output.contains(words), "\(words)") }
        let metrics = try #require(try lastLine(result)["metrics"] as? [[String: Any]])
        #expect(metrics.contains { $0["key"] as? String == "needle_extractor_gain" } && metrics.contains { $0["target"] as? Double == 97 })
    }

    @Test func wrongUse() throws {
        let data = try TemporaryFolder()
        try MiniData(root: data.path, count: 2).mme()
        #expect(try eval(["imagenet", "--data", data.path]).status == 64)
        #expect(try eval(["mme", "--data", "/nowhere"]).status == 66)
        #expect(try eval(["mme", "--data", data.path, "--split", "x"]).status == 64)
        #expect(try eval(["mme", "--data", data.path, "--limit", "0"]).status == 64)
        #expect(try eval(["mme", "--data", data.path, "--extract", "99,0.5"]).status == 64)
        let missing = try eval(["librispeech", "--data", data.path])
        #expect(missing.status == 66 && missing.errors.contains("https://www.openslr.org/12"))
        #expect(!missing.errors.contains("Error Domain"))
        #expect(try eval(["compare", data.path, data.path]).status == 1)
        let list = try eval(["list", "--data", data.path])
        #expect(list.status == 0 && list.output.contains("there: \(data.file("MME_Benchmark_release_version"))") && list.output.contains("not there"))
        #expect((try eval(["list", "--json"]).json()["benchmarks"] as? [[String: Any]])?.count == 14)
    }

    @Test func preparations() throws {
        let data = try TemporaryFolder(), mini = MiniData(root: data.path)
        try mini.librispeech()
        let list = try Command.run(["data", "librispeech", data.file("LibriSpeech"), "--output", data.file("LibriSpeech/test-clean.jsonl")])
        #expect(list.status == 0 && list.errors.contains("3 items in "), "\(list.errors)")
        #expect(try lastLine(list)["items"] as? Int == 3)
        #expect(try Command.run(["data", "librispeech", "/nowhere", "--output", data.file("x")]).status == 66)

        try mini.sound("voice.wav", seed: 1)
        let needles = try Command.run([
            "data", "needle", "--output", data.file("needles"), "--count", "2", "--command", "cp \(data.file("voice.wav")) {output}",
            "--hide-in", data.file("voice.wav"), "--lengths", "6", "--depths", "50",
        ])
        #expect(needles.status == 0, "\(needles.errors)")
        #expect(FileManager.default.fileExists(atPath: data.file("needles/needles.jsonl")))
        // What was made can be trained on.
        let check = try Command.run(["data", "check", data.file("needles/needle.jsonl")])
        #expect(check.status == 0 && check.output.hasPrefix("2 samples, 2 good"), "\(check.output) \(check.errors)")

        let spoken = try Command.run([
            "data", "speech-from-text", "examples/training/train.json", "--output", data.file("spoken"), "--command",
            "cp \(data.file("voice.wav")) {output}",
        ])
        #expect(spoken.status == 0, "\(spoken.errors)")
        #expect((try lastLine(spoken)["items"] as? Int ?? 0) > 3)
        #expect(try Command.run(["data", "speech-from-text", "examples/training/train.json", "--output", data.file("s"), "--command", "say"]).status == 64)

        try mini.write("talk.txt", "Once upon a time.")
        try mini.sound("talk.wav", seed: 1)
        let jobs = try Command.run(["data", "long-speech", data.file("talk.wav"), "--output", data.file("long")])
        #expect(jobs.status == 0 && FileManager.default.fileExists(atPath: data.file("long/jobs.jsonl")), "\(jobs.errors)")
        let server = try LocalServer { _, _ in (200, LocalServer.completion("[{\"question\":\"When?\",\"answer\":\"Once.\"}]")) }
        let asked = try Command.run(["data", "long-speech", data.file("talk.wav"), "--output", data.file("long"), "--endpoint", server.address, "--endpoint-model", "m"])
        #expect(asked.status == 0, "\(asked.errors)")
        #expect(try Command.run(["data", "check", data.file("long/data.jsonl")]).status == 0)
        #expect(try Command.run(["data", "long-speech", data.file("voice.wav"), "--output", data.file("l")]).status == 66)

        try mini.sound("cv/clips/a.mp3", seed: 1)
        try mini.write("cv/train.tsv", "client_id\tpath\tsentence\nx\ta.mp3\tHello\n")
        #expect(try Command.run(["data", "commonvoice", data.file("cv/train.tsv"), "--output", data.file("cv/train.jsonl")]).status == 0)
        #expect(try Command.run(["data", "check", data.file("cv/train.jsonl")]).status == 0)
    }
}
