// Recordings -> text, window by window or as a whole.
import Foundation
import LyraMedia
import LyraModel

/// A stretch of a recording and what is said in it.
public struct TranscriptSegment: Sendable, Codable, Equatable {
    /// Seconds.
    public var start: Double
    public var end: Double
    public var text: String

    public init(start: Double, end: Double, text: String) { (self.start, self.end, self.text) = (start, end, text) }
}

/// What happens while a recording is transcribed.
public enum TranscriptEvent: Sendable {
    /// Seconds done and, where known, of the whole.
    case progress(done: Double, total: Double?)
    /// A stage of the one request that hears the whole.
    case stage(Stage, fraction: Double)
    /// More text of the stretch that begins there.
    case text(String, start: Double)
    /// A stretch is finished.
    case segment(TranscriptSegment, Reply)
    /// Damage of the file, in words.
    case warning(String)
}

/// Writes down what is said in recordings of any length. They are cut into windows of up to 30 s at quiet places, and each is
/// transcribed by itself with the release's instruction; memory does not grow with the length.
public struct Transcriber: Sendable {
    public let lyra: Lyra
    /// Hear everything in one request, through the long-speech adapter, instead.
    public var isWhole = false
    /// Longest window; nil: as long as the speech encoder hears at a time.
    public var windowSeconds: Double?
    /// Tokens at most of a window's text, or of the whole; nil: 444, or 4,096.
    public var maximumTokens: Int?
    public var sampling = SamplingOptions.greedy
    /// The release's instruction for speech recognition; the line break sets it apart from the one after the speech.
    public var instruction = "\nRecord the spoken words as text."

    public init(lyra: Lyra) { self.lyra = lyra }

    /// Transcribes a recording, or the sound track of a video.
    /// - Throws: `MediaError`, `MediaUseError.noSound`, and what `event` throws.
    public func transcribe(_ source: MediaSource, event: (TranscriptEvent) throws -> Void) async throws {
        guard isWhole else { return try await windows(source, event: event) }
        let reply = try await reply(.speech(source), start: 0, event)
        try event(.segment(TranscriptSegment(start: 0, end: reply.usage.speechSeconds, text: reply.text.trimmed), reply))
    }

    private func windows(_ source: MediaSource, event: (TranscriptEvent) throws -> Void) async throws {
        let reader = try AudioReader(source, channels: lyra.options.isCompatible ? .first : .mix)
        let rate = LogMel.sampleRate, longest = await lyra.withNetworks { $0.logMel.windowSamples }
        let length = min(longest, windowSeconds.map { Int($0 * Double(rate)) } ?? longest)
        var buffer: [Float] = [], done = 0, isFirst = true, isAtEnd = false
        while true {
            // One sample more than a window tells whether the recording ends with it.
            while buffer.count <= length, !isAtEnd {
                let piece = try reader.read(maximumCount: length + 1 - buffer.count)
                isAtEnd = piece.isEmpty
                buffer += piece
            }
            guard !buffer.isEmpty else { break }
            let cut = buffer.count <= length ? buffer.count : QuietCut.find(Array(buffer[..<length]), sampleRate: rate)
            let samples = Array(buffer[..<cut])
            buffer.removeFirst(cut)
            let start = Double(done) / Double(rate)
            done += cut
            try event(.progress(done: start, total: reader.estimatedDuration))
            let reply = try await reply(.samples(samples), start: start, event)
            try event(.segment(TranscriptSegment(start: start, end: Double(done) / Double(rate), text: reply.text.trimmed), reply))
            isFirst = false
        }
        if let warning = reader.warning { try event(.warning(warning)) }
        if isFirst { throw MediaUseError.noSound(source.description) }
    }

    /// One short conversation.
    private func reply(_ part: Part, start: Double, _ event: (TranscriptEvent) throws -> Void) async throws -> Reply {
        var options = ReplyOptions()
        options.maximumTokens = maximumTokens ?? (isWhole ? 4_096 : 444)
        options.sampling = sampling
        options.endsRepetition = true
        if isWhole { options.adapter = .longSpeech }
        let conversation = lyra.conversation()
        var reply: Reply?
        for try await happened in conversation.reply(to: [part, .text(instruction)], options: options) {
            switch happened {
            case .progress(let stage, let share): if isWhole { try event(.stage(stage, fraction: share)) }
            case .text(let text): try event(.text(text, start: start))
            case .audio, .evidence: continue
            case .done(let finished): reply = finished
            }
        }
        try Task.checkCancellation()
        guard let reply else { throw CancellationError() }
        return reply
    }
}

/// Where to cut a window so that no word is torn: the quietest moment of its last part.
enum QuietCut {
    /// Share of the window, at its end, in which the cut may be.
    private static let searched = 0.25
    /// Seconds over which loudness is averaged.
    private static let span = 0.2

    /// A sample number in the last quarter of `samples`, in the middle of their quietest fifth of a second.
    static func find(_ samples: [Float], sampleRate: Int) -> Int {
        let span = Int(span * Double(sampleRate)), from = Int(Double(samples.count) * (1 - searched))
        guard samples.count - from > 2 * span else { return samples.count }
        var energy = samples[from..<(from + span)].reduce(0.0) { $0 + Double($1 * $1) }
        var best = energy, place = from
        for i in from..<(samples.count - span) {
            energy += Double(samples[i + span] * samples[i + span]) - Double(samples[i] * samples[i])
            // Later is better among equals: windows as long as they can be.
            if energy <= best { (best, place) = (energy, i + 1) }
        }
        return place + span / 2
    }
}

/// Subtitles of one stretch.
public enum Caption {
    /// "01:02:03,456"
    public static func time(_ seconds: Double, separator: String) -> String {
        let milliseconds = Int((max(0, seconds) * 1000).rounded()), total = milliseconds / 1000
        return String(format: "%02d:%02d:%02d\(separator)%03d", total / 3600, total / 60 % 60, total % 60, milliseconds % 1000)
    }

    public static func srt(_ segment: TranscriptSegment, number: Int) -> String {
        "\(number)\n\(time(segment.start, separator: ",")) --> \(time(segment.end, separator: ","))\n\(lines(segment.text))\n\n"
    }

    public static func vtt(_ segment: TranscriptSegment) -> String {
        let escaped = segment.text.replacingOccurrences(of: "&", with: "&amp;").replacingOccurrences(of: "<", with: "&lt;")
            .replacingOccurrences(of: ">", with: "&gt;")
        return "\(time(segment.start, separator: ".")) --> \(time(segment.end, separator: "."))\n\(lines(escaped))\n\n"
    }

    /// An empty line would end the caption.
    private static func lines(_ text: String) -> String {
        text.split(whereSeparator: \.isNewline).map { String($0).trimmed }.filter { !$0.isEmpty }.joined(separator: "\n")
    }
}

extension String {
    package var trimmed: String { trimmingCharacters(in: .whitespacesAndNewlines) }
}
