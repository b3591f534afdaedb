// Questions that follow on each other: "And its colour?", "And the star?"
import LyraMedia

/// A scene that can be talked about over several turns.
protocol Conversational: Scene {
    /// Two to four questions, of which the later ones are only understood after the earlier ones.
    func dialogue(_ split: Split, _ random: inout SeededRandom) -> [Question]
}

enum Dialogues {
    /// A scene of the split to talk about.
    static func scene(_ split: Split, _ random: inout SeededRandom) -> any Conversational {
        while true {
            let kind = random.pick([SceneKind.shapes, .shapes, .shapes, .bars, .menu, .grid])
            guard let scene = kind.scene(split, &random) as? any Conversational else { continue }
            if let shapes = scene as? ShapeScene, Set(shapes.shapes.map(\.kind)).count < 2 { continue }
            return scene
        }
    }

    static let itsColour = Wording(
        ["And its colour?", "And what colour is it?", "Which colour is it?", "What is its colour?", "What colour has it?"],
        validation: ["And which colour is it?"], test: ["And what is its colour?", "Which colour has it?"])
    static let itsSize = Wording(
        ["And its size?", "Is it big or small?", "What is its size?", "And what size is it?", "Which size has it?"],
        validation: ["And is it big or small?"], test: ["And what is its size?", "What size has it?"])
    static let itsPlace = Wording(
        ["And where is it?", "Where is it?", "In which place is it?", "And its place?", "And where do you see it?"],
        validation: ["Where do you see it?"], test: ["And in which place is it?", "Where can you see it?"])
    static let itsValue = Wording(
        ["And its value?", "What is its value?", "How high is it?", "And how high is it?"],
        validation: ["What value has it?"], test: ["And what is its value?", "And what value has it?"])
    static let theOther = Wording(
        ["And the {a}?", "And what about the {a}?", "And now the {a}?", "What about the {a}?"],
        validation: ["Now what about the {a}?"], test: ["And now what about the {a}?"])
    static let another = Wording(
        ["And {a}?", "And what about {a}?", "And now {a}?", "What about {a}?"],
        validation: ["Now what about {a}?"], test: ["And now what about {a}?"])
    static let howManyAre = Wording(
        ["And how many are {a}?", "How many of them are {a}?", "And how many of them are {a}?", "How many are {a}?"],
        validation: ["And of them, how many are {a}?"], test: ["Of them, how many are {a}?"])
}

extension ShapeScene: Conversational {
    func dialogue(_ split: Split, _ random: inout SeededRandom) -> [Question] {
        let single = random.shuffled(shapes.filter { shape in shapes.count { $0.kind == shape.kind } == 1 })
        switch random.below(4) {
        case 0 where !single.isEmpty:
            // One shape after another is asked for the same thing.
            let aspect = random.below(3)
            func value(_ shape: PlacedShape) -> String {
                [shape.colour.rawValue, shape.isBig ? "big" : "small", Place.phrases[shape.place]][aspect]
            }
            return single.prefix(random.int(2...4)).enumerated().map { number, shape in
                let wording = number > 0 ? Dialogues.theOther : [Wordings.colour, Wordings.size, Wordings.location][aspect]
                return Question(
                    "dialogue", wording.text(split, &random, framed: number == 0, shape.kind.rawValue), value(shape))
            }
        case 1:
            // What is here, and there?
            let places = random.sample(shapes, 3).map(\.place)
            return places.enumerated().map { number, place in
                let shape = shapes.first { $0.place == place }
                let wording = number == 0 ? Wordings.occupant : Dialogues.another
                return Question(
                    "dialogue", wording.text(split, &random, framed: number == 0, Place.phrases[place]),
                    shape?.name.withArticle ?? "nothing", others: shape.map { [$0.name] } ?? [])
            }
        case 2:
            // All of them, then those of a colour.
            let colours = random.shuffled(Set(shapes.map(\.colour)).sorted { $0.rawValue < $1.rawValue })
            let first = Question.count("dialogue", Wordings.count.text(split, &random, "shapes"), shapes.count)
            return [first] + colours.prefix(2).enumerated().map { number, colour in
                let wording = number == 0 ? Dialogues.howManyAre : Dialogues.another
                return .count(
                    "dialogue", wording.text(split, &random, framed: false, colour.rawValue), shapes.count { $0.colour == colour })
            }
        default:
            // One shape, more and more of it.
            let first: Question, shape: PlacedShape, isNamed: Bool
            if let found = shapes.first(where: { shape in shapes.count { $0.colour == shape.colour } == 1 }) {
                (shape, isNamed) = (found, false)
                first = Question("dialogue", Wordings.kind.text(split, &random, shape.colour.rawValue), shape.kind.rawValue)
            } else {
                (shape, isNamed) = (random.pick(shapes), true)
                first = Question(
                    "dialogue", Wordings.occupant.text(split, &random, Place.phrases[shape.place]), shape.name.withArticle,
                    others: [shape.name])
            }
            let size = Question("dialogue", Dialogues.itsSize.text(split, &random, framed: false), shape.isBig ? "big" : "small")
            let place = Question(
                "dialogue", Dialogues.itsPlace.text(split, &random, framed: false), Place.phrases[shape.place],
                others: [Place.names[shape.place]])
            return [first] + (isNamed ? [size] : random.sample([size, place], random.int(1...2)))
        }
    }
}

extension BarChart: Conversational {
    func dialogue(_ split: Split, _ random: inout SeededRandom) -> [Question] {
        if random.chance(0.5) {
            let tall = random.chance(0.5)
            guard let bar = tall ? bars.max(by: { $0.value < $1.value }) : bars.min(by: { $0.value < $1.value }) else { return [] }
            let more = [
                Question.number("dialogue", Dialogues.itsValue.text(split, &random, framed: false), bar.value),
                Question("dialogue", Dialogues.itsColour.text(split, &random, framed: false), bar.colour.rawValue),
            ]
            return [Question("dialogue", Wordings.tallestBar.text(split, &random, tall ? "tallest" : "shortest"), bar.label)]
                + random.shuffled(more).prefix(random.int(1...2))
        }
        return random.sample(bars, 3).enumerated().map { number, bar in
            let wording = number == 0 ? Wordings.barValue : Dialogues.another
            return .number("dialogue", wording.text(split, &random, framed: number == 0, bar.label), bar.value)
        }
    }
}

extension MenuScene: Conversational {
    func dialogue(_ split: Split, _ random: inout SeededRandom) -> [Question] {
        random.sample(rows, 3).enumerated().map { number, row in
            let wording = number == 0 ? Wordings.price : Dialogues.theOther
            return .number("dialogue", wording.text(split, &random, framed: number == 0, row.item), row.price)
        }
    }
}

extension GridScene: Conversational {
    func dialogue(_ split: Split, _ random: inout SeededRandom) -> [Question] {
        random.sample(shapes, 3).enumerated().map { number, shape in
            let wording = number == 0 ? Wordings.gridCell : Dialogues.another
            let value = (number == 0 ? "" : "in ") + cell(shape.place)
            return Question(
                "dialogue", wording.text(split, &random, framed: number == 0, value), shape.name.withArticle, others: [shape.name])
        }
    }
}
