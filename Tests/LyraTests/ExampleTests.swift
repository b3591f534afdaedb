// Another package can depend on this one: examples/Assistant is built by a SwiftPM of its own and run.
import Foundation
import LyraModel
import Testing

@Suite struct ExampleTests {
    private static let environment = ProcessInfo.processInfo.environment
    static let hasSwift = (environment["PATH"] ?? "").split(separator: ":")
        .contains { FileManager.default.isExecutableFile(atPath: "\($0)/swift") }

    /// Runs a command; -> what it printed. `swift` prints to both streams.
    private func run(_ command: [String]) throws -> (status: Int32, output: String) {
        let process = Process(), pipe = Pipe()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = command
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = pipe
        process.standardError = pipe
        // Without pkg-config's path the libraries are not found; `swift test` may have been started without it.
        let own = ReadmeTests.root.path + "/.deps/pkgconfig"
        process.environment = Self.environment.merging(["PKG_CONFIG_PATH": own]) { old, own in "\(own):\(old)" }
        try process.run()
        let data = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: data, as: UTF8.self))
    }

    @Test(.enabled(if: hasSwift, "there is no swift on PATH to build the example with"), .timeLimit(.minutes(30)))
    func assistantBuildsAndAnswers() throws {
        let root = ReadmeTests.root.path
        // The running `swift test` holds the lock of .build itself, so the example builds in a folder below it.
        let package = ["--package-path", "\(root)/examples/Assistant", "--scratch-path", "\(root)/.build/example"]
        let build = try run(["swift", "build"] + package)
        try #require(build.status == 0, "\(build.output.suffix(4_000))")
        let binaries = try run(["swift", "build", "--show-bin-path"] + package).output
            .split(separator: "\n").last.map(String.init)
        let program = try #require(binaries) + "/Assistant"

        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("lyra-example-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try RandomCheckpoint.write(preset: .tiny, seed: 1, to: folder + "/model")
        let answer = folder + "/answer.wav"
        let run = try run([
            program, folder + "/model", root + "/examples/picture.png", root + "/examples/question.wav", answer,
        ])
        #expect(run.status == 0, "\(run.output.suffix(2_000))")
        #expect(run.output.contains("s of speech"), "\(run.output.suffix(2_000))")
        let sound = try Data(contentsOf: URL(fileURLWithPath: answer))
        #expect(sound.count > 1_000)
    }
}
