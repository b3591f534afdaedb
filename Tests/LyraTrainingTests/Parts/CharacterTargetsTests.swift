// Spelling and counting mistakes; rates as jiwer 4.0 gives them for the same texts.
@testable import LyraTraining
import Testing

@Suite struct CharacterTargetsTests {
    @Test func textsAreSpeltAndReadBack() {
        #expect(CharacterTargets.normalized("  “It’s 3 o'clock,” said Zoë—twice!  ") == "it's 3 o'clock said zoe twice")
        for text in ["hello there", "it's 42", "bookkeeper"] {
            let blank = Int32(CharacterTargets.blank)
            // Every letter for two frames, blanks between.
            let frames = CharacterTargets.encode(text).flatMap { [$0, $0, blank] }
            #expect(CharacterTargets.decode(frames) == text)
        }
        #expect(CharacterTargets.decode(CharacterTargets.encode("bookkeeper")) == "bokeper")
        #expect(CharacterTargets.encode("!?").isEmpty && CharacterTargets.decode([]) == "")
    }

    @Test func ratesAreJiwers() {
        var rate = ErrorRate()
        rate.add(heard: "the cat sat on mat", said: "The cat sat on the mat.")
        rate.add(heard: "a quick brown socks jump", said: "quick brown fox jumps")
        rate.add(heard: "", said: "nothing")
        #expect(abs(rate.wer - 5.0 / 11) < 1e-9)
        #expect(abs(rate.cer - 18.0 / 50) < 1e-9)
        #expect(rate.exact == 0 && rate.texts == 3)
    }
}
