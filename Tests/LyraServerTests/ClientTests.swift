// OpenAI's own Python package against a server of the model that ships: it understands every answer, and the answers are right.
import Foundation
import LyraServer
import Testing

@Suite(.serialized) struct ClientTests {
    @Test(.timeLimit(.minutes(10))) func openAIsPythonPackageDrivesEveryEndpoint() async throws {
        try await RunningServer.with(model: Fixture.nano) { $0.apiKeys = ["sesame"] } _: { server in
            let output = FileManager.default.temporaryDirectory.appendingPathComponent("lyra-clients-\(UUID().uuidString)")
            try Data().write(to: output)
            defer { try? FileManager.default.removeItem(at: output) }
            let script = Process(), file = try FileHandle(forWritingTo: output)
            script.executableURL = URL(fileURLWithPath: Fixture.root + "/scripts/check-clients")
            script.arguments = ["http://127.0.0.1:\(server.port)", "sesame"]
            (script.standardOutput, script.standardError) = (file, file)
            try await withCheckedThrowingContinuation { (ended: CheckedContinuation<Void, any Error>) in
                script.terminationHandler = { _ in ended.resume() }
                do { try script.run() } catch { ended.resume(throwing: error) }
            }
            let text = try String(contentsOf: output, encoding: .utf8)
            print(text)
            if script.terminationStatus == 75 { try Test.cancel("PyPI cannot be reached") }
            #expect(script.terminationStatus == 0, "\(text)")
            #expect(text.contains("all right with openai"))
        }
    }
}
