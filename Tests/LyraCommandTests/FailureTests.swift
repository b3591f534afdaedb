// How runs end that do not go well: exit codes, one clear line, nothing half-written.
import Foundation
import Testing

@Suite(.serialized) struct FailureTests {
    private typealias Lyra = CommandLineProcess

    @Test(arguments: [
        (["ask"], 64, "nothing to ask"),
        (["ask", "--text", "x", "--model", "/nonexistent"], 66, "no such folder"),
        (["ask", "--text", "x", "--model", "README.md"], 66, "is a file"),
        (["ask", "--image", "nope.png"], 66, "no file at nope.png"),
        (["ask", "--image", "Tests"], 66, "is a folder"),
        (["ask", "--image", "README.md"], 1, "README.md"),
        (["ask", "--speech", "Tests/Fixtures/pack_c/inputs/img1.png"], 1, "img1.png"),
        (["ask", "--text", "x", "--speak", "answer.txt"], 64, "--speak"),
        (["ask", "--text", "x", "--speak", "no/such/folder/answer.wav"], 1, "there is no folder"),
        (["ask", "--text", "x", "--evidence", "e.png"], 64, "--extract"),
        (["ask", "--text", "x", "--extract", "9,0.5"], 64, "6 layers"),
        (["ask", "--text", "x", "--max-tokens", "many"], 64, "--max-tokens"),
        (["ask", "--text", "x", "--vision-tower", "/nowhere"], 66, "--vision-tower"),
        (["ask", "--image", "-", "--speech", "-"], 64, "standard input"),
        (["ask", "--video-audio", "--text", "x"], 64, "--video"),
        (["transcribe", "nothing.wav"], 66, "nothing.wav"),
        (["transcribe", "a.wav", "--window", "0"], 64, "--window"),
        (["inspect", "/nonexistent"], 66, "/nonexistent"),
        (["bench", "--preset", "tiny", "--only", "everything"], 64, "--only"),
        (["dance"], 64, "dance"),
    ])
    func exitCodes(arguments: [String], status: Int, words: String) throws {
        let result = try Lyra.run(arguments)
        #expect(result.status == Int32(status), "\(result.errors)")
        #expect(result.errors.contains(words), "\(result.errors)")
        #expect(result.errors.hasPrefix("Error: "))
        #expect(result.output == "")
    }

    @Test func theModelsNameIsEmpty() throws {
        let result = try Lyra.run(["ask", "--model", "", "--text", "x"], environment: [:])
        #expect(result.status == 64)
        #expect(result.errors.contains("LYRA_MODEL"))
    }

    @Test func missingTowerIsSaidBeforeTheModelLoads() throws {
        let folder = try TemporaryFolder()
        try FileManager.default.copyItem(atPath: Lyra.pack + "/work_dirs/Lyra_Small_tiny", toPath: folder.file("model"))
        let result = try Lyra.run(["ask", "--model", folder.file("model"), "--image", Lyra.input("img1.png"), "--text", "x"])
        #expect(result.status == 66)
        #expect(result.errors.contains("--vision-tower"))
        #expect(try Lyra.run(["ask", "--model", folder.file("model"), "--text", "x", "--max-tokens", "2"]).status == 0)
    }

    /// Waits until the process has begun to work.
    private func pause(_ seconds: Double) { Thread.sleep(forTimeInterval: seconds) }

    @Test func interruptLeavesNothingBehind() throws {
        let folder = try TemporaryFolder()
        let result = try Lyra.run([
            "ask", "--text", "Tell me everything.", "--max-tokens", "100000", "--speak", folder.file("a.wav"), "--trace",
            folder.file("t.safetensors"),
        ]) { process in
            pause(3)
            process.interrupt()
        }
        #expect(result.status == 130)
        #expect(folder.names == [])
    }

    @Test func interruptWhileWritingACheckpoint() throws {
        let folder = try TemporaryFolder()
        let result = try Lyra.run(["new", "--preset", "base", folder.file("base")]) { process in
            pause(1)
            process.interrupt()
        }
        #expect(result.status == 130)
        #expect(folder.names == [])
    }

    @Test func closedOutputIsNoCrash() throws {
        let program = try #require(Lyra.program).path
        let shell = Process()
        shell.executableURL = URL(fileURLWithPath: "/bin/bash")
        shell.arguments = ["-c", "'\(program)' ask --model '\(Lyra.pack)' --text x --max-tokens 300 2>/dev/null | head -c 1 >/dev/null; exit ${PIPESTATUS[0]}"]
        try shell.run()
        shell.waitUntilExit()
        #expect(shell.terminationStatus == 141)
    }
}
