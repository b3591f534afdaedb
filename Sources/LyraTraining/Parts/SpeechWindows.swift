// Windows of sound that the speech encoder is trained on, put together from recordings.
import Foundation
import LyraMedia
import LyraModel
import MLX

/// A window of sound, and what it says.
struct SpeechWindow: Sendable {
    /// At most as long as the encoder's window.
    var samples: [Float]
    /// CTC's classes of all that is said.
    var targets: [Int32]
    /// The tokens of all that is said and their times in samples, where the maker has ``SpeechWindowMaker/spelling``.
    var tokens: [TimedToken]
    /// Which parts of its log-mel spectrum stay; nil for all.
    var mask: [Float]?
}

/// The windows of one step, all computed over as many frames.
struct SpeechBatch: Sendable {
    var windows: [SpeechWindow]
    /// Mel frames that are computed; what recordings do not fill is silence.
    var melFrames: Int
}

/// Spectra of batches, with a front end for every length there is.
final class LogMels {
    private let bins: Int
    private var known: [Int: LogMel] = [:]

    init(bins: Int) { self.bins = bins }

    subscript(frames: Int) -> LogMel {
        if let found = known[frames] { return found }
        let new = LogMel(bins: bins, frames: frames)
        known[frames] = new
        return new
    }

    /// [windows, bins, frames]
    func callAsFunction(_ batch: SpeechBatch) -> MLXArray {
        let logMel = self[batch.melFrames]
        let mel = logMel(windows: batch.windows.map { $0.samples.prefix(logMel.windowSamples) })
        guard batch.windows.contains(where: { $0.mask != nil }) else { return mel }
        let masks = batch.windows.flatMap { $0.mask ?? [Float](repeating: 1, count: bins * batch.melFrames) }
        return mel * MLXArray(masks, [batch.windows.count, bins, batch.melFrames])
    }
}

/// Makes batches from a step's number alone.
struct SpeechWindowMaker: Sendable {
    let recordings: Recordings
    let configuration: SpeechEncoderConfiguration
    let melBins: Int
    /// Samples of the encoder's window.
    let windowSamples: Int
    /// How transcripts are written in tokens, where it matters when these are said.
    let spelling: TokenTiming?
    private let cache = SoundCache(limit: 1 << 30)
    /// Letters of each transcript: about how long the recording takes to say, known without decoding it.
    private let letters: [Int]

    /// Windows are cut to whole units of this many mel frames.
    private static let granularity = 50
    /// Utterances of so many steps are drawn together and put in order of length, so that those of a step are about as long.
    private static let stepsDrawnTogether = 16

    init(_ recordings: Recordings, _ configuration: SpeechEncoderConfiguration, melBins: Int, windowSamples: Int, spelling: TokenTiming? = nil) throws {
        (self.recordings, self.configuration, self.melBins, self.windowSamples) = (recordings, configuration, melBins, windowSamples)
        self.spelling = spelling
        letters = try (0..<recordings.count).map { try recordings.item($0).transcript?.utf8.count ?? 0 }
    }

    private func random(_ number: Int, stream: UInt64) -> SplitMix64 {
        SplitMix64(state: configuration.settings.seed &* 0x9E37_79B9_7F4A_7C15 &+ UInt64(number) &* 0xD134_2543_DE82_EF95 ^ stream)
    }

    /// Which recordings a step of single utterances takes.
    func utterances(_ step: Int) -> ArraySlice<Int> {
        var random = random(step / Self.stepsDrawnTogether, stream: 0x5E6D)
        let size = configuration.settings.batchSize
        let drawn = (0..<Self.stepsDrawnTogether * size).map { _ in Int.random(in: 0..<recordings.count, using: &random) }
            .sorted { (letters[$0], $0) < (letters[$1], $1) }
        let place = Array(0..<Self.stepsDrawnTogether).shuffled(using: &random)[step % Self.stepsDrawnTogether]
        return drawn[place * size..<(place + 1) * size]
    }

