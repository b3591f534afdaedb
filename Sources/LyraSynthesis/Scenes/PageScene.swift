// A page full of words: more to read at a glance than signs have, for a vision tower that learns what words look like.
import LyraMedia

/// Words and numbers in lines, as many as there is room for. One is in a colour of its own.
struct PageScene: Scene {
    let words: [String]
    /// Which word is in ``colour``: one of the first two, which there is always room for.
    let place: Int
    let colour: Colour

    init(_ random: inout SeededRandom) {
        words = (0..<60).map { _ in random.chance(0.2) ? "\(random.int(1...[9, 99, 999, 9999][random.below(4)]))" : random.pick(Lexicon.printed) }
        place = random.below(2)
        colour = random.pick(SignScene.inks)
    }

    var content: String { "\(words.prefix(2).joined(separator: " ")) \(place) \(colour)" }

    func draw(_ canvas: Canvas, _ random: inout SeededRandom) {
        canvas.fill(random.pick(Colour.papers))
        let side = Double(canvas.width), others = SignScene.inks.filter { $0 != colour }
        var next = 0, top = random.real(2...10)
        while next < words.count {
            let size = random.real(11...24) * random.pick([1, 1, 1.6, 2.5]), font = Font.random(&random)
            guard top + size < Double(canvas.height) || next < 2 else { break }
            let style = random.below(3), ink = random.pick(others)
            var x = random.real(3...20), height = 0.0
            while next < words.count {
                let text = [words[next], words[next].uppercased(), words[next].capitalised][style], isFirst = height == 0
                canvas.fit(text, font, size: size, width: isFirst ? side - x - 3 : .infinity)
                let written = canvas.size(of: text)
                guard isFirst || x + written.width < side - 3 else { break }
                let ink = next == place ? colour : ink
                canvas.set(ink.shade(&random))
                canvas.text(text, at: x, top + size, labels: [ink.rawValue])
                height = max(height, size, written.height)
                x += written.width + size * 0.5
                next += 1
            }
            top += height * random.real(1.15...1.5)
        }
    }

    var description: String { "a page of words, one of them, \(words[place]), in \(colour)" }

    func question(_ split: Split, _ random: inout SeededRandom) -> Question {
        Question("text", Wordings.colouredWord.text(split, &random, colour.rawValue), words[place])
    }
}
