// Shapes on paper: up to nine, each in a place of a three by three pattern.
import LyraMedia

/// A shape in a scene.
struct PlacedShape: Sendable, Equatable {
    var kind: ShapeKind
    var colour: Colour
    var isBig: Bool
    /// 0 ... 8, row by row from the top left.
    var place: Int

    var row: Int { place / 3 }
    var column: Int { place % 3 }
    var name: String { "\(colour) \(kind)" }
    var fullName: String { "\(isBig ? "big" : "small") \(name)" }
    var labels: [String] { [colour.rawValue, kind.rawValue] }
}

/// The nine places.
enum Place {
    static let names = ["top left", "top", "top right", "left", "middle", "right", "bottom left", "bottom", "bottom right"]
    static let phrases = [
        "at the top left", "at the top", "at the top right", "on the left", "in the middle", "on the right",
        "at the bottom left", "at the bottom", "at the bottom right",
    ]
    /// The same in single words.
    static func labels(_ place: Int) -> [String] { names[place].split(separator: " ").map(String.init) }
}

struct ShapeScene: Scene {
    /// By place.
    let shapes: [PlacedShape]

    /// One to five shapes of any kind and colour.
    init(mixed random: inout SeededRandom) {
        let count = random.int(1...5)
        shapes = random.sample(0..<9, count).sorted().map { [kinds = ShapeKind.allCases] place in
            PlacedShape(kind: random.pick(kinds), colour: random.pick(Colour.allCases), isBig: random.chance(0.5), place: place)
        }
    }

    /// Up to nine shapes of two kinds and two colours.
    init(counting random: inout SeededRandom) {
        let kinds = random.sample(ShapeKind.allCases, 2), colours = random.sample(Colour.allCases, 2)
        let same = random.real(0...1), sameColour = random.real(0...1), isBig = random.chance(0.5)
        shapes = random.sample(0..<9, random.int(1...9)).sorted().map { place in
            PlacedShape(
                kind: kinds[random.chance(same) ? 0 : 1], colour: colours[random.chance(sameColour) ? 0 : 1], isBig: isBig,
                place: place)
        }
    }

    var content: String { shapes.map { "\($0.fullName) \($0.place)" }.joined(separator: ", ") }

    func draw(_ canvas: Canvas, _ random: inout SeededRandom) {
        canvas.fill(random.pick(Colour.papers))
        let cell = Double(canvas.width) / 3
        for shape in shapes {
            let radius = shape.isBig ? random.real(27...32) : random.real(12...16)
            let slack = (cell - 2 * radius) / 2 - 2
            let x = (Double(shape.column) + 0.5) * cell + random.real(-slack...slack)
            let y = (Double(shape.row) + 0.5) * cell + random.real(-slack...slack)
            shape.kind.draw(canvas, x, y, radius: radius, shape.colour.shade(&random))
            let left = Double(shape.column) * cell, top = Double(shape.row) * cell
            canvas.label(left, top, left + cell, top + cell, [shape.isBig ? "big" : "small"] + shape.labels + Place.labels(shape.place))
        }
    }

    var description: String { listed(shapes.map { "\($0.fullName.withArticle) \(Place.phrases[$0.place])" }) }

    // MARK: Questions

    func question(_ split: Split, _ random: inout SeededRandom) -> Question {
        let kinds: [(Self) -> (Split, inout SeededRandom) -> Question?] = [
            Self.colour, Self.kind, Self.count, Self.count, Self.location, Self.occupant, Self.relation, Self.existence,
            Self.bigger, Self.size, Self.more, Self.description,
        ]
        while true {
            if let question = random.pick(kinds)(self)(split, &random) { return question }
        }
    }

    private func unique(_ kind: ShapeKind) -> Bool { shapes.count { $0.kind == kind } == 1 }

    /// "circle", or "red circle" where there are several circles; nil where that is not enough.
    private func reference(_ shape: PlacedShape) -> String? {
        if unique(shape.kind) { return shape.kind.rawValue }
        return shapes.count { $0.name == shape.name } == 1 ? shape.name : nil
    }

    private func referable(_ random: inout SeededRandom) -> [(shape: PlacedShape, name: String)] {
        random.shuffled(shapes.compactMap { shape in reference(shape).map { (shape, $0) } })
    }

    private func absentKind(_ random: inout SeededRandom) -> ShapeKind? {
        let absent = ShapeKind.allCases.filter { kind in !shapes.contains { $0.kind == kind } }
        return absent.isEmpty ? nil : random.pick(absent)
    }

    private func colour(_ split: Split, _ random: inout SeededRandom) -> Question? {
        if random.chance(0.15), let kind = absentKind(&random) {
            return Question("absent", Wordings.colour.text(split, &random, kind.rawValue), Question.notInPicture)
        }
        guard let shape = random.shuffled(shapes).first(where: { unique($0.kind) }) else { return nil }
        return Question("colour", Wordings.colour.text(split, &random, shape.kind.rawValue), shape.colour.rawValue)
    }

    private func kind(_ split: Split, _ random: inout SeededRandom) -> Question? {
        let single = shapes.filter { shape in shapes.count { $0.colour == shape.colour } == 1 }
        guard !single.isEmpty else { return nil }
        let shape = random.pick(single)
        return Question(
            "kind", Wordings.kind.text(split, &random, shape.colour.rawValue), shape.kind.rawValue.withArticle,
            others: [shape.kind.rawValue, "the \(shape.kind)", shape.name, shape.name.withArticle])
    }

