// The input buffer of a realtime session: sound as it comes, what the detector makes of it, and its encoding ahead of time.
import Foundation
import Lyra
import LyraMedia

/// Takes the sound of one session. What has to be encoded goes to the model in the order it came, without holding up the session.
struct SpeechInput {
    /// What happens in the sound. Times are seconds since the session began.
    enum Event {
        case started(at: Double, item: String)
        case stopped(at: Double, item: String, recording: Recording)
    }

    private let lyra: Lyra
    private var resampler = Resampler(from: RealtimeSettings.rate, to: 16_000)
    private var detector: VoiceActivityDetector?
    /// Sound before speech starts, as much as belongs to it.
    private var past: [Float] = []
    /// Sound of a pause that may be the end, of which nothing is encoded if it is.
    private var held: [Float] = []
    private var isPausing = false
    private var utterance: (item: String, recording: Recording)?
    private(set) var feed: RecordingFeed
    /// Samples since the session began, at 16 kHz.
    private var received = 0

    /// Sound that was not handed to the model yet, so that it is not disturbed for every frame.
    private var unsent: [Float] = []
    /// Samples of the utterance.
    private var recorded = 0

    private static let frame = 160, batch = 4_000

    init(_ lyra: Lyra, detection: VoiceActivityDetector.Options?) {
        self.lyra = lyra
        feed = RecordingFeed()
        detector = detection.map { VoiceActivityDetector(options: $0) }
    }

    var seconds: Double { Double(received) / 16_000 }
    /// Seconds of the utterance that is being recorded.
    var utteranceSeconds: Double { utterance == nil ? 0 : Double(recorded) / 16_000 }

    /// Other settings; what was said so far stays.
    mutating func detect(_ options: VoiceActivityDetector.Options?) {
        guard options != detector?.options else { return }
        detector = options.map { VoiceActivityDetector(options: $0) }
        isPausing = false
    }

    /// - Parameter samples: at the session's rate.
    mutating func append(_ samples: [Float]) -> [Event] {
        let new = resampler.append(samples)
        guard detector != nil else {
            if utterance == nil { begin() }
            received += new.count
            record(new)
            return []
        }
        var events: [Event] = []
        for start in stride(from: 0, to: new.count, by: Self.frame) {
            let frame = Array(new[start..<min(start + Self.frame, new.count)])
            received += frame.count
            events += hear(frame)
        }
        return events
    }

    private mutating func hear(_ frame: [Float]) -> [Event] {
        var events: [Event] = []
        let happened = detector?.append(frame) ?? []
        if utterance == nil {
            past += frame
        } else if isPausing {
            held += frame
        } else {
            record(frame)
        }
        for event in happened {
            switch event {
            case .started(let time):
                guard utterance == nil else { continue }
                let item = begin()
                let count = min(past.count, max(0, received - Int(time * 16_000)))
                record(Array(past.suffix(count)))
                past = []
                events.append(.started(at: time, item: item))
            case .pausing:
                isPausing = true
                flush()
                if let utterance { feed.encodeAhead(utterance.recording) }
            case .resumed:
                isPausing = false
                record(held)
                held = []
            case .stopped(let time):
                flush()
                guard let (item, recording) = utterance else { continue }
                events.append(.stopped(at: time, item: item, recording: recording))
                past = held
                reset()
            }
        }
        let longest = Int((detector?.options.prefixPadding ?? 0) * 16_000) + 16_000
        if past.count > 2 * longest { past.removeFirst(past.count - longest) }
        return events
    }

    /// Ends the utterance; nil if there is none.
    mutating func commit() -> (item: String, recording: Recording)? {
        if !held.isEmpty { record(held) }
        flush()
        defer { reset() }
        detector?.reset()
        return utterance
    }

    mutating func clear() {
        reset()
        detector?.reset()
        past = []
    }

    private mutating func reset() {
        utterance = nil
        (held, isPausing, unsent) = ([], false, [])
    }

    @discardableResult
    private mutating func begin() -> String {
        let item = Names.new("item")
        utterance = (item, lyra.recording())
        recorded = 0
        return item
    }

    private mutating func record(_ samples: [Float]) {
        guard utterance != nil else { return }
        unsent += samples
        recorded += samples.count
        if unsent.count >= Self.batch { flush() }
    }

    private mutating func flush() {
        guard let utterance, !unsent.isEmpty else { return }
        feed.append(unsent, to: utterance.recording)
        unsent = []
    }
}

/// Hands sound to recordings one after the other.
final class RecordingFeed: Sendable {
    private enum Command: Sendable {
        case append([Float], Recording), encodeAhead(Recording), mark(CheckedContinuation<Void, Never>)
    }
    private let sink: AsyncStream<Command>.Continuation
    private let task: Task<Void, Never>

    init() {
        let (commands, sink) = AsyncStream<Command>.makeStream()
        self.sink = sink
        task = Task {
            for await command in commands {
                switch command {
                // What goes wrong here goes wrong again, and is told, when the recording is used.
                case .append(let samples, let recording): try? await recording.append(samples)
                case .encodeAhead(let recording): try? await recording.encodeAhead()
                case .mark(let continuation): continuation.resume()
                }
            }
        }
    }

    deinit { sink.finish() }

    func append(_ samples: [Float], to recording: Recording) { sink.yield(.append(samples, recording)) }
    func encodeAhead(_ recording: Recording) { sink.yield(.encodeAhead(recording)) }

    /// Returns when everything so far has been handed over.
    func finish() async {
        await withCheckedContinuation { continuation in
            if case .terminated = sink.yield(.mark(continuation)) { continuation.resume() }
        }
    }
}
