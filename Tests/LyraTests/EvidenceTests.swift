// Where a recording was attended to most.
@testable import Lyra
import Testing

@Suite struct EvidenceTests {
    /// Tokens of half a second.
    private func recording(_ scores: [Float], dropped: Set<Int> = []) -> Evidence.Medium {
        let pieces = scores.enumerated().map { place, score in
            Evidence.Piece(score: score, depth: 1, kept: !dropped.contains(place), start: Double(place) / 2, end: Double(place + 1) / 2)
        }
        return Evidence.Medium(kind: .speech, index: 0, pieces: pieces, keptShare: 1)
    }

    @Test func theStrongestStretch() {
        var scores = [Float](repeating: 0.1, count: 40)
        (scores[20], scores[22], scores[30]) = (3, 3, 5)
        #expect(recording(scores).strongestStretch(seconds: 0.5) == 15...15.5)
        // Together the first two weigh more than the one; the earliest such stretch.
        #expect(recording(scores).strongestStretch(seconds: 2) == 9.5...11.5)
        // What was dropped does not count.
        #expect(recording(scores, dropped: [20, 22]).strongestStretch(seconds: 2)?.contains(15.2) == true)
        // No longer than the recording.
        #expect(recording([1, 2]).strongestStretch(seconds: 60) == 0...1)
        #expect(recording([1, 2], dropped: [0, 1]).strongestStretch() == nil)
        #expect(recording([]).strongestStretch() == nil)
        // Where the answer looked says more, of what was dropped too.
        var answered = recording(scores, dropped: [3])
        for place in answered.pieces.indices { answered.pieces[place].answer = place == 3 ? 0.9 : 0 }
        #expect(answered.strongestStretch(seconds: 0.5) == 1.5...2)
    }
}
