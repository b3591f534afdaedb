// lyra merge, and adapters from elsewhere, as processes.
import Foundation
import Testing

@Suite(.serialized) struct MergeCommandTests {
    private typealias Command = CommandLineProcess

    private func answer(_ arguments: [String]) throws -> (text: String, adapter: String) {
        let result = try Command.run(
            ["ask", "--speech", Command.input("greeting.wav"), "--text", "What?", "--max-tokens", "8", "--precision", "f32", "--json"]
                + arguments)
        let json = try result.json()
        return (try #require(json["text"] as? String), try #require(json["adapter"] as? String))
    }

    @Test func theMergedModelAnswersTheSame() throws {
        let folder = try TemporaryFolder()
        let out = folder.file("merged")
        let result = try Command.run(["merge", "--adapter", "speech", "--out", out, "--dtype", "f32"])
        #expect(result.status == 0, "\(result.errors)")
        #expect(result.output == out + "\n")
        let merged = try answer(["--model", out]), base = try answer([])
        #expect(merged.text == base.text)
        #expect((merged.adapter, base.adapter) == ("off", "speech"))
        #expect(try answer(["--adapter", "off"]).text != base.text)
        #expect(try Command.run(["inspect", "--check", out]).status == 0)
        // Again: nothing is overwritten.
        let again = try Command.run(["merge", Command.pack, "--adapter", "speech", "--out", out])
        #expect(again.status == 1)
        #expect(again.errors.contains("exists already"))
    }

    @Test func anAdapterFromElsewhere() throws {
        let folder = try TemporaryFolder()
        let release = Command.pack + "/work_dirs/Lyra_Small_tiny"
        try FileManager.default.copyItem(atPath: release + "/long_speech_lora", toPath: folder.file("mine"))
        let other = try answer(["--speech-lora", folder.file("mine")])
        #expect(other.adapter == "speech")
        #expect(other.text != (try answer([])).text)
        #expect(try Command.run(["ask", "--text", "x", "--speech-lora", folder.file("none")]).status == 66)
    }

    @Test func wrongUse() throws {
        let folder = try TemporaryFolder()
        let out = folder.file("out")
        #expect(try Command.run(["merge", "--adapter", "nothing", "--out", out]).status == 66)
        #expect(try Command.run(["merge", "--out", out]).status == 64)
        #expect(try Command.run(["merge", "--adapter", "speech", "--out", out], environment: [:]).status == 64)
        #expect(folder.names.isEmpty)
    }
}
