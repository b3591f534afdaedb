// Guesses at tokens to come.
@testable import LyraModel
import Testing

@Suite struct PromptLookupTests {
    @Test func whatFollowedBeforeIsGuessed() {
        var lookup = PromptLookup([1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2])
        #expect(lookup.guess() == [])
        lookup.append(3)
        #expect(lookup.guess() == [4, 5, 6])
        #expect(lookup.guess(limit: 2) == [4, 5])
        lookup.learn(right: 3, of: 3)
        #expect(lookup.guess() == [4, 5, 6, 7, 8, 9])
    }

    @Test func theNewestOccurrenceCounts() {
        #expect(PromptLookup([1, 2, 3, 4, 1, 2, 3, 5, 0, 1, 2, 3]).guess() == [5, 0, 1])
    }

    @Test func markersAreNotGuessed() {
        #expect(PromptLookup([1, 2, 3, 4, -500, 5, 1, 2, 3]).guess() == [4])
        #expect(PromptLookup([1, 2, 3, PromptLookup.end, 1, 2, 3]).guess() == [])
    }

    @Test func wrongGuessesMakeItRest() {
        var lookup = PromptLookup([1, 2, 3, 4, 1, 2, 3])
        var asked = 0
        for _ in 0..<400 {
            let guess = lookup.guess()
            if !guess.isEmpty {
                asked += 1
                lookup.learn(right: 0, of: guess.count)
            }
            for token: Int32 in [4, 1, 2, 3] { lookup.append(token) }
        }
        #expect((3...60).contains(asked))
    }
}
