// Vocoding while units still arrive: every chunk is computed with enough frames on both sides that its samples are those
// of the whole waveform, so chunks join without a seam.

/// Turns a growing list of units into sound, chunk by chunk.
public struct StreamingVocoder {
    private let vocoder: Vocoder
    /// Frames emitted at a time: the first small, so that speech starts early, later ones larger, so that less is computed
    /// twice.
    private let firstChunk, laterChunk: Int
    private var units: [Int32] = []
    /// Units whose duration is final, as frames.
    private var frames: [Int32] = []
    private var settledUnits = 0
    public private(set) var emittedFrames = 0
    /// Duration of every settled unit, in frames.
    public private(set) var durations: [Int] = []

    /// - Parameters: frames of 20 ms that make a chunk.
    public init(_ vocoder: Vocoder, firstChunk: Int = 10, laterChunk: Int = 50) {
        self.vocoder = vocoder
        (self.firstChunk, self.laterChunk) = (firstChunk, laterChunk)
    }

    /// Adds units; returns the samples that no later unit can change, possibly none.
    public mutating func append(_ new: [Int32]) -> [Float] {
        units += new
        settle(final: false)
        let available = frames.count - vocoder.receptiveFrames - emittedFrames
        guard available >= (emittedFrames == 0 ? firstChunk : laterChunk) else { return [] }
        return emit(available)
    }

    /// The rest, once no more units come.
    public mutating func finish() -> [Float] {
        settle(final: true)
        return emit(frames.count - emittedFrames)
    }

    /// Predicts durations of units that have all the neighbours they depend on.
    private mutating func settle(final: Bool) {
        let context = vocoder.durationContext
        let end = final ? units.count : max(settledUnits, units.count - context)
        guard end > settledUnits else { return }
        let from = max(0, settledUnits - context), to = min(units.count, end + context)
        let predicted = vocoder.durations(Array(units[from..<to]))
        for i in settledUnits..<end {
            durations.append(predicted[i - from])
            frames += Array(repeating: units[i], count: predicted[i - from])
        }
        settledUnits = end
    }

    private mutating func emit(_ count: Int) -> [Float] {
        guard count > 0 else { return [] }
        let radius = vocoder.receptiveFrames, samples = vocoder.configuration.samplesPerFrame
        let from = max(0, emittedFrames - radius), to = min(frames.count, emittedFrames + count + radius)
        let wave = vocoder.waveform(frames: Array(frames[from..<to]))
        let start = (emittedFrames - from) * samples
        emittedFrames += count
        return Array(wave[start..<(start + count * samples)])
    }
}
