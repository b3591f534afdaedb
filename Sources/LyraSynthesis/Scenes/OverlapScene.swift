// Two large shapes, one in front of the other.
import LyraMedia

struct OverlapScene: Scene {
    let front, back: PlacedShape
    /// Direction from the front shape to the other one: 0 right, 1 down, 2 left, 3 up.
    let side: Int

    init(_ random: inout SeededRandom) {
        let kinds = random.sample(ShapeKind.allCases.filter { $0 != .ring && $0 != .cross && $0 != .moon }, 2)
        let colours = random.sample(Colour.allCases, 2)
        front = PlacedShape(kind: kinds[0], colour: colours[0], isBig: true, place: 4)
        back = PlacedShape(kind: kinds[1], colour: colours[1], isBig: true, place: 4)
        side = random.below(4)
    }

    var content: String { "\(front.name) before \(back.name) \(side)" }

    func draw(_ canvas: Canvas, _ random: inout SeededRandom) {
        canvas.fill(random.pick(Colour.papers))
        let radius = random.real(44...52), distance = radius * random.real(0.75...0.95)
        let (dx, dy) = [(1.0, 0.0), (0, 1), (-1, 0), (0, -1)][side]
        let x = Double(canvas.width) / 2 + random.real(-12...12), y = Double(canvas.height) / 2 + random.real(-12...12)
        back.kind.draw(canvas, x + dx * distance / 2, y + dy * distance / 2, radius: radius, back.colour.shade(&random))
        front.kind.draw(canvas, x - dx * distance / 2, y - dy * distance / 2, radius: radius, front.colour.shade(&random))
        let width = Double(canvas.width), height = Double(canvas.height)
        canvas.label(0, 0, width, height / 2, ["front"] + front.labels)
        canvas.label(0, height / 2, width, height, ["behind"] + back.labels)
    }

    var description: String { "\(front.name.withArticle) in front of \(back.name.withArticle)" }

    func question(_ split: Split, _ random: inout SeededRandom) -> Question {
        let (a, b) = random.chance(0.5) ? (front, back) : (back, front)
        switch random.below(5) {
        case 0:
            return Question(
                "front", Wordings.front.text(split, &random), "the \(front.kind)",
                others: [front.kind.rawValue, "the \(front.name)", front.name, front.name.withArticle])
        case 1:
            return Question(
                "front", Wordings.behind.text(split, &random), "the \(back.kind)",
                others: [back.kind.rawValue, "the \(back.name)", back.name, back.name.withArticle])
        case 2:
            return Question(
                "front", Wordings.inFront.text(split, &random, a.kind.rawValue, b.kind.rawValue), a == front ? "yes" : "no")
        case 3: return Question("colour", Wordings.colour.text(split, &random, a.kind.rawValue), a.colour.rawValue)
        default:
            return Question(
                "kind", Wordings.kind.text(split, &random, a.colour.rawValue), a.kind.rawValue,
                others: ["the \(a.kind)", "a \(a.kind)", a.name, a.name.withArticle])
        }
    }
}
