// Runs the built `lyra` as people do: as a process.
import Foundation
import Testing

struct CommandLineProcess {
    struct Result {
        var status: Int32
        var output: String
        var errors: String

        /// The one JSON object on standard output.
        func json() throws -> [String: Any] {
            #expect(output.hasSuffix("\n") && output.dropLast().contains("\n") == false, "not one line: \(output)")
            return try #require(try JSONSerialization.jsonObject(with: Data(output.utf8)) as? [String: Any])
        }
    }

    /// The program lies beside the tests' own.
    static let program: URL? = {
        let own = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? CommandLine.arguments[0]
        let folder = URL(fileURLWithPath: own).deletingLastPathComponent()
        return [folder, folder.deletingLastPathComponent()].map { $0.appendingPathComponent("lyra") }
            .first { FileManager.default.isExecutableFile(atPath: $0.path) }
    }()

    static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().path
    static let pack = root + "/Tests/Fixtures/pack_c"
    static func input(_ name: String) -> String { "\(pack)/inputs/\(name)" }

    /// Runs to the end, by another program and its arguments if a launcher is given. `body` may act on the process while it
    /// runs.
    static func run(
        _ arguments: [String], copy: String? = nil, launcher: [String] = [], input: Data? = nil, environment: [String: String] = ["LYRA_MODEL": pack],
        while body: (Process) throws -> Void = { _ in }
    ) throws -> Result {
        let process = Process()
        let program = try #require(copy.map { URL(fileURLWithPath: $0) } ?? program, "the program is not built")
        process.executableURL = launcher.first.map { URL(fileURLWithPath: $0) } ?? program
        process.arguments = (launcher.isEmpty ? [] : launcher.dropFirst() + [program.path]) + arguments
        process.environment = ProcessInfo.processInfo.environment.filter { $0.key != "LYRA_MODEL" }.merging(environment) { $1 }
        process.currentDirectoryURL = URL(fileURLWithPath: root)
        let folder = try TemporaryFolder()
        // Files instead of pipes: nothing fills up, whatever is written.
        let paths = ["out", "err", "in"].map { folder.path + "/" + $0 }
        for path in paths { try Data().write(to: URL(fileURLWithPath: path)) }
        if let input { try input.write(to: URL(fileURLWithPath: paths[2])) }
        process.standardOutput = try FileHandle(forWritingTo: URL(fileURLWithPath: paths[0]))
        process.standardError = try FileHandle(forWritingTo: URL(fileURLWithPath: paths[1]))
        process.standardInput = try FileHandle(forReadingFrom: URL(fileURLWithPath: paths[2]))
        try process.run()
        try body(process)
        process.waitUntilExit()
        func text(_ path: String) -> String { String(decoding: FileManager.default.contents(atPath: path) ?? Data(), as: UTF8.self) }
        let status = process.terminationReason == .exit ? process.terminationStatus : -process.terminationStatus
        return Result(status: status, output: text(paths[0]), errors: text(paths[1]))
    }
}

/// A folder that is gone when the last reference to it is.
final class TemporaryFolder {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.appendingPathComponent("lyra-test-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func file(_ name: String) -> String { "\(path)/\(name)" }
    var names: [String] { ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).sorted() }
}
