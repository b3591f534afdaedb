// Exit codes, and which errors mean which.
import ArgumentParser
import Foundation
import LyraMedia
import LyraModel

/// A mistake in how the command is used that the parser cannot see.
struct UsageError: Error, LocalizedError {
    let message: String
    init(_ message: String) { self.message = message }
    var errorDescription: String? { message }
}

/// A file or folder that has to exist and does not, or cannot be read.
struct MissingInput: Error, LocalizedError {
    let message: String
    init(_ message: String) { self.message = message }
    var errorDescription: String? { message }
}

enum ExitStatus {
    static let success: Int32 = 0
    static let failure: Int32 = 1
    /// EX_USAGE
    static let usage: Int32 = 64
    /// EX_NOINPUT
    static let missingInput: Int32 = 66
    /// 128 + SIGPIPE
    static let outputClosed: Int32 = 141

    /// nil for the argument parser's own errors, which know their message and code.
    static func of(_ error: any Error) -> Int32? {
        switch error {
        case is UsageError: usage
        case is MissingInput: missingInput
        case MediaError.notFound: missingInput
        case is ModelLocationError: missingInput
        case is CleanExit, is ExitCode, is ValidationError: nil
        default: isParserError(error) ? nil : failure
        }
    }

    /// The parser's error types are internal to it; they are told by their module.
    private static func isParserError(_ error: any Error) -> Bool {
        String(reflecting: type(of: error)).hasPrefix("ArgumentParser.")
    }
}