    /// The share's windows of a step's batch. Chance is each window's own: what a process takes does not depend on how many there are.
    func batch(_ step: Int, _ share: BatchShare = BatchShare()) throws -> SpeechBatch {
        var random = random(step, stream: 0)
        let isBeginning = step < configuration.shortSteps
        let isPacked = Double.random(in: 0..<1, using: &random) < configuration.packedShare && !isBeginning
        let isFull = isPacked || Double.random(in: 0..<1, using: &random) < configuration.fullShare && !isBeginning
        let size = configuration.settings.batchSize, utterances = isPacked ? [] : Array(utterances(step))
        var windows: [SpeechWindow] = [], chances: [SplitMix64] = []
        for place in 0..<size where share.holds(place) {
            var chance = self.random(step * size + place, stream: 0xC4A1)
            windows.append(try window(isPacked ? nil : utterances[place], &chance))
            chances.append(chance)
        }
        let full = windowSamples / LogMel.hopSamples, unit = Self.granularity
        let longest = windows.reduce(0) { max($0, $1.samples.count) } / LogMel.hopSamples + 1
        let frames = isFull ? full : min(full, (longest + unit - 1) / unit * unit)
        for i in windows.indices {
            windows[i].mask = configuration.masks.draw(
                bins: melBins, frames: frames, used: min(frames, windows[i].samples.count / LogMel.hopSamples), &chances[i])
        }
        return SpeechBatch(windows: windows, melFrames: frames)
    }

    /// Some of the recordings as they are, spread over all; those longer than a window are left out.
    func unchanged(limit: Int) throws -> [SpeechWindow] {
        let count = min(limit, recordings.count)
        return try (0..<count).compactMap { number in
            let item = try recordings.item(number * recordings.count / count), samples = try Recordings.samples(item)
            guard let transcript = item.transcript, samples.count <= windowSamples else { return nil }
            let rate = Double(LogMel.sampleRate)
            let tokens = try spelling?.tokens(of: item).map { TimedToken(id: $0.id, start: $0.start * rate, end: $0.end * rate) }
            return SpeechWindow(samples: samples, targets: CharacterTargets.encode(transcript), tokens: tokens ?? [])
        }
    }

    /// - Parameter utterance: the only one, unless it is longer than a window; nil for as many as fit, with pauses.
    private func window(_ utterance: Int?, _ random: inout SplitMix64) throws -> SpeechWindow {
        func silence(_ range: ClosedRange<Double>) -> Int { Int(Double.random(in: range, using: &random) * Double(LogMel.sampleRate)) }
        var samples: [Float] = [], text = "", tokens: [TimedToken] = [], refused = 0
        var speed = SpeechAugmentation.none, rest = configuration.augmentation
        speed.speed = rest.speed
        rest.speed.probability = 0
        rest.pause.probability = 0  // the window has pauses of its own
        while true {
            let number = if refused == 0, let utterance { utterance } else { Int.random(in: 0..<recordings.count, using: &random) }
            let item = try recordings.item(number)
            guard let transcript = item.transcript else { throw NoTranscript(path: item.path) }
            let original = try cache.samples(item), sound = speed.apply(original, seed: random.next())
            let pause = silence(samples.isEmpty ? 0...0.3 : 0.1...0.7)
            guard samples.count + pause + sound.count <= windowSamples else {
                if !samples.isEmpty { break }
                // Longer than a window: another one.
                refused += 1
                guard refused < 1_000 else { throw TrainingError.noUsableSamples("recordings of at most one window: the data") }
                continue
            }
            if let spelling {
                // At another speed everything is said so much earlier or later.
                let first = Double(samples.count + pause), scale = Double(sound.count) / Double(max(1, original.count)) * Double(LogMel.sampleRate)
                tokens += try spelling.tokens(of: item).map { TimedToken(id: $0.id, start: first + $0.start * scale, end: first + $0.end * scale) }
            }
            samples += [Float](repeating: 0, count: pause) + sound
            text += " " + transcript
            if utterance != nil { break }
        }
        samples += [Float](repeating: 0, count: min(silence(0...0.4), windowSamples - samples.count))
        return SpeechWindow(samples: rest.apply(samples, seed: random.next()), targets: CharacterTargets.encode(text), tokens: tokens)
    }

    private struct NoTranscript: Error, LocalizedError {
        let path: String
        var errorDescription: String? { "\(path) has no transcript (\"speech_asr\")" }
    }
}
