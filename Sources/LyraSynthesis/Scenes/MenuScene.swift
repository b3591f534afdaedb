// A menu: things and what they cost.
import LyraMedia

struct MenuScene: Scene {
    struct Row: Sendable {
        var item: String
        /// 1 ... 20, all different.
        var price: Int
    }
    let rows: [Row]
    let title: String

    init(_ random: inout SeededRandom) {
        let count = random.int(3...4)
        rows = zip(random.sample(Lexicon.foods, count), random.sample(1...20, count)).map { Row(item: $0, price: $1) }
        title = random.pick(["Menu", "Shop", "Market", "Kitchen", "Bar"])
    }

    var content: String { rows.map { "\($0.item) \($0.price)" }.joined(separator: ", ") }

    func draw(_ canvas: Canvas, _ random: inout SeededRandom) {
        canvas.fill(random.pick(Colour.papers))
        let font = Font.random(&random), ink = random.pick([Colour.black, .brown, .blue, .purple, .green])
        let side = Double(canvas.width), step = 160 / Double(rows.count)
        canvas.set(ink.rgb)
        canvas.fit(title, Font(family: font.family, bold: true), size: 28, width: 150)
        canvas.text(title, centredAt: side / 2, 28)
        canvas.label(0, 0, side, 50, [title.lowercased()])
        canvas.line(16, 50, side - 16, 50, width: 2)
        for (index, row) in rows.enumerated() {
            let y = 60 + step * (Double(index) + 0.5)
            canvas.fit(row.item, font, size: 26, width: 140)
            canvas.text(row.item, at: 18, y + 8)
            canvas.font(font, size: 26)
            let price = "\(row.price)", width = canvas.size(of: price).width
            canvas.text(price, at: side - 22 - width, y + 8)
            let rank = rows.allSatisfy { $0.price >= row.price } ? ["cheapest"] : rows.allSatisfy { $0.price <= row.price } ? ["expensive"] : []
            canvas.label(0, y - step / 2, 140, y + step / 2, [row.item])
            canvas.label(140, y - step / 2, side, y + step / 2, [NumberWords.text(row.price)] + rank)
        }
    }

    var description: String {
        "a list called \(title.lowercased()) with " + listed(rows.map { "\($0.item) for \(NumberWords.text($0.price))" })
    }

    func question(_ split: Split, _ random: inout SeededRandom) -> Question {
        let row = random.pick(rows)
        switch random.below(6) {
        case 0:
            let cheapest = rows.min { $0.price < $1.price } ?? row, dearest = rows.max { $0.price < $1.price } ?? row
            let asksCheap = random.chance(0.5)
            return Question(
                "menu", Wordings.cheapest.text(split, &random, asksCheap ? "cheapest" : "most expensive"),
                (asksCheap ? cheapest : dearest).item)
        case 1: return Question("menu", Wordings.itemOfPrice.text(split, &random, NumberWords.text(row.price)), row.item)
        case 2 where random.chance(0.6):
            let absent = random.pick(Lexicon.foods.filter { food in !rows.contains { $0.item == food } })
            return Question("absent", Wordings.price.text(split, &random, absent), Question.notInPicture)
        case 3: return Question.count("menu", Wordings.rowCount.text(split, &random), rows.count)
        default: return Question.number("menu", Wordings.price.text(split, &random, row.item), row.price)
        }
    }
}
