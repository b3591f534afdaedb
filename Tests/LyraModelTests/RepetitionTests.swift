// Texts that go round in circles are noticed, others are left alone.
@testable import LyraModel
import Testing

@Suite struct RepetitionTests {
    /// Where it is noticed, and how many tokens are repeated.
    private func noticed(_ tokens: [Int32]) -> (at: Int, repeated: Int)? {
        var detector = RepetitionDetector()
        for (place, token) in tokens.enumerated() {
            if let repeated = detector.append(token) { return (place + 1, repeated) }
        }
        return nil
    }

    @Test(arguments: [1, 2, 3, 5, 8, 31, 32]) func aPassageOverAndOverIsNoticed(length: Int) throws {
        let passage = (0..<Int32(length)).map { 100 + $0 }, text: [Int32] = [1, 2, 3] + (0..<40).flatMap { _ in passage }
        let found = try #require(noticed(text))
        // All but one of the passages are repetitions.
        #expect(found.at == 3 + max(4 * length, 16))
        #expect(found.at - found.repeated == 3 + length)
        #expect(Array(text.prefix(found.at - found.repeated)) == [1, 2, 3] + passage)
    }

    @Test func whatIsSaidAFewTimesIsNot() {
        #expect(noticed([7] + Array(repeating: 5, count: 15) + [7]) == nil)
        let chorus: [Int32] = Array(1...20)
        #expect(noticed(chorus + chorus + chorus + [99] + chorus) == nil)
        // A passage that is longer than what is looked for, and one that changes each time.
        #expect(noticed((0..<10).flatMap { _ in Array(1...Int32(33)) }) == nil)
        #expect(noticed((0..<40).flatMap { [1, 2, 3, 10 + $0] }) == nil)
        var random = SplitMix64(state: 3)
        #expect(noticed((0..<5_000).map { _ in Int32.random(in: 0..<50, using: &random) }) == nil)
    }
}
