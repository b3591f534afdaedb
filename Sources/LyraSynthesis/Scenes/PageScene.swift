// A page full of words: more to read at a glance than signs have, for a vision tower that learns what words look like and a language
// model that learns to read off what the tower says.
import LyraMedia

/// Words and numbers in lines, each line of a size and colour of its own. One word is in a colour that no other has.
struct PageScene: Scene {
    /// From top to bottom, words from left to right, no word twice.
    let lines: [(words: [String], ink: Colour)]
    /// Which word, in reading order, is in ``colour``.
    let place: Int
    let colour: Colour
    var words: [String] { lines.flatMap(\.words) }

    init(_ random: inout SeededRandom) {
        let colour = random.pick(SignScene.inks), inks = SignScene.inks.filter { $0 != colour }
        var rest = random.shuffled(Lexicon.printed)[...], numbers: Set<String> = []
        lines = (0..<random.int(2...9)).map { _ in
            let words = (0..<random.int(1...3)).map { _ in
                let number = "\(random.int(1...[9, 99, 999, 9999][random.below(4)]))"
                return random.chance(0.2) && numbers.insert(number).inserted ? number : rest.popFirst() ?? number
            }
            return (words, random.pick(inks))
        }
        place = random.below(lines.reduce(0) { $0 + $1.words.count })
        self.colour = colour
    }

    var content: String { "\(words.joined(separator: " ")) \(place) \(colour)" }

    func draw(_ canvas: Canvas, _ random: inout SeededRandom) {
        canvas.fill(random.pick(Colour.papers))
        let side = Double(canvas.width), band = Double(canvas.height) / Double(lines.count)
        var next = 0
        for (row, line) in lines.enumerated() {
            let font = Font.random(&random), style = random.below(3)
            let texts = line.words.map { [$0, $0.uppercased(), $0.capitalised][style] }, gap = random.real(0.4...0.8)
            func width(_ size: Double) -> Double {
                canvas.font(font, size: size)
                return texts.reduce(0) { $0 + canvas.size(of: $1).width } + gap * size * Double(texts.count - 1)
            }
            var size = min(48, band * random.real(0.5...0.75))
            // Not wider than the page with its margins; small letters are not in proportion to large ones, so twice.
            for _ in 0..<2 { size *= min(1, (side - 12) / width(size)) }
            let wide = width(size)
            var x = 6 + random.real(0...1) * max(0, side - 12 - wide)
            let y = band * (Double(row) + 0.5) + size * 0.35
            for (text, word) in zip(texts, line.words) {
                let ink = next == place ? colour : line.ink, start = x
                canvas.set(ink.shade(&random))
                canvas.text(text, at: x, y)
                x += canvas.size(of: text).width
                canvas.label(start, band * Double(row), x, band * Double(row + 1), [word, ink.rawValue])
                x += gap * size
                next += 1
            }
        }
    }

    var description: String { "a page that says \(words.joined(separator: " "))" }

    /// Asks for all words.
    func reading(_ split: Split, _ random: inout SeededRandom) -> Question {
        Question("text", Wordings.page.text(split, &random), words.joined(separator: " "))
    }

    func question(_ split: Split, _ random: inout SeededRandom) -> Question {
        let words = words, index = random.below(words.count), word = words[index]
        switch random.below(10) {
        case 0, 1: return reading(split, &random)
        case 2...4 where index + 1 < words.count:
            return Question("text", Wordings.wordAfter.text(split, &random, word), words[index + 1])
        case 5...6 where index > 0: return Question("text", Wordings.wordBefore.text(split, &random, word), words[index - 1])
        case 7:
            let inks = lines.flatMap { line in line.words.map { _ in line.ink } }
            return Question("colour", Wordings.wordColour.text(split, &random, word), (index == place ? colour : inks[index]).rawValue)
        case 8:
            let isThere = random.chance(0.5), others = Lexicon.printed.filter { !words.contains($0) }
            return Question("text_existence", Wordings.wordExistence.text(split, &random, isThere ? word : random.pick(others)), isThere ? "yes" : "no")
        default: return Question("text", Wordings.colouredWord.text(split, &random, colour.rawValue), words[place])
        }
    }
}
