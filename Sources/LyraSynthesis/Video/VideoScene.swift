// Short videos: shapes that move, and shapes that change.
import LyraMedia

/// Sixteen frames of four seconds in which one thing happens.
struct VideoScene: Sendable {
    enum Event: Sendable, Equatable {
        /// Moves one step a frame.
        case moves(Direction)
        case turns(Colour)
        case appears, disappears, grows, shrinks
    }

    enum Direction: String, CaseIterable, Sendable {
        case left, right, up, down
        var step: (x: Double, y: Double) {
            switch self {
            case .left: (-1, 0)
            case .right: (1, 0)
            case .up: (0, -1)
            case .down: (0, 1)
            }
        }
    }

    static let side = 112
    static let frameCount = 16
    static let framesPerSecond = 4

    /// What the event happens to.
    let shape: PlacedShape
    let event: Event
    /// Others, which stay as they are; other kinds and colours.
    let still: [PlacedShape]

    /// A video that belongs to the split.
    static func random(_ split: Split, _ random: inout SeededRandom) -> VideoScene {
        split.draw(&random, content: { "video/\($0.content)" }) { VideoScene(&$0) }
    }

    init(_ random: inout SeededRandom) {
        let count = random.int(1...3)
        let kinds = random.sample(ShapeKind.allCases, count), colours = random.sample(Colour.allCases, count + 1)
        switch random.below(6) {
        case 0...2: event = .moves(random.pick(Direction.allCases))
        case 3: event = .turns(colours[count])
        case 4: event = random.chance(0.5) ? .appears : .disappears
        default: event = random.chance(0.5) ? .grows : .shrinks
        }
        // A moving shape crosses the picture on a line of its own, so that nothing stands in its way.
        var places = Array(0..<9), place = random.below(9)
        switch event {
        case .moves(let direction):
            let lane = random.below(3)
            place = direction.step.x != 0 ? lane * 3 : lane
            places.removeAll { direction.step.x != 0 ? $0 / 3 == lane : $0 % 3 == lane }
        default: places.removeAll { $0 == place }
        }
        let rest = random.sample(places, count - 1)
        let isBig = event == .shrinks || (event != .grows && random.chance(0.5))
        shape = PlacedShape(kind: kinds[0], colour: colours[0], isBig: isBig, place: place)
        still = (1..<max(1, count)).map { PlacedShape(kind: kinds[$0], colour: colours[$0], isBig: true, place: rest[$0 - 1]) }
    }

    var content: String { "\(shape.fullName) \(shape.place) \(event), " + still.map { "\($0.name) \($0.place)" }.joined(separator: ", ") }

    /// All frames, first to last.
    func frames(_ random: inout SeededRandom) throws -> [Canvas] {
        let paper = random.pick(Colour.papers), shade = shape.colour.shade(&random), later: (Double, Double, Double)
        if case .turns(let colour) = event { later = colour.shade(&random) } else { later = shade }
        let cell = Double(Self.side) / 3, big = random.real(13...16), small = random.real(7...8.5)
        let shades = still.map { $0.colour.shade(&random) }
        // The moment at which sudden changes happen, well inside.
        let moment = random.int(5...10)
        return try (0..<Self.frameCount).map { frame in
            let canvas = try Canvas(width: Self.side, height: Self.side)
            canvas.fill(paper)
            func centre(_ place: Int) -> (x: Double, y: Double) {
                ((Double(place % 3) + 0.5) * cell, (Double(place / 3) + 0.5) * cell)
            }
            for (other, shade) in zip(still, shades) {
                let (x, y) = centre(other.place)
                other.kind.draw(canvas, x, y, radius: big, shade)
            }
            let progress = Double(frame) / Double(Self.frameCount - 1), isLate = frame >= moment
            var (x, y) = centre(shape.place), radius = shape.isBig ? big : small
            switch event {
            case .moves(let direction):
                let along = 16 + (Double(Self.side) - 32) * (direction.step.x + direction.step.y > 0 ? progress : 1 - progress)
                if direction.step.x != 0 { x = along } else { y = along }
            case .appears where !isLate, .disappears where isLate: return canvas
            case .grows: radius = small + (big - small) * progress
            case .shrinks: radius = big - (big - small) * progress
            default: break
            }
            shape.kind.draw(canvas, x, y, radius: radius, isLate ? later : shade)
            return canvas
        }
    }

