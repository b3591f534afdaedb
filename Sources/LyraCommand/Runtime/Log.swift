// Messages for people, on standard error, through swift-log so that libraries' messages look the same.
import Foundation
import Logging

enum Log {
    /// Warnings always, what is done with --verbose.
    static func start(verbose: Bool) {
        LoggingSystem.bootstrap { _ in TerminalLogHandler(logLevel: verbose ? .debug : .notice) }
    }

    static let command = Logger(label: "lyra")
}

struct TerminalLogHandler: LogHandler {
    var logLevel: Logger.Level
    var metadata: Logger.Metadata = [:]

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let all = metadata.merging(event.metadata ?? [:]) { $1 }
        let details = all.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: " ")
        let prefix = event.level >= .warning ? "\(event.level): " : ""
        Terminal.shared.say("lyra: \(prefix)\(event.message)\(details.isEmpty ? "" : "  \(details)")")
    }
}
