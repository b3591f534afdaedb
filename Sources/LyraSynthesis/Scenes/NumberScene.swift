// Printed numbers: house numbers, plates, tickets.
import LyraMedia

struct NumberScene: Scene {
    /// One to four digits, read one by one.
    let digits: String
    let colour: Colour
    /// A word above the number, as on a bus or a door; nil: none.
    let title: String?

    init(_ random: inout SeededRandom) {
        let count = random.int(1...4)
        digits = String((0..<count).map { $0 == 0 ? Character("\(random.int(1...9))") : Character("\(random.below(10))") })
        colour = random.pick([.red, .green, .blue, .purple, .brown, .black])
        title = random.chance(0.4) ? random.pick(Self.titles) : nil
    }

    private static let titles = ["bus", "room", "gate", "house", "line", "page", "seat", "door"]

    var content: String { "\(title ?? "") \(digits) \(colour)" }

    func draw(_ canvas: Canvas, _ random: inout SeededRandom) {
        canvas.fill(random.pick(Colour.papers))
        let side = Double(canvas.width), font = Font.random(&random)
        canvas.fit(digits, font, size: random.real(44...86), width: side - 40)
        let (width, height) = canvas.size(of: digits)
        let x = side / 2 + random.real(-1...1) * max(0, side / 2 - width / 2 - 20)
        let y = side / 2 + random.real(-0.5...1) * max(0, side / 2 - height / 2 - (title == nil ? 20 : 52))
        if random.chance(0.5) {
            canvas.set((1, 1, 1))
            canvas.rectangle(x - width / 2 - 14, y - height / 2 - 14, width + 28, height + 28)
            canvas.set(colour.rgb)
            canvas.rectangle(x - width / 2 - 14, y - height / 2 - 14, width + 28, height + 28, outline: 3)
        }
        canvas.set(colour.shade(&random))
        canvas.text(digits, centredAt: x, y)
        // As large as the largest number, so that each digit has its own columns.
        for (place, digit) in digits.enumerated() {
            canvas.label(side / 4 * Double(place), 56, side / 4 * Double(place + 1), side, ["\(digit)"])
        }
        canvas.label(0, 0, side, 56, (title.map { [$0] } ?? []) + [colour.rawValue])
        if let title {
            canvas.font(font, size: 28)
            canvas.set((0.15, 0.15, 0.15))
            canvas.text(title, centredAt: min(max(x, 50), side - 50), max(20, y - height / 2 - 32))
        }
    }

    var description: String { "the \(title.map { $0 + " " } ?? "")number \(digits) in \(colour)" }

    func question(_ split: Split, _ random: inout SeededRandom) -> Question {
        switch random.below(5) {
        case 0: return Question.count("digit_count", Wordings.digitCount.text(split, &random), digits.count)
        case 1 where title != nil:
            return Question("number", Wordings.titledNumber.text(split, &random, title ?? ""), digits, others: spoken)
        case 2: return Question("colour", Wordings.numberColour.text(split, &random), colour.rawValue)
        default: return Question("number", Wordings.number.text(split, &random), digits, others: spoken)
        }
    }

    private var spoken: [String] { [NumberWords.digits(digits)] }
}