    // MARK: Questions

    func question(_ split: Split, _ random: inout SeededRandom) -> Question {
        let name = "\(shape.kind)"
        if random.chance(0.08) {
            let absent = random.pick(ShapeKind.allCases.filter { kind in kind != shape.kind && !still.contains { $0.kind == kind } })
            return Question("absent", VideoWordings.happens.text(split, &random, absent.rawValue), Question.notInVideo)
        }
        if random.chance(0.12) {
            return .count("video", VideoWordings.howMany.text(split, &random), still.count + 1)
        }
        switch event {
        case .moves(let direction):
            switch random.below(4) {
            case 0, 1:
                return Question("video", VideoWordings.direction.text(split, &random, name), direction.rawValue,
                                others: ["to the \(direction)"], opening: "it moves ")
            case 2:
                let other = random.chance(0.5) ? direction : random.pick(Direction.allCases)
                return Question("video", VideoWordings.movesTo.text(split, &random, name, other.rawValue), other == direction ? "yes" : "no")
            default:
                return Question("video", VideoWordings.mover.text(split, &random), "the \(name)",
                                others: [name, "the \(shape.name)", shape.name, shape.name.withArticle], opening: "it is ")
            }
        default:
            if random.chance(0.5) {
                return Question("video", VideoWordings.changes.text(split, &random), "the \(name) \(verb)")
            }
            return Question("video", VideoWordings.happens.text(split, &random, name), "it \(verb)", others: ["the \(name) \(verb)", verb])
        }
    }

    /// "turns blue"
    private var verb: String {
        switch event {
        case .moves(let direction): "moves \(direction)"
        case .turns(let colour): "turns \(colour)"
        case .appears: "appears"
        case .disappears: "disappears"
        case .grows: "grows"
        case .shrinks: "shrinks"
        }
    }
}

enum VideoWordings {
    static let direction = Wording(
        ["Which way does the {a} move?", "Where does the {a} move?", "Where does the {a} go?", "Which way does the {a} go?",
         "In which direction does the {a} move?"],
        validation: ["Say which way the {a} moves."], test: ["In which direction does the {a} go?", "Which way is the {a} moving?"])
    static let movesTo = Wording(
        ["Does the {a} move {b}?", "Is the {a} moving {b}?", "Does the {a} go {b}?", "Is it true that the {a} moves {b}?"],
        validation: ["Is it right that the {a} moves {b}?"], test: ["Is the {a} going {b}?", "Is it true that the {a} goes {b}?"])
    static let mover = Wording(
        ["Which shape moves?", "What moves?", "What is moving?", "Which shape is moving?", "Name the shape that moves."],
        validation: ["Say which shape moves."], test: ["Which one is moving?", "Name the shape that is moving."])
    static let changes = Wording(
        ["What changes?", "What happens?", "What changes in the video?", "What happens in the video?", "Which shape changes?"],
        validation: ["Say what changes."], test: ["What is it that changes?", "What can you see happen?"])
    static let happens = Wording(
        ["What happens to the {a}?", "What does the {a} do?", "How does the {a} change?", "The {a}, what happens to it?"],
        validation: ["Say what happens to the {a}."], test: ["What can you see the {a} do?", "The {a}, how does it change?"])
    static let howMany = Wording(
        ["How many shapes are in the video?", "How many shapes do you see?", "Count the shapes.", "How many shapes are there?"],
        validation: ["How many shapes are here?"], test: ["How many shapes can you see in the video?"])
}
