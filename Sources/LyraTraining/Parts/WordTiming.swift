// When the words of a recording are said: the best path of CTC through a transcript.
import Foundation
import LyraModel
import LyraText
import MLX

/// A word of a recording and when it is said.
public struct TimedWord: Sendable, Equatable, Codable {
    /// As CTC spells it: lower case, letters, digits and apostrophes.
    public var word: String
    /// Seconds from the beginning of the recording.
    public var start, end: Double

    public init(word: String, start: Double, end: Double) { (self.word, self.start, self.end) = (word, start, end) }
}

enum LetterPath {
    /// The frames of each class of `targets` on the most probable way through all of them in order, with or without blanks between
    /// them; nil if there are too few frames.
    ///
    /// - Parameters:
    ///   - scores: log probabilities up to a constant a frame, [frames, classes].
    ///   - targets: classes, none of them the blank.
    static func best(_ scores: [Float], classes: Int, targets: [Int32], blank: Int) -> [Range<Int>]? {
        let frames = scores.count / classes, states = 2 * targets.count + 1
        guard frames > 0, !targets.isEmpty else { return nil }
        func label(_ state: Int) -> Int { state % 2 == 0 ? blank : Int(targets[state / 2]) }
        // A letter may follow the one before it without a blank unless it is the same.
        func skips(_ state: Int) -> Bool { state % 2 == 1 && state > 1 && targets[state / 2] != targets[state / 2 - 1] }
        var best = [Float](repeating: -.infinity, count: states), steps = [UInt8](repeating: 0, count: frames * states)
        best[0] = scores[blank]
        best[1] = scores[label(1)]
        for frame in 1..<max(1, frames) {
            var next = [Float](repeating: -.infinity, count: states)
            for state in 0..<states {
                var (from, step) = (best[state], UInt8(0))
                if state > 0, best[state - 1] > from { (from, step) = (best[state - 1], 1) }
                if skips(state), best[state - 2] > from { (from, step) = (best[state - 2], 2) }
                next[state] = from + scores[frame * classes + label(state)]
                steps[frame * states + state] = step
            }
            best = next
        }
        var state = best[states - 1] > best[states - 2] ? states - 1 : states - 2
        guard best[state].isFinite else { return nil }
        var found = [Range<Int>](repeating: 0..<0, count: targets.count)
        for frame in stride(from: frames - 1, through: 0, by: -1) {
            if state % 2 == 1 {
                let letter = state / 2
                found[letter] = frame..<(found[letter].isEmpty ? frame + 1 : found[letter].upperBound)
            }
            state -= Int(steps[frame * states + state])
        }
        return found
    }
}

extension SpellingEncoder {
    /// When each word of a transcript is said. A word begins with the first frame of its first letter and ends with the last of its last.
    ///
    /// - Parameter samples: 16 kHz, at most one window of the encoder.
    /// - Returns: nil if the recording is longer than a window, or too short for the transcript.
    public func words(of transcript: String, in samples: [Float]) -> [TimedWord]? {
        let words = CharacterTargets.normalized(transcript).split(separator: " ").map(String.init)
        // Whole units of a second are computed.
        let unit = 100, full = encoder.configuration.positions * 2
        let frames = min(full, (samples.count / LogMel.hopSamples / unit + 1) * unit)
        guard !words.isEmpty, samples.count <= full * LogMel.hopSamples else { return nil }
        let logits = self(logMels[frames](samples).expandedDimensions(axis: 0))[0]
        let scores = logits - logits.logSumExp(axis: -1, keepDims: true)
        let said = scores.asArray(Float.self).prefix(SpeechEncoderTraining.encoderFrames(samples.count) * CharacterTargets.count)
        let targets = CharacterTargets.encode(transcript)
        guard let path = LetterPath.best(Array(said), classes: CharacterTargets.count, targets: targets, blank: CharacterTargets.blank)
        else { return nil }
        let framesPerSecond = Double(LogMel.sampleRate) / Double(2 * LogMel.hopSamples)
        var place = 0
        return words.map { word in
            let (first, last) = (path[place], path[place + word.count - 1])
            // And the space after it.
            place += word.count + 1
            return TimedWord(word: word, start: Double(first.lowerBound) / framesPerSecond, end: Double(last.upperBound) / framesPerSecond)
        }
    }
}

/// A token of a transcript and when it is said.
struct TimedToken: Sendable, Equatable {
    var id: Int32
    /// In seconds or samples, from the beginning.
    var start, end: Double
}

/// Finds the times of tokens from those of words, whose letters take equal shares of them.
struct TokenTiming: Sendable {
    let tokenizer: Tokenizer

    /// In seconds. Tokens without letters, such as full stops, are not said.
    /// - Throws: `TrainingError` if the words are not those of the transcript.
    func tokens(of item: Recordings.Item) throws -> [TimedToken] {
        guard let transcript = item.transcript, let words = item.words else {
            throw TrainingError.badSample(id: item.id, reason: "it does not say when its words are said (\"words\", by lyra data align)")
        }
        // No recording that a window holds is longer than a day.
        if let word = words.first(where: { !(0...86_400).contains($0.start) || !($0.start...86_400).contains($0.end) }) {
            throw TrainingError.badSample(id: item.id, reason: "the word \"\(word.word)\" is said from \(word.start) to \(word.end) s")
        }
        let letters = words.flatMap { word in
            let count = word.word.count, length = (word.end - word.start) / Double(max(1, count))
            return (0..<count).map { (start: word.start + Double($0) * length, end: word.start + Double($0 + 1) * length) }
        }
        var place = 0, tokens: [TimedToken] = []
        for id in tokenizer.encode(transcript) {
            let count = CharacterTargets.normalized(tokenizer.decode([id])).count { $0 != " " }
            guard count > 0, place + count <= letters.count else {
                place += count
                continue
            }
            tokens.append(TimedToken(id: id, start: letters[place].start, end: letters[place + count - 1].end))
            place += count
        }
        guard place == letters.count else {
            throw TrainingError.badSample(id: item.id, reason: "its words (\"words\") are not those of its transcript (\"speech_asr\")")
        }
        return tokens
    }
}
