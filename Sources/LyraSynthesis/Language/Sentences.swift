// Sentences to be transcribed: grammatical ones, and words in any order, which no language model can guess.
import LyraMedia

enum Sentences {
    /// A sentence of the split, with capital and full stop.
    static func sentence(_ split: Split, _ random: inout SeededRandom) -> String {
        split.draw(&random, content: { "sentence/\($0)" }) { random in
            random.chance(0.3) ? wordList(&random) : grammatical(&random)
        }
    }

    /// Three to nine words in any order.
    static func wordList(_ random: inout SeededRandom) -> String {
        (0..<random.int(3...9)).map { _ in random.pick(Lexicon.all) }.joined(separator: " ").capitalised + "."
    }

    static func grammatical(_ random: inout SeededRandom) -> String {
        let text: String
        switch random.below(14) {
        case 0: text = "\(subject(&random)) \(random.pick(Lexicon.actions)) \(object(&random))"
        case 1: text = "\(subject(&random)) \(random.pick(Lexicon.actions)) \(object(&random)) \(random.pick(Lexicon.times))"
        case 2: text = "\(random.pick(Lexicon.times)) \(subject(&random)) \(random.pick(Lexicon.motions)) \(place(&random))"
        case 3: text = "\(subject(&random)) \(random.pick(Lexicon.motions)) \(random.pick(Lexicon.adverbs))"
        case 4: text = "the \(random.pick(Lexicon.adjectives)) \(random.pick(Lexicon.beasts)) \(random.pick(Lexicon.motions)) \(place(&random))"
        case 5: text = "there are \(NumberWords.text(random.int(2...99))) \(random.pick(Lexicon.plurals)) \(place(&random))"
        case 6: text = "\(random.pick(Lexicon.names)) and \(random.pick(Lexicon.names)) \(random.pick(Lexicon.actions)) \(object(&random))"
        case 7: text = "\(subject(&random)) had \(random.pick(Lexicon.edibles)) and \(random.pick(Lexicon.edibles)) \(random.pick(Lexicon.times))"
        case 8: text = "\(subject(&random)) talked about \(random.pick(Lexicon.abstract)) and \(random.pick(Lexicon.abstract))"
        case 9: text = "the \(random.pick(Lexicon.things)) was \(random.pick(Lexicon.adjectives)) but the \(random.pick(Lexicon.things)) was \(random.pick(Lexicon.adjectives))"
        case 10: text = "\(random.pick(Lexicon.names)) asked for \(object(&random)) and \(NumberWords.text(random.int(2...20))) \(random.pick(Lexicon.plurals))"
        case 11: text = "why did \(subject(&random)) leave \(object(&random)) \(place(&random))"
        case 12: text = "please bring the \(random.pick(Lexicon.adjectives)) \(random.pick(Lexicon.things)) to the \(random.pick(Lexicon.people))"
        default: text = "the train to \(random.pick(Lexicon.cities)) leaves at \(NumberWords.text(random.int(1...12))) \(NumberWords.text(random.int(10...59)))"
        }
        return text.capitalised + (text.hasPrefix("why") ? "?" : ".")
    }

    private static func subject(_ random: inout SeededRandom) -> String {
        switch random.below(4) {
        case 0: random.pick(Lexicon.names)
        case 1: "the \(random.pick(Lexicon.people))"
        case 2: "the \(random.pick(Lexicon.adjectives)) \(random.pick(Lexicon.people))"
        default: "my \(random.pick(Lexicon.people))"
        }
    }

    private static func object(_ random: inout SeededRandom) -> String {
        switch random.below(3) {
        case 0: "the \(random.pick(Lexicon.things))"
        case 1: "the \(random.pick(Lexicon.adjectives)) \(random.pick(Lexicon.things))"
        default: "\(random.pick(Lexicon.adjectives).withArticle) \(random.pick(Lexicon.things))"
        }
    }

    private static func place(_ random: inout SeededRandom) -> String {
        "\(random.pick(Lexicon.prepositions)) the \(random.pick(Lexicon.places))"
    }
}
