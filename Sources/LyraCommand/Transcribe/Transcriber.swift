// Recordings -> text, window by window or as a whole.
import Foundation
import Logging
import Lyra
import LyraMedia
import LyraModel

/// A stretch of a recording and what is said in it.
struct TranscriptSegment: Encodable, Equatable {
    /// Seconds.
    var start: Double
    var end: Double
    var text: String
}

struct Transcriber: Sendable {
    let lyra: Lyra
    let isWhole: Bool
    let windowSeconds: Double
    let maximumTokens: Int?

    /// Transcribes a file; `delta` gets text as it is written, `segment` each finished stretch.
    func transcribe(
        _ file: String, delta: (String, _ start: Double) throws -> Void, segment: (TranscriptSegment) throws -> Void
    ) async throws {
        if isWhole {
            let progress = StageProgress()
            var options = options(tokens: 4_096)
            options.adapter = .longSpeech
            let reply = try await reply(.speech(.file(file)), options, progress: progress) { try delta($0, 0) }
            try segment(TranscriptSegment(start: 0, end: reply.usage.speechSeconds, text: reply.text.trimmed))
            warn(reply, options)
        } else {
            try await windows(file, delta: delta, segment: segment)
        }
    }

    private func windows(
        _ file: String, delta: (String, Double) throws -> Void, segment: (TranscriptSegment) throws -> Void
    ) async throws {
        let reader = try AudioReader(.file(file), channels: lyra.options.isCompatible ? .first : .mix)
        let rate = LogMel.sampleRate, length = Int(windowSeconds * Double(rate))
        let began = ContinuousClock.now
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
            show(done: start, of: reader.estimatedDuration, since: began)
            let options = options(tokens: 444)
            let reply = try await reply(.samples(samples), options, progress: nil) { try delta($0, start) }
            try segment(TranscriptSegment(start: start, end: Double(done) / Double(rate), text: reply.text.trimmed))
            warn(reply, options)
            isFirst = false
        }
        if let warning = reader.warning { Log.command.warning("\(file): \(warning)") }
        if isFirst { throw MediaUseError.noSound(file) }
    }

    private func options(tokens: Int) -> ReplyOptions {
        var options = ReplyOptions()
        options.maximumTokens = maximumTokens ?? tokens
        return options
    }

    /// One short conversation.
    private func reply(
        _ part: Part, _ options: ReplyOptions, progress: StageProgress?, delta: (String) throws -> Void
    ) async throws -> Reply {
        let conversation = lyra.conversation()
        var reply: Reply?
        for try await event in conversation.reply(to: [part, .text(TranscribeCommand.instruction)], options: options) {
            switch event {
            case .progress(let stage, let share): progress?.update(stage, share)
            case .text(let text): try delta(text)
            case .audio, .evidence: continue
            case .done(let finished): reply = finished
            }
        }
        try Task.checkCancellation()
        guard let reply else { throw CancellationError() }
        return reply
    }

    private func warn(_ reply: Reply, _ options: ReplyOptions) {
        guard reply.finishReason == .length else { return }
        Log.command.warning("the text was cut at \(options.maximumTokens) tokens; --max-tokens allows more")
    }

    private func show(done: Double, of total: Double?, since began: ContinuousClock.Instant) {
        let elapsed = (ContinuousClock.now - began) / .seconds(1)
        let rate = elapsed > 1 && done > 0 ? String(format: "%.1fx real time", done / elapsed) : nil
        let count = ProgressLine.clock(done) + (total.map { "/\(ProgressLine.clock($0))" } ?? "")
        Terminal.shared.draw(
            ProgressLine(label: "transcribing", fraction: total.map { $0 > 0 ? done / $0 : 0 }, count: count, rate: rate, elapsed: elapsed)
                .text(columns: Terminal.columns))
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

extension String {
    var trimmed: String { trimmingCharacters(in: .whitespacesAndNewlines) }
}
