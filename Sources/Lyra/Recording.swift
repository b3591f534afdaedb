// Speech that is encoded while it comes in, so that little is left to do when the speaker stops.
import Foundation
import LyraModel
import MLX
import Synchronization

/// Sound that arrives piece by piece: each full window (30 s, or what the encoder hears) is encoded as soon as it is there. Becomes a part of a turn with
/// ``Part/recording(_:)``, of several turns if need be; its encoding lives with the model until the last reference goes.
public final class Recording: Sendable {
    public let lyra: Lyra
    let id = UUID()
    private let samples = Mutex(0)

    init(_ lyra: Lyra) { self.lyra = lyra }

    deinit {
        let (lyra, id) = (lyra, id)
        Task { await lyra.forget(id) }
    }

    /// Seconds of sound so far.
    public var duration: Double { Double(samples.withLock { $0 }) / Double(LogMel.sampleRate) }

    /// Adds samples, mono at 16 kHz.
    /// - Throws: `MissingPartError` if the checkpoint cannot hear.
    public func append(_ piece: [Float]) async throws {
        samples.withLock { $0 += piece.count }
        try await lyra.append(piece, to: id)
    }

    /// Encodes what has come so far as if it were all: worth calling in a pause that may be the end. If more comes, that was in vain.
    public func encodeAhead() async throws { try await lyra.encodeRest(of: id) }
}

extension Lyra {
    /// Starts a recording to be filled while it is spoken.
    public nonisolated func recording() -> Recording { Recording(self) }

    func append(_ piece: [Float], to id: UUID) throws {
        var state = recordings[id] ?? RecordingState()
        recordings[id] = nil  // one owner, so that samples are appended in place
        defer { recordings[id] = state }
        state.pending += piece
        state.ahead = nil
        let length = model.logMel.windowSamples
        while state.pending.count >= length {
            state.windows.append(try encodedWindow(Array(state.pending[..<length])))
            state.pending.removeFirst(length)
            state.seconds += Double(length) / Double(LogMel.sampleRate)
        }
    }

    func encodeRest(of id: UUID) throws {
        guard var state = recordings[id], state.ahead == nil, !state.pending.isEmpty else { return }
        state.ahead = try encodedWindow(state.pending)
        recordings[id] = state
    }

    private func encodedWindow(_ samples: [Float]) throws -> RecordingState.Window {
        .init(frames: try model.encodeWindow(model.logMel(samples)), digest: MediaEncoder.digest(samples))
    }

    func forget(_ id: UUID) { recordings[id] = nil }
}

/// What the model keeps of a recording.
struct RecordingState {
    /// Encoder frames of a window, [1, frames, width], and the name of its sound.
    struct Window {
        var frames: MLXArray
        var digest: String
    }
    var windows: [Window] = []
    /// Samples of the window that is not full yet.
    var pending: [Float] = []
    /// `pending` as a window, if it has been encoded already.
    var ahead: Window?
    /// Length of the full windows.
    var seconds = 0.0

    var all: [Window] { windows + (ahead.map { [$0] } ?? []) }
    var duration: Double { seconds + Double(pending.count) / Double(LogMel.sampleRate) }
}
