// Sound is decoded on a thread of its own, a window ahead of the encoder, so that neither waits for the other for long.
import Foundation
import LyraMedia

/// One window of a recording.
struct SoundWindow: Sendable {
    /// At most a window's samples; fewer at the end.
    var samples: [Float]
    /// Index in the recording.
    var index: Int
    var isLast: Bool
}

/// Reads a recording window by window. Reading ends when this is let go of.
final class SoundWindows {
    private let channel: Channel

    /// - Parameters:
    ///   - size: samples of a window.
    ///   - endsOnEmptyWindow: whether a recording of whole windows gets an empty one at its end. The original takes whole windows
    ///     plus one.
    ///   - read: the next samples, at most as many as asked for; none at the end. Called on another thread.
    init(size: Int, endsOnEmptyWindow: Bool, read: sending @escaping (Int) throws -> [Float]) {
        channel = Channel(size: size, endsOnEmptyWindow: endsOnEmptyWindow, read: read)
        let thread = Thread { [channel] in channel.fill() }
        thread.name = "lyra.sound"
        thread.start()
    }

    deinit { channel.cancel() }

    /// Opens a recording; the length in seconds as far as it is known.
    convenience init(_ source: MediaSource, size: Int, isCompatible: Bool, duration: inout Double?) throws {
        let reader = try MediaPreparation.sound(source, isCompatible: isCompatible)
        duration = reader.estimatedDuration
        self.init(size: size, endsOnEmptyWindow: isCompatible) { try reader.read(maximumCount: $0) }
    }

    convenience init(_ samples: [Float], size: Int, isCompatible: Bool) {
        var rest = samples[...]
        self.init(size: size, endsOnEmptyWindow: isCompatible) {
            let piece = rest.prefix($0)
            rest = rest.dropFirst(piece.count)
            return Array(piece)
        }
    }

    /// Waits for the next window; nil at the end.
    func next() throws -> SoundWindow? { try channel.next() }

    private final class Channel: @unchecked Sendable {  // `read` is used by its thread alone, the rest under the lock
        private let size: Int
        private let endsOnEmptyWindow: Bool
        private let read: (Int) throws -> [Float]
        private let lock = NSCondition()
        private var ready: [SoundWindow] = []
        private var failure: (any Error)?
        private var isDone = false, isCancelled = false
        private static let mostReady = 2

        init(size: Int, endsOnEmptyWindow: Bool, read: @escaping (Int) throws -> [Float]) {
            (self.size, self.endsOnEmptyWindow, self.read) = (size, endsOnEmptyWindow, read)
        }

        func fill() {
            do {
                var held: SoundWindow?
                while true {
                    var samples: [Float] = []
                    while samples.count < size, case let piece = try read(size - samples.count), !piece.isEmpty { samples += piece }
                    let isEmpty = samples.isEmpty && !(endsOnEmptyWindow && held != nil)
                    if var window = held {
                        window.isLast = isEmpty
                        guard offer(window) else { return }
                    }
                    if isEmpty { break }
                    let window = SoundWindow(samples: samples, index: held.map { $0.index + 1 } ?? 0, isLast: false)
                    held = window
                    guard samples.count == size else {
                        _ = offer(SoundWindow(samples: samples, index: window.index, isLast: true))
                        break
                    }
                }
                finish(nil)
            } catch {
                finish(error)
            }
        }

        /// Hands a window over when there is room; false when nobody wants it any more.
        private func offer(_ window: SoundWindow) -> Bool {
            lock.withLock {
                while ready.count >= Self.mostReady, !isCancelled { lock.wait() }
                ready.append(window)
                lock.broadcast()
                return !isCancelled
            }
        }

        private func finish(_ error: (any Error)?) {
            lock.withLock {
                (isDone, failure) = (true, error)
                lock.broadcast()
            }
        }

        func next() throws -> SoundWindow? {
            try lock.withLock {
                while ready.isEmpty, !isDone { lock.wait() }
                if !ready.isEmpty {
                    lock.broadcast()
                    return ready.removeFirst()
                }
                if let failure { throw failure }
                return nil
            }
        }

        func cancel() {
            lock.withLock {
                isCancelled = true
                lock.broadcast()
            }
        }
    }
}
