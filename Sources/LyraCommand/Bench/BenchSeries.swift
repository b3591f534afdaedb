// Several formats and thread counts, each measured in a process of its own: memory is then that of the one, and threads are
// what the process starts with.
import Foundation

struct BenchSeries {
    struct Member {
        var format: BenchFormat?
        var threads: Int?
        var name: String {
            [format?.name, threads.map { "\($0) thread\($0 == 1 ? "" : "s")" }].compactMap { $0 }.joined(separator: ", ")
        }
    }
    let members: [Member]

    /// Measures one after the other; returns each one's values.
    func run(arguments: (Member) throws -> [String]) async throws -> [[String: Any]] {
        var results: [[String: Any]] = []
        for member in members {
            try Task.checkCancellation()
            try Terminal.shared.write("== \(member.name)\n")
            let output = try await Self.measure(try arguments(member), threads: member.threads)
            var lines = output.split(separator: "\n", omittingEmptySubsequences: false)
            while lines.last?.isEmpty == true { lines.removeLast() }
            guard let last = lines.popLast(), var values = BenchFile.object(String(last)) else {
                throw MeasurementFailed(name: member.name)
            }
            if let format = member.format { values["format"] = format.name }
            results.append(values)
            try Terminal.shared.write(lines.joined(separator: "\n") + "\n\n")
        }
        return results
    }

    /// Runs this program; its progress and errors go where ours go.
    private static func measure(_ arguments: [String], threads: Int?) async throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe"))
        process.arguments = arguments
        var environment = ProcessInfo.processInfo.environment
        if let threads { environment["OMP_NUM_THREADS"] = "\(threads)" }
        process.environment = environment
        let pipe = Pipe()
        process.standardOutput = pipe
        try process.run()
        let child = process.processIdentifier
        let output = await withTaskCancellationHandler {
            let output = pipe.fileHandleForReading.readDataToEndOfFile()
            process.waitUntilExit()
            return output
        } onCancel: {
            kill(child, SIGINT)
        }
        try Task.checkCancellation()
        guard process.terminationReason == .exit, process.terminationStatus == 0 else { throw MeasurementFailed(name: arguments.joined(separator: " ")) }
        return String(decoding: output, as: UTF8.self)
    }

    struct MeasurementFailed: Error, LocalizedError {
        let name: String
        var errorDescription: String? { "the measurement of \(name) failed" }
    }
}

/// Results of an earlier run: its whole output, or the last line alone.
enum BenchFile {
    static func object(_ line: String) -> [String: Any]? {
        try? JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
    }

    /// Values of each format and thread count in the file.
    static func load(_ path: String) throws -> [[String: Any]] {
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else { throw MissingInput("no readable file at \(path)") }
        guard let last = text.split(separator: "\n").last, let values = object(String(last)) else {
            throw MissingInput("\(path) does not end with a line of results, as `lyra bench` prints it")
        }
        return values["runs"] as? [[String: Any]] ?? [values]
    }

    /// What is compared: all rates, times and sizes both runs have, and new as a multiple of old.
    static func ratios(_ new: [[String: Any]], _ old: [[String: Any]]) -> String {
        func key(_ run: [String: Any]) -> String { "\(run["format"] ?? run["precision"] ?? "") \(run["threads"] ?? "")" }
        let earlier = Dictionary(old.map { (key($0), $0) }) { $1 }
        let notCompared: Set<String> = ["repeat", "threads"]
        var lines: [String] = []
        for run in new {
            guard let before = earlier[key(run)] ?? (new.count == 1 && old.count == 1 ? old.first : nil) else {
                lines.append("\(key(run)): not in the earlier run")
                continue
            }
            let rows = run.keys.sorted().compactMap { name -> [String]? in
                guard !notCompared.contains(name), let a = (run[name] as? NSNumber)?.doubleValue,
                    let b = (before[name] as? NSNumber)?.doubleValue, b != 0
                else { return nil }
                return [name, BenchResults.number(b), BenchResults.number(a), String(format: "%.2f", a / b)]
            }
            lines += Columns.lines([[key(run), "before", "now", "ratio"]] + rows, right: [1, 2, 3])
        }
        return lines.joined(separator: "\n") + "\n"
    }
}
