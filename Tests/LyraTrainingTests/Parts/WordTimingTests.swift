// When words are said: the path through letters, the times of words and of tokens.
import Foundation
import LyraModel
import LyraText
@testable import LyraTraining
import Testing

@Suite struct WordTimingTests {
    /// Against all ways there are of saying the letters.
    @Test func thePathIsTheBestOfAll() {
        var random = SplitMix64(state: 4), checked = 0
        for _ in 0..<60 {
            let frames = Int.random(in: 2...6, using: &random), classes = 3, blank = 2
            let targets = (0..<Int.random(in: 1...3, using: &random)).map { _ in Int32.random(in: 0...1, using: &random) }
            let scores = (0..<frames * classes).map { _ in Float.random(in: -4...0, using: &random) }
            var best: (score: Float, path: [Int])?
            for number in 0..<Int(pow(Double(classes), Double(frames))) {
                var path: [Int] = [], rest = number
                for _ in 0..<frames {
                    path.append(rest % classes)
                    rest /= classes
                }
                var said: [Int32] = [], last = blank
                for label in path {
                    if label != last, label != blank { said.append(Int32(label)) }
                    last = label
                }
                let score = path.enumerated().reduce(Float(0)) { $0 + scores[$1.offset * classes + $1.element] }
                if said == targets, score > best?.score ?? -.infinity { best = (score, path) }
            }
            let found = LetterPath.best(scores, classes: classes, targets: targets, blank: blank)
            guard let best else {
                #expect(found == nil)
                continue
            }
            checked += 1
            var wanted: [Range<Int>] = [], last = blank
            for (frame, label) in best.path.enumerated() {
                if label != blank {
                    if label == last { wanted[wanted.count - 1] = wanted[wanted.count - 1].lowerBound..<frame + 1 } else { wanted.append(frame..<frame + 1) }
                }
                last = label
            }
            #expect(found == wanted)
        }
        #expect(checked > 30)
    }

    @Test func whatCannotBeSaidHasNoPath() {
        #expect(LetterPath.best([Float](repeating: 0, count: 6), classes: 3, targets: [0, 0], blank: 2) == nil, "a blank has to come between")
        #expect(LetterPath.best([], classes: 3, targets: [0], blank: 2) == nil)
        #expect(LetterPath.best([0, 0, 0], classes: 3, targets: [], blank: 2) == nil)
    }

    /// Words of a sentence by the towers that ship: in order, each where there is sound.
    @Test func wordsAreFoundInARecording() throws {
        let ears = try SpellingEncoder(tower: DataPack.root + "/models/nano-towers/speech_encoder", head: DataPack.root + "/models/nano-towers/spelling.safetensors")
        let sound = try Recordings.samples(Recordings.Item(id: "0", path: DataPack.root + "/examples/question.wav"))
        let words = try #require(ears.words(of: "What colour is the circle, and what does the sign say?", in: sound))
        #expect(words.map(\.word) == ["what", "colour", "is", "the", "circle", "and", "what", "does", "the", "sign", "say"])
        #expect(zip(words, words.dropFirst()).allSatisfy { $0.end <= $1.start && $0.start < $0.end })
        // Where a word is said there is sound.
        for word in words {
            let part = sound[max(0, Int((word.start - 0.05) * 16_000))..<min(sound.count, Int((word.end + 0.05) * 16_000))]
            let loudness = (part.reduce(0) { $0 + $1 * $1 } / Float(max(1, part.count))).squareRoot()
            #expect(loudness > 0.02, "\(word)")
        }
        #expect(ears.words(of: "so long", in: [Float](repeating: 0, count: 16_000 * 9)) == nil, "longer than a window")
        #expect(ears.words(of: "much too long for this", in: [Float](repeating: 0, count: 1_600)) == nil)
    }

    @Test func tokensTakeTheirLettersTimes() throws {
        let timing = TokenTiming(tokenizer: try Tokenizer(directory: URL(fileURLWithPath: DataPack.root + "/models/nano-towers/language")))
        let words = [TimedWord(word: "go", start: 1, end: 2), TimedWord(word: "to", start: 3, end: 3.5), TimedWord(word: "vienna", start: 4, end: 7)]
        let item = Recordings.Item(id: "0", path: "", transcript: "Go to Vienna.", words: words)
        let tokens = try timing.tokens(of: item)
        #expect(timing.tokenizer.decode(tokens.map(\.id)) == "Go to Vienna", "the full stop is not said")
        #expect(tokens.first?.start == 1 && tokens.last?.end == 7 && tokens.contains { $0.start == 3 && $0.end == 3.5 })
        #expect(zip(tokens, tokens.dropFirst()).allSatisfy { $0.end <= $1.start + 1e-9 })

        var other = item
        other.transcript = "Go to Paris."
        #expect { try timing.tokens(of: other) } throws: { $0.localizedDescription.contains("not those of its transcript") }
        other.words = [TimedWord(word: "gotovienna", start: 1, end: 1e300)]
        #expect { try timing.tokens(of: other) } throws: { $0.localizedDescription.contains("gotovienna") }
        other.words = nil
        #expect { try timing.tokens(of: other) } throws: { $0.localizedDescription.contains("lyra data align") }
    }
}
