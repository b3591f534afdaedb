// Grids of cells with letters and numbers at the edges, some holding a shape.
import LyraMedia

struct GridScene: Scene {
    let side: Int
    /// `place`: row * side + column, from the top left.
    let shapes: [PlacedShape]

    init(_ random: inout SeededRandom) {
        let side = random.int(3...4)
        self.side = side
        let count = random.int(2...5)
        let kinds = random.sample(ShapeKind.allCases, count), places = random.sample(0..<(side * side), count)
        shapes = (0..<count).map {
            PlacedShape(kind: kinds[$0], colour: random.pick(Colour.allCases), isBig: false, place: places[$0])
        }.sorted { $0.place < $1.place }
    }

    var content: String { "\(side): " + shapes.map { "\($0.name) \($0.place)" }.joined(separator: ", ") }

    /// "B two": column by letter, row by number from the top.
    func cell(_ place: Int) -> String {
        "\(["A", "B", "C", "D"][place % side]) \(NumberWords.text(place / side + 1))"
    }

    func draw(_ canvas: Canvas, _ random: inout SeededRandom) {
        canvas.fill((1, 1, 1))
        let left = 30.0, top = 30.0, step = 186 / Double(side)
        canvas.font(Font(family: random.pick(["DejaVu Sans", "Liberation Sans", "FreeSans"]), bold: true), size: 20)
        canvas.set((0.1, 0.1, 0.1))
        for i in 0..<side {
            canvas.text(["A", "B", "C", "D"][i], centredAt: left + step * (Double(i) + 0.5), 15)
            canvas.text("\(i + 1)", centredAt: 14, top + step * (Double(i) + 0.5))
        }
        let ink = random.pick([0.3, 0.5, 0.7])
        canvas.set((ink, ink, ink))
        for i in 0...side {
            canvas.line(left, top + step * Double(i), left + 186, top + step * Double(i), width: 1.5)
            canvas.line(left + step * Double(i), top, left + step * Double(i), top + 186, width: 1.5)
        }
        for shape in shapes {
            let x = left + step * (Double(shape.place % side) + 0.5), y = top + step * (Double(shape.place / side) + 0.5)
            let radius = step * random.real(0.3...0.38)
            shape.kind.draw(canvas, x, y, radius: radius, shape.colour.shade(&random))
            canvas.label(around: x, y, radius: step / 2, shape.labels + cell(shape.place).split(separator: " ").map(String.init))
        }
    }

    var description: String { "a grid with " + listed(shapes.map { "\($0.name.withArticle) in \(cell($0.place))" }) }

    func question(_ split: Split, _ random: inout SeededRandom) -> Question {
        let shape = random.pick(shapes)
        switch random.below(6) {
        case 0, 1:
            return Question("grid", Wordings.gridPlace.text(split, &random, shape.kind.rawValue), cell(shape.place),
                            others: [cell(shape.place).lowercased().replacing(" ", with: "")])
        case 2, 3:
            let place = random.chance(0.8) ? shape.place : random.below(side * side)
            let found = shapes.first { $0.place == place }
            return Question(
                "grid", Wordings.gridCell.text(split, &random, cell(place)), found?.name.withArticle ?? "nothing",
                others: found.map { [$0.name, "the " + $0.name] } ?? [])
        case 4: return Question.count("count", Wordings.count.text(split, &random, "shapes"), shapes.count)
        default: return Question("colour", Wordings.colour.text(split, &random, shape.kind.rawValue), shape.colour.rawValue)
        }
    }
}
