// Words without sense, to be said again or looked up: what a language model learns copying and looking up from.
import LyraMedia

/// Associative recall (Ba et al., arXiv 1610.06258; Arora et al., arXiv 2312.04927): rows of words, and pairs of words that belong
/// together. Every token of most answers is one that stands in the text, so that there is far more to learn copying from than in
/// questions whose answers are a word.
enum Recall {
    /// All that is printed, talked about or counted.
    static let words = Set(
        Lexicon.printed + Lexicon.names + Lexicon.people + Lexicon.things + Lexicon.edibles + Lexicon.beasts + Lexicon.places
            + Lexicon.adjectives + (0..<100).map(NumberWords.text)
    ).sorted()

    private static let again = ["Say it again.", "Repeat this.", "Read it."]
    private static let shuffled = ["The pairs in another order.", "Say them in any order."]
    private static let joints = [" ", " for ", " at ", " in ", " is ", " has "]
    /// Ways to ask for the second of a pair, and for the first.
    private static let second = ["{}?", "What goes with {}?", "{} goes with what?", "What stands after {}?"]
    private static let first = ["And {}?", "What stands before {}?", "What has {} with it?"]

    /// What is asked about, and questions with their answers.
    typealias Exercise = (context: String, turns: [(question: String, answer: String)])

    /// Up to twelve words, short rows being more frequent, which are to be said again. Nothing gets a capital, which would make other
    /// tokens of a word.
    static func row(_ random: inout SeededRandom) -> Exercise {
        let row = (0..<min(random.int(1...12), random.int(1...12))).map { _ in random.pick(words) }.joined(separator: " ") + "."
        return (row + "\n", [(random.pick(again), row)])
    }

    /// Up to six pairs, which are to be said again in any order.
    static func pairs(_ random: inout SeededRandom) -> Exercise {
        let (pairs, joint) = draw(1...6, &random)
        return (text(pairs, joint) + "\n", [(random.pick(shuffled), text(random.shuffled(pairs), joint))])
    }

    /// Two to six pairs, and a question about each.
    static func questions(_ random: inout SeededRandom) -> Exercise {
        let (pairs, joint) = draw(2...6, &random)
        let turns = random.shuffled(pairs).map { pair in
            let asksSecond = random.chance(0.6)
            let question = random.pick(asksSecond ? second : first).replacing("{}", with: asksSecond ? pair.0 : pair.1)
            return (question, random.pick(["It is ", "It says "]) + (asksSecond ? pair.1 : pair.0) + ".")
        }
        return (text(pairs, joint) + "\n", turns)
    }

    private static func draw(_ count: ClosedRange<Int>, _ random: inout SeededRandom) -> ([(String, String)], String) {
        let count = random.int(count), drawn = Array(random.shuffled(words).prefix(2 * count))
        return ((0..<count).map { (drawn[2 * $0], drawn[2 * $0 + 1]) }, random.pick(joints))
    }

    private static func text(_ pairs: [(String, String)], _ joint: String) -> String {
        pairs.map { $0 + joint + $1 }.joined(separator: ", ") + "."
    }
}