    private func count(_ split: Split, _ random: inout SeededRandom) -> Question? {
        let shape = random.pick(shapes)
        let (what, count): (String, Int)
        switch random.below(5) {
        case 0: (what, count) = ("shapes", shapes.count)
        case 1: (what, count) = ("\(shape.colour) shapes", shapes.count { $0.colour == shape.colour })
        case 2: (what, count) = ("\(shape.colour) \(shape.kind.plural)", shapes.count { $0.name == shape.name })
        case 3 where random.chance(0.3):
            guard let kind = absentKind(&random) else { return nil }
            (what, count) = (kind.plural, 0)
        default: (what, count) = (shape.kind.plural, shapes.count { $0.kind == shape.kind })
        }
        return Question.count("count", Wordings.count.text(split, &random, what), count)
    }

    private func location(_ split: Split, _ random: inout SeededRandom) -> Question? {
        if random.chance(0.1), let kind = absentKind(&random) {
            return Question("absent", Wordings.location.text(split, &random, kind.rawValue), Question.notInPicture)
        }
        guard let (shape, name) = referable(&random).first else { return nil }
        return Question(
            "location", Wordings.location.text(split, &random, name), Place.phrases[shape.place],
            others: [Place.names[shape.place], "in the " + Place.names[shape.place]])
    }

    private func occupant(_ split: Split, _ random: inout SeededRandom) -> Question? {
        let place = random.chance(0.85) ? random.pick(shapes).place : random.below(9)
        let shape = shapes.first { $0.place == place }
        return Question(
            "occupant", Wordings.occupant.text(split, &random, Place.phrases[place]), shape?.name.withArticle ?? "nothing",
            others: shape.map { [$0.name, "the " + $0.name] } ?? [])
    }

    private func relation(_ split: Split, _ random: inout SeededRandom) -> Question? {
        let names = referable(&random)
        guard names.count >= 2 else { return nil }
        let (a, b) = (names[0], names[1])
        let horizontal = random.chance(0.5)
        let (first, second) = horizontal ? (a.shape.column, b.shape.column) : (a.shape.row, b.shape.row)
        guard first != second else { return nil }
        let says = random.chance(0.5)
        let relation = horizontal ? (says ? "left of" : "right of") : (says ? "above" : "below")
        return Question(
            "relation", Wordings.relation.text(split, &random, a.name, relation, b.name), (first < second) == says ? "yes" : "no")
    }

    private func existence(_ split: Split, _ random: inout SeededRandom) -> Question? {
        let shape = random.pick(shapes)
        if random.chance(0.5) { return Question("existence", Wordings.existence.text(split, &random, shape.name.withArticle), "yes") }
        // Near misses: a colour and a kind that are there, but not together, wherever there are such.
        let kind = random.chance(0.5) ? shape.kind : random.pick(ShapeKind.allCases)
        let colour = random.chance(0.5) ? random.pick(shapes).colour : random.pick(Colour.allCases)
        let name = "\(colour) \(kind)"
        guard !shapes.contains(where: { $0.name == name }) else { return nil }
        return Question("existence", Wordings.existence.text(split, &random, name.withArticle), "no")
    }

    private func bigger(_ split: Split, _ random: inout SeededRandom) -> Question? {
        let names = referable(&random)
        guard let first = names.first, let second = names.first(where: { $0.shape.isBig != first.shape.isBig }) else { return nil }
        let asksBig = random.chance(0.5)
        let (answer, other) = first.shape.isBig == asksBig ? (first, second) : (second, first)
        // "The ring or the red circle": of these two, "the circle" is one.
        let kind = answer.shape.kind
        return Question(
            "bigger", Wordings.bigger.text(split, &random, asksBig ? "bigger" : "smaller", first.name, second.name),
            "the " + answer.name, others: [answer.name] + (kind == other.shape.kind ? [] : ["the \(kind)", kind.rawValue]))
    }

    private func size(_ split: Split, _ random: inout SeededRandom) -> Question? {
        guard let (shape, name) = referable(&random).first else { return nil }
        return Question("size", Wordings.size.text(split, &random, name), shape.isBig ? "big" : "small")
    }

    private func more(_ split: Split, _ random: inout SeededRandom) -> Question? {
        let kinds = random.shuffled(Set(shapes.map(\.kind)).sorted { $0.rawValue < $1.rawValue })
        guard kinds.count >= 2 else { return nil }
        let counts = kinds.map { kind in shapes.count { $0.kind == kind } }
        guard counts[0] != counts[1] else { return nil }
        return Question(
            "more", Wordings.more.text(split, &random, kinds[0].plural, kinds[1].plural), counts[0] > counts[1] ? "yes" : "no")
    }

    private func description(_ split: Split, _ random: inout SeededRandom) -> Question? {
        guard shapes.count <= 3 else { return nil }
        var question = describe(split, &random)
        question.accepted.append(listed(shapes.map { $0.fullName.withArticle }))
        return question
    }
}

extension Question {
    /// A question whose answer is a number, written as a word.
    static func number(_ kind: String, _ text: String, _ number: Int, opening: String? = nil) -> Question {
        Question(kind, text, NumberWords.text(number), others: NumberWords.otherForms(number), opening: opening)
    }

    /// The same, asked of how many there are.
    static func count(_ kind: String, _ text: String, _ number: Int) -> Question {
        .number(kind, text, number, opening: number == 1 ? "there is " : "there are ")
    }
}
