// Metrics that no reference program covers: reading choices, mentions, error tables, intervals.
import Foundation
@testable import LyraEvaluation
import Testing

@Suite struct MetricTests {
    @Test(arguments: [
        ("B", 1), ("b.", 1), ("(C)", 2), ("**D**", 3), ("A) red", 0), ("A: red", 0), ("The answer is B.", 1), ("answer: c", nil),
        ("The correct option is (B) because of A lot.", 1), ("I think it is (d).", 3), ("It shows a B movie", 1), ("A red car", 0),
        ("It is green, I would say.", 1), ("red or green", nil), ("", nil), ("E", nil), ("None of these", nil), ("Maybe C or D", nil),
        ("Green.", 1), ("BLUE", 2), ("I", nil),
    ] as [(String, Int?)])
    func choices(reply: String, expected: Int?) {
        #expect(MultipleChoice.choice(reply, options: ["A. Red", "B. Green", "C. Blue", "Yellow"]) == expected)
    }

    @Test func mentions() {
        #expect(AnswerScore.mentions("There were Twenty-One sheep.", accepted: ["21"]))
        #expect(AnswerScore.mentions("It's the colour red!", accepted: ["blue", "color red"]))
        #expect(!AnswerScore.mentions("It is credible", accepted: ["red"]))
        #expect(!AnswerScore.mentions("anything", accepted: ["", "!"]))
        #expect(AnswerScore.isExactly("The Red.", accepted: ["the red"]) && !AnswerScore.isExactly("the red one", accepted: ["the red"]))
    }

    @Test func frequentMistakes() {
        let errors = [("a b c", "a x c"), ("b b", "x x"), ("c", "c d"), ("e a", "a")].map { TextErrors.words($0, $1) }
        let top = Mistake.mostFrequent(errors.flatMap(\.mistakes), limit: 2)
        #expect(top.map(\.count) == [3, 1])
        #expect(top.map(\.mistake) == [Mistake(said: "b", heard: "x"), Mistake(said: "", heard: "d")])
        #expect(errors.map(\.counts).reduce(ErrorCounts(), +).rate == 5.0 / 8.0)
    }

    /// Sequences too large for one table are divided; the number of edits stays the least.
    @Test func longAlignment() {
        var random = SplitMix(state: 5)
        let a = (0..<900).map { _ in random.below(40) }
        var b = a
        for _ in 0..<60 { b[random.below(b.count)] = 100 }
        b.removeSubrange(400..<410)
        let edits = Alignment.edits(a, b, largestTable: 1_000)
        let cost = edits.count { if case .keep = $0 { false } else { true } }
        #expect(cost == Alignment.distance(a, b))
        var rebuilt: [Int] = [], used = 0
        for edit in edits {
            switch edit {
            case .keep(let r, let h), .substitute(let r, let h):
                #expect(r == used)
                (rebuilt, used) = (rebuilt + [b[h]], used + 1)
            case .delete(let r):
                #expect(r == used)
                used += 1
            case .insert(let h): rebuilt.append(b[h])
            }
        }
        #expect(rebuilt == b && used == a.count)
    }

    /// Against the normal approximation of a share's interval.
    @Test func intervalOfAShare() throws {
        let scores = (0..<400).map { $0 % 4 == 0 ? 0.0 : 1.0 }
        func mean(_ places: [Int]) -> Double? { places.reduce(0) { $0 + scores[$1] } / Double(places.count) }
        let interval = try #require(Bootstrap.interval(strata: [Array(0..<400)], score: mean))
        let half = 1.96 * (0.75 * 0.25 / 400).squareRoot()
        #expect(abs(interval.low - (0.75 - half)) < 0.006 && abs(interval.high - (0.75 + half)) < 0.006)
        #expect(Bootstrap.interval(strata: [Array(0..<400)], score: mean) == interval)
        #expect(Bootstrap.interval(strata: [[0]], score: mean) == nil)
        #expect(Bootstrap.interval(strata: [[0, 1], []], score: { _ in nil }) == nil)
    }

    @Test func significance() throws {
        let same = (0..<200).map { Double($0 % 3) }, better = same.enumerated().map { $0.offset % 5 == 0 ? $0.element + 1 : $0.element }
        func difference(_ a: [Double], _ b: [Double]) -> ([Int]) -> Double? {
            { places in places.reduce(0) { $0 + b[$1] - a[$1] } / Double(places.count) }
        }
        let places = [Array(0..<200)]
        let real = try #require(Bootstrap.difference(strata: places, difference: difference(same, better)))
        #expect(real.p < 0.01 && real.interval.low > 0 && real.interval.high < 0.3)
        let none = try #require(Bootstrap.difference(strata: places, difference: difference(same, same)))
        #expect(none.p == 1)
        let noise = same.enumerated().map { $0.element + ($0.offset % 2 == 0 ? 0.5 : -0.5) }
        #expect(try #require(Bootstrap.difference(strata: places, difference: difference(same, noise))).p > 0.5)
    }

    @Test func quantiles() {
        #expect(Bootstrap.quantile([1, 2, 3, 4], 0.5) == 2.5)
        #expect(Bootstrap.quantile([1, 2, 3, 4], 1) == 4)
        #expect(Bootstrap.quantile([7], 0.025) == 7)
    }

    @Test func pythonNumbers() {
        for (text, value) in [("1_0.5", 10.5), (" -2e-1\n", -0.2), (".5", 0.5), ("5.", 5), ("٣", 3), ("+inf", Double.infinity)] {
            #expect(PythonText.float(text) == value, "\(text)")
        }
        for text in ["", "_1", "1_", "1__0", "1e", "0x1", "1 2", "--1", ".", "e5", "1._5"] { #expect(PythonText.float(text) == nil, "\(text)") }
    }
}
