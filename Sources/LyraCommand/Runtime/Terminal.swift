// Standard output and standard error: text goes out as it comes, messages and a progress line share the terminal.
import Foundation
import Synchronization

/// The reader of standard output has gone away.
struct OutputClosed: Error {}

/// The two output streams of the process.
final class Terminal: Sendable {
    static let shared = Terminal()

    private struct State {
        /// Whether a progress line is on the screen.
        var showsProgress = false
        var lastDrawn: ContinuousClock.Instant?
        /// Whether standard output stands in the middle of a line.
        var isMidLine = false
    }
    private let state = Mutex(State())
    /// Whether people see standard output, and standard error.
    let outputIsTerminal = isatty(STDOUT_FILENO) == 1
    let errorIsTerminal = isatty(STDERR_FILENO) == 1

    /// Writes text to standard output, at once.
    func write(_ text: String) throws {
        guard !text.isEmpty else { return }
        clearProgress()
        state.withLock { $0.isMidLine = !text.hasSuffix("\n") }
        guard Self.write(text, to: STDOUT_FILENO) else { throw OutputClosed() }
    }

    /// Writes text that a model made: on a terminal without control characters, which could do things to it.
    func write(reply text: String) throws {
        try write(outputIsTerminal ? Self.withoutControls(text) : text)
    }

    static func withoutControls(_ text: String) -> String {
        var result = String.UnicodeScalarView()
        for scalar in text.unicodeScalars where scalar == "\n" || scalar == "\t" || scalar.properties.generalCategory != .control {
            result.append(scalar)
        }
        return String(result)
    }

    /// Writes a line to standard error.
    func say(_ line: String) {
        clearProgress()
        // Both streams on one screen: the text that is being written keeps its line.
        let breaks = outputIsTerminal && errorIsTerminal && state.withLock { state in
            defer { state.isMidLine = false }
            return state.isMidLine
        }
        _ = Self.write((breaks ? "\n" : "") + line + "\n", to: STDERR_FILENO)
    }

    /// Draws the progress line over the last one, ten times a second at most; nothing where no terminal is.
    func draw(_ progress: @autoclosure () -> String, isLast: Bool = false) {
        guard errorIsTerminal else { return }
        let now = ContinuousClock.now
        let isDue = state.withLock { state in
            if state.isMidLine, outputIsTerminal { return false }
            if !isLast, let last = state.lastDrawn, now - last < .milliseconds(100) { return false }
            (state.lastDrawn, state.showsProgress) = (now, true)
            return true
        }
        if isDue { _ = Self.write("\r\u{1B}[K" + progress(), to: STDERR_FILENO) }
    }

    /// Wipes the progress line, so that something else can be written.
    func clearProgress() {
        let shown = state.withLock { state in
            defer { (state.showsProgress, state.lastDrawn) = (false, nil) }
            return state.showsProgress
        }
        if shown { _ = Self.write("\r\u{1B}[K", to: STDERR_FILENO) }
    }

    /// Columns of the terminal that shows standard error.
    static var columns: Int {
        var size = winsize()
        guard ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 20 else { return 80 }
        return Int(size.ws_col)
    }

    /// All bytes, however often the system takes only a part; false when the other end is gone.
    private static func write(_ text: String, to descriptor: Int32) -> Bool {
        var text = text
        return text.withUTF8 { bytes in
            var rest = UnsafeRawBufferPointer(bytes)[...]
            while !rest.isEmpty {
                let count = Foundation.write(descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
                if count < 0, errno == EINTR || errno == EAGAIN { continue }
                guard count > 0 else { return false }
                rest = rest.dropFirst(count)
            }
            return true
        }
    }

    /// Ends the process at once. `exit` would wait for what the math library is computing.
    static func leave(_ code: Int32) -> Never {
        shared.clearProgress()
        _exit(code)
    }

    /// Ends the process in the middle of work: nothing half-written stays behind.
    static func abandon(_ code: Int32) -> Never {
        PartialFiles.shared.removeAll()
        leave(code)
    }
}
