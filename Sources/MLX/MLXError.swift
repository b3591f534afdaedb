// What MLX says when an operation fails.
import CMLX
import Foundation

/// Why an operation of the array library failed.
public struct MLXError: Error, LocalizedError, CustomStringConvertible, Sendable, Hashable {
    /// MLX's own message.
    public let description: String
    /// The same, for those who print `localizedDescription`.
    public var errorDescription: String? { description }

    /// An error that says `description`.
    public init(_ description: String) { self.description = description }

    /// The failure of the last C call on this thread.
    static var last: MLXError { MLXError(String(cString: cmlx_last_error())) }

    /// Throws unless a C call returned success.
    static func check(_ status: Int32) throws(MLXError) {
        if status != 0 { throw last }
    }
}

/// Stops the program over a mistake in the calling code, saying what it is also in optimised builds (where
/// `preconditionFailure` says nothing).
func trap(_ message: String) -> Never {
    FileHandle.standardError.write(Data("Fatal error: \(message)\n".utf8))
    preconditionFailure(message)
}

/// Stops the program unless `condition` holds; see ``trap(_:)``.
func require(_ condition: Bool, _ message: @autoclosure () -> String) {
    if !condition { trap(message()) }
}
