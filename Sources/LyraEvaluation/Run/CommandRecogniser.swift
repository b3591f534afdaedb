// A speech recogniser that is a program of the user's: it is given a sound file and prints what it hears.
import Foundation

/// A program that fails.
public enum CommandError: Error, LocalizedError, Equatable {
    case failed(command: String, status: Int32, message: String)
    case empty

    public var errorDescription: String? {
        switch self {
        case .failed(let command, let status, let message):
            "'\(command)' ended with \(status)" + (message.isEmpty ? "" : ": \(message)")
        case .empty: "the command is empty"
        }
    }
}

/// Runs a shell command for each recording.
public struct CommandRecogniser: Recogniser {
    public let name: String
    private let command: String

    /// - Parameter command: `{audio}` stands for the file; without it the file is added at the end.
    public init(_ command: String, name: String = "recogniser") throws(CommandError) {
        guard !command.trimmingCharacters(in: .whitespaces).isEmpty else { throw .empty }
        self.name = name
        self.command = command.contains("{audio}") ? command : command + " {audio}"
    }

    public func transcribe(_ path: String) async throws -> String {
        try await Shell.run(command, values: ["audio": path]).trimmingCharacters(in: .whitespacesAndNewlines)
    }
}

/// Shell commands with places for values.
enum Shell {
    /// Runs a command in which `{name}` stands for a value, as one word whatever it holds.
    /// - Parameter input: what the command reads.
    /// - Returns: what it writes to standard output.
    static func run(_ command: String, values: [String: String], input: String = "") async throws -> String {
        // A value never reaches the shell as text: it is an argument of the shell's own.
        var text = command, arguments: [String] = []
        for (name, value) in values.sorted(by: { $0.key < $1.key }) where text.contains("{\(name)}") {
            arguments.append(value)
            text = text.replacing("{\(name)}", with: "\"$\(arguments.count)\"")
        }
        let script = text
        let task = Task.detached { [arguments] in try Self.wait(script, arguments, input, named: command) }
        return try await withTaskCancellationHandler { try await task.value } onCancel: { task.cancel() }
    }

    private static func wait(_ script: String, _ arguments: [String], _ input: String, named command: String) throws -> String {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("lyra-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        // Files instead of pipes: nothing fills up, whatever is written.
        let files = ["in", "out", "err"].map { folder.appendingPathComponent($0) }
        for file in files { try Data((file == files[0] ? input : "").utf8).write(to: file) }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.arguments = ["-c", script, "sh"] + arguments
        process.standardInput = try FileHandle(forReadingFrom: files[0])
        process.standardOutput = try FileHandle(forWritingTo: files[1])
        process.standardError = try FileHandle(forWritingTo: files[2])
        try process.run()
        process.waitUntilExit()
        func text(_ file: URL) -> String { String(decoding: (try? Data(contentsOf: file)) ?? Data(), as: UTF8.self) }
        guard process.terminationReason == .exit, process.terminationStatus == 0 else {
            let message = text(files[2]).split(separator: "\n").last.map(String.init) ?? ""
            throw CommandError.failed(command: command, status: process.terminationStatus, message: message)
        }
        return text(files[1])
    }
}
