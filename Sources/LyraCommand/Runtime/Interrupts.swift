// Ctrl-C and its kin: the first stops the work at hand, a second one, or work that does not stop, ends the process.
import Foundation
import Synchronization

enum Interrupts {
    private struct State {
        var handler: (@Sendable () -> Void)?
        var count = 0
        /// The first signal.
        var signal: Int32?
        /// How long work may take to stop after it was asked to: a step of a large model can take longer, and partial files
        /// are removed either way.
        var grace = 3.0
        var farewell: String?
    }
    // One a process, as signals are.
    private static let state = Mutex(State())

    /// Takes over SIGINT and SIGTERM, and ignores SIGPIPE: writing to a closed pipe is an error of the write instead.
    static func install() {
        signal(SIGPIPE, SIG_IGN)
        for number in [SIGINT, SIGTERM] {
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global(qos: .userInteractive))
            source.setEventHandler {
                _ = source  // kept alive by its own handler, for as long as the process
                received(number)
            }
            source.activate()
        }
    }

    /// What an interrupt does: cancel the work at hand.
    static func onInterrupt(_ handler: @escaping @Sendable () -> Void) {
        state.withLock { $0.handler = handler }
    }

    /// Lets work take that long to stop, and says so when it is asked to.
    static func allow(seconds: Double, saying farewell: String) {
        state.withLock { ($0.grace, $0.farewell) = (seconds, farewell) }
    }

    static var wasInterrupted: Bool { state.withLock { $0.count > 0 } }

    /// 130 for Ctrl-C, 143 for a request to terminate.
    static var exitCode: Int32 { state.withLock { 128 + ($0.signal ?? SIGINT) } }

    /// Interrupts are answered by `handler`, which tells whether it had something to stop; only when it had not does the
    /// usual happen. For programs that go on after an interrupt.
    static func handle(_ handler: (@Sendable () -> Bool)?) {
        conditional.withLock { $0 = handler }
    }
    private static let conditional = Mutex<(@Sendable () -> Bool)?>(nil)

    private static func received(_ number: Int32) {
        if let handler = conditional.withLock({ $0 }), handler() { return }
        let (handler, count, grace, farewell) = state.withLock { state in
            state.count += 1
            state.signal = state.signal ?? number
            return (state.handler, state.count, state.grace, state.farewell)
        }
        guard count == 1, let handler else { Terminal.abandon(exitCode) }
        if let farewell { Terminal.shared.say(farewell) }
        handler()
        DispatchQueue.global().asyncAfter(deadline: .now() + grace) { Terminal.abandon(exitCode) }
    }
}

/// Something that can be had once, whoever asks.
final class Once: Sendable {
    private let isTaken = Mutex(false)

    func take() -> Bool {
        isTaken.withLock { taken in
            defer { taken = true }
            return !taken
        }
    }
}
