// `lyra train` as people use it: settings, runs that are killed and resumed, bad input.
import Foundation
import LyraMedia
import LyraModel
import MLX
import Testing

@Suite(.serialized) struct TrainTests {
    private typealias Lyra = CommandLineProcess

    /// A tiny checkpoint, twelve pictures with answers, and a configuration for nine steps.
    private func prepare(_ folder: TemporaryFolder, _ changes: [String: Any] = [:]) throws -> String {
        let model = try RandomCheckpoint.write(preset: .tiny, seed: 3, to: folder.file("model"), dtype: .float32)
        var lines = ""
        for i in 0..<12 {
            let pixels = (0..<(56 * 56)).flatMap { _ in [UInt8(20 * i), UInt8(255 - 20 * i), UInt8(i * 37 % 256)] }
            try RGBImage(width: 56, height: 56, pixels: pixels).write(png: folder.file("\(i).png"))
            lines += #"{"id":"s\#(i)","image":"\#(i).png","conversations":[{"from":"human","value":"<image>\nWhich?"},"#
            lines += #"{"from":"gpt","value":"Number \#(i)."}]}"# + "\n"
        }
        try lines.write(toFile: folder.file("data.jsonl"), atomically: true, encoding: .utf8)
        var settings: [String: Any] = [
            "stage": "joint", "model": model, "output": "run", "data": [["path": "data.jsonl"]], "batch_size": 4, "epochs": 3,
            "adapter": ["name": "speech", "rank": 4, "alpha": 8, "dropout": 0.1, "initialize": "new"], "learning_rate": 1e-3,
            "precision": "f32", "checkpoint_every": 2, "seed": 5,
        ]
        settings.merge(changes) { $1 }
        try JSONSerialization.data(withJSONObject: settings).write(to: URL(fileURLWithPath: folder.file("train.json")))
        return folder.file("train.json")
    }

    /// What each step of a run lost, by metrics.jsonl.
    private func losses(_ folder: TemporaryFolder, _ run: String = "run") throws -> [String] {
        let text = (try? String(contentsOfFile: folder.file("\(run)/metrics.jsonl"), encoding: .utf8)) ?? ""
        return try text.split(separator: "\n").compactMap { line in
            // The last line of a run that was killed may be cut.
            guard let object = try? JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any] else { return nil }
            let losses = try #require(object["losses"] as? [String: Any])
            return "\(try #require(object["step"])): \(try #require(losses["total"])) \(try #require(object["gradient_norm"]))"
        }
    }

    @Test func killedRunsGoOnAsIfNothingHadHappened() throws {
        let folder = try TemporaryFolder()
        let file = try prepare(folder)
        let whole = try Lyra.run(["train", file, "--output", folder.file("whole")])
        #expect(whole.status == 0, "\(whole.errors)")
        let expected = try losses(folder, "whole")
        #expect(expected.count == 9)
        #expect(Set(expected).count == 9)

        // Killed again and again, each time a little later.
        var kills = 0
        for attempt in 0..<20 {
            let done = try losses(folder).count
            let result = try Lyra.run(["train", file] + (attempt > 0 ? ["--resume"] : [])) { process in
                for _ in 0..<2_000 where process.isRunning {
                    if try losses(folder).count > max(done, 2) {
                        kill(process.processIdentifier, SIGKILL)
                        break
                    }
                    Thread.sleep(forTimeInterval: 0.01)
                }
            }
            if result.status == -9 { kills += 1 }
            if result.status == 0 { break }
        }
        #expect(kills >= 1)
        #expect(try losses(folder) == expected)
        for name in ["losses.svg", "training.json", "speech_lora/adapter_config.json"] {
            #expect(FileManager.default.fileExists(atPath: folder.file("run/\(name)")), "\(name)")
        }
    }

    @Test func interruptLeavesACheckpoint() throws {
        let folder = try TemporaryFolder()
        let file = try prepare(folder, ["checkpoint_every": 1_000, "epochs": 1_000])
        let result = try Lyra.run(["train", file]) { process in
            for _ in 0..<2_000 where process.isRunning {
                if try losses(folder).count > 2 { break }
                Thread.sleep(forTimeInterval: 0.01)
            }
            process.interrupt()
        }
        #expect(result.status == 130, "\(result.errors)")
        let done = try losses(folder).count
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.file("run/checkpoints")) == [String(format: "step-%08d", done)])
        let again = try Lyra.run(["train", file])
        #expect(again.status == 1)
        #expect(again.errors.contains("--resume"))
        // Ended there, it has a result.
        let ended = try Lyra.run(["train", file, "--resume", "--maximum-steps", "1"])
        #expect(ended.status == 0 && ended.output.contains("run/speech_lora"), "\(ended.errors)")
        #expect(try losses(folder).count == done)
    }

    @Test(arguments: [
        (["batch_size": 0], "batch_size"), (["learning_rte": 1], "learning_rte"), (["trainable": [["pattern": "nothing*"]]], "nothing*"),
        (["data": [["path": "missing.json"]]], "missing.json"), (["stage": "stage9"], "stage"),
        (["model": "nowhere"], "nowhere"), (["extractor": ["gap": 0, "keep_rate": 0.5]], "extractor"),
    ] as [([String: any Sendable], String)])
    func badSettings(changes: [String: any Sendable], words: String) throws {
        let folder = try TemporaryFolder()
        let result = try Lyra.run(["train", try prepare(folder, changes)])
        #expect(result.status != 0)
        #expect(result.errors.contains(words), "\(result.errors)")
        #expect(result.errors.hasPrefix("Error: "), "\(result.errors)")
    }

    @Test func badSamplesAreNamedAndLeftOut() throws {
        let folder = try TemporaryFolder()
        let file = try prepare(folder, ["epochs": 1])
        try Data("no picture".utf8).write(to: URL(fileURLWithPath: folder.file("7.png")))
        let result = try Lyra.run(["train", file])
        #expect(result.status == 0, "\(result.errors)")
        #expect(result.errors.contains("s7"), "\(result.errors)")
        #expect(result.errors.contains("1 samples were left out") || result.errors.contains("1 sample was left out"), "\(result.errors)")
    }

    @Test(arguments: ["pretrain", "stage1", "stage2", "stage3", "stage4"])
    func printedSettingsCanBeRead(stage: String) throws {
        let result = try Lyra.run(["train", "--print-config", stage, "--preset", "base"])
        #expect(result.status == 0, "\(result.errors)")
        let object = try #require(try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any])
        let rate: [String: Double] = ["pretrain": 1e-3, "stage1": 1e-3, "stage2": 2e-4, "stage3": 2e-4, "stage4": 2e-4]
        #expect((object["learning_rate"] as? NSNumber)?.doubleValue == rate[stage])
    }
}
