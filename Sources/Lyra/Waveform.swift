// The outline of a recording: its loudest samples, in few enough steps to draw. Read piece by piece, whatever the length.
import LyraMedia

/// Peaks of a recording over time.
public struct Waveform: Sendable, Equatable {
    /// Length in seconds.
    public private(set) var duration: Double
    /// Largest absolute sample of each step, 0...1; `limit` steps at most.
    public private(set) var peaks: [Float] = []
    /// Samples of one step; doubles as the recording goes on.
    private var step = 16
    private var pending: (peak: Float, count: Int) = (0, 0)
    private var samples = 0
    private let sampleRate: Double

    /// Most steps kept; beyond them neighbours are merged, so that memory does not grow with the recording.
    public static let limit = 16_384

    public init(_ samples: [Float], sampleRate: Int = 16_000) {
        self.init(sampleRate: sampleRate)
        append(samples)
        finish()
    }

    /// Reads a recording, or the sound track of a video.
    public init(reading source: MediaSource, channels: ChannelPolicy = .mix) throws {
        let reader = try AudioReader(source, channels: channels)
        self.init(sampleRate: 16_000)
        while case let piece = try reader.read(maximumCount: 1 << 16), !piece.isEmpty { append(piece) }
        finish()
    }

    private init(sampleRate: Int) {
        duration = 0
        self.sampleRate = Double(sampleRate)
    }

    private mutating func append(_ piece: [Float]) {
        samples += piece.count
        for sample in piece {
            pending.peak = max(pending.peak, abs(sample))
            pending.count += 1
            if pending.count == step { flush() }
        }
    }

    private mutating func flush() {
        peaks.append(pending.peak)
        pending = (0, 0)
        guard peaks.count == Self.limit else { return }
        peaks = stride(from: 0, to: peaks.count, by: 2).map { max(peaks[$0], peaks[min($0 + 1, peaks.count - 1)]) }
        step *= 2
    }

    private mutating func finish() {
        if pending.count > 0 { flush() }
        duration = Double(samples) / sampleRate
    }

    public static func == (a: Waveform, b: Waveform) -> Bool {
        a.peaks == b.peaks && a.samples == b.samples && a.step == b.step && a.sampleRate == b.sampleRate
    }

    /// The largest peak between two times, in seconds.
    public func peak(from start: Double, to end: Double) -> Float {
        let perSecond = sampleRate / Double(step)
        let first = max(0, Int(start * perSecond)), last = min(peaks.count, max(first + 1, Int((end * perSecond).rounded(.up))))
        return first < last ? peaks[first..<last].max() ?? 0 : 0
    }
}
