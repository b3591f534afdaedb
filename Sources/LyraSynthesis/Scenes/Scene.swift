// What a picture can show, and which scene comes when.
import LyraMedia

/// Something to be drawn and asked about.
protocol Scene: Sendable {
    /// Says all that matters about the scene; decides its split.
    var content: String { get }
    /// Draws it. Random numbers are for what does not matter: shades, fonts, jitter.
    func draw(_ canvas: Canvas, _ random: inout SeededRandom)
    /// A question about it, in a wording of the split.
    func question(_ split: Split, _ random: inout SeededRandom) -> Question
    /// All that is to be seen, from the top left to the bottom right.
    var description: String { get }
}

extension Scene {
    func describe(_ split: Split, _ random: inout SeededRandom) -> Question {
        Question("describe", Wordings.describe.text(split, &random), description)
    }
}

/// The kinds of pictures.
enum SceneKind: String, CaseIterable, Sendable {
    case shapes, counting, overlap, sign, number, menu, bars, pie, clock, grid, map

    /// How often each comes. Harder ones, and those that others build on, come more often.
    var weight: Int {
        switch self {
        case .shapes: 6
        case .counting: 4
        case .overlap: 2
        case .sign: 4
        case .number: 3
        case .menu, .bars, .clock: 3
        case .pie, .grid, .map: 2
        }
    }

    static func random(_ random: inout SeededRandom) -> SceneKind {
        var rest = random.below(allCases.reduce(0) { $0 + $1.weight })
        for kind in allCases {
            rest -= kind.weight
            if rest < 0 { return kind }
        }
        return .shapes
    }

    /// A scene that belongs to the split.
    func scene(_ split: Split, _ random: inout SeededRandom) -> any Scene {
        split.draw(&random, content: { "\(self)/\($0.content)" }) { random in
            switch self {
            case .shapes: ShapeScene(mixed: &random)
            case .counting: ShapeScene(counting: &random)
            case .overlap: OverlapScene(&random)
            case .sign: SignScene(&random)
            case .number: NumberScene(&random)
            case .menu: MenuScene(&random)
            case .bars: BarChart(&random)
            case .pie: PieChart(&random)
            case .clock: ClockScene(&random)
            case .grid: GridScene(&random)
            case .map: MapScene(&random)
            }
        }
    }
}
