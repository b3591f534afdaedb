// Lines of standard input as an asynchronous sequence: reading blocks a thread of its own, not the tasks.
import Foundation

enum InputLines {
    /// Ends with the input.
    static func make() -> AsyncStream<String> {
        AsyncStream { continuation in
            let thread = Thread {
                while let line = readLine() { continuation.yield(line) }
                continuation.finish()
            }
            thread.name = "lyra.input"
            thread.start()
        }
    }
}
