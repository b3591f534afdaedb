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
