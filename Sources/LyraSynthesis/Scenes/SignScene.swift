// Printed words: one or two, on signs.
import CCairo
import LyraMedia

struct SignScene: Scene {
    struct Label: Sendable, Equatable {
        var word: String
        var colour: Colour
    }
    /// One, or two from top to bottom.
    let labels: [Label]

    init(_ random: inout SeededRandom) {
        let count = random.chance(0.4) ? 2 : 1
        let words = random.sample(Lexicon.signWords, count), colours = random.sample(Self.inks, count)
        labels = zip(words, colours).map { Label(word: $0, colour: $1) }
    }

    /// Colours that thin letters can be read in.
    static let inks = Colour.allCases.filter { $0 != .yellow && $0 != .pink && $0 != .grey }

    var content: String { labels.map { "\($0.word) \($0.colour)" }.joined(separator: ", ") }

    func draw(_ canvas: Canvas, _ random: inout SeededRandom) {
        canvas.fill(random.pick(Colour.papers))
        let side = Double(canvas.width), band = Double(canvas.height) / Double(labels.count)
        let style = random.below(3)
        for (index, label) in labels.enumerated() {
            let text = [label.word, label.word.uppercased(), label.word.capitalised][style]
            canvas.fit(text, .random(&random), size: random.real(16...40), width: side - 36)
            let (width, height) = canvas.size(of: text)
            let x = side / 2 + random.real(-1...1) * max(0, side / 2 - width / 2 - 14)
            let y = band * (Double(index) + 0.5) + random.real(-1...1) * max(0, band / 2 - height / 2 - 14)
            if random.chance(0.4) {
                canvas.set((1, 1, 1))
                canvas.rectangle(x - width / 2 - 10, y - height / 2 - 10, width + 20, height + 20)
                canvas.set((0.3, 0.3, 0.3))
                canvas.rectangle(x - width / 2 - 10, y - height / 2 - 10, width + 20, height + 20, outline: 2)
            }
            canvas.set(label.colour.shade(&random))
            canvas.text(text, centredAt: x, y)
            let place = labels.count == 1 ? [] : [index == 0 ? "top" : "bottom"]
            canvas.label(x - width / 2 - 14, y - height / 2 - 14, x + width / 2 + 14, y + height / 2 + 14, place + [label.word, label.colour.rawValue])
        }
    }

    var description: String {
        listed(labels.map { label in
            let place = labels.count == 1 ? "" : label == labels[0] ? " at the top" : " at the bottom"
            return "the word \(label.word) in \(label.colour)\(place)"
        })
    }

    func question(_ split: Split, _ random: inout SeededRandom) -> Question {
        let label = random.pick(labels)
        switch random.below(6) {
        case 0: return Question("colour", Wordings.wordColour.text(split, &random, label.word), label.colour.rawValue)
        case 1:
            let isThere = random.chance(0.5)
            let others = Lexicon.signWords.filter { word in !labels.contains { $0.word == word } }
            let word = isThere ? label.word : random.pick(others)
            return Question("text_existence", Wordings.wordExistence.text(split, &random, word), isThere ? "yes" : "no")
        case 2 where labels.count == 2, 3 where labels.count == 2:
            if random.chance(0.5) {
                return Question("text", Wordings.colouredWord.text(split, &random, label.colour.rawValue), label.word)
            }
            let where_ = label == labels[0] ? "at the top" : "at the bottom"
            return Question("text", Wordings.placedWord.text(split, &random, where_), label.word)
        default:
            let words = labels.map(\.word).joined(separator: " ")
            return Question("text", Wordings.read.text(split, &random), words)
        }
    }
}
