// Small maps: blocks between streets, some with a place whose name is written on it; north is up.
import LyraMedia

struct MapScene: Scene {
    struct Site: Sendable, Equatable {
        var name: String
        /// 0 ... 8, row by row from the north-west.
        var block: Int
        var row: Int { block / 3 }
        var column: Int { block % 3 }
    }
    let sites: [Site]

    init(_ random: inout SeededRandom) {
        let count = random.int(3...5)
        sites = zip(random.sample(Lexicon.mapPlaces, count), random.sample(0..<9, count)).map { Site(name: $0, block: $1) }
            .sorted { $0.block < $1.block }
    }

    var content: String { sites.map { "\($0.name) \($0.block)" }.joined(separator: ", ") }

    func draw(_ canvas: Canvas, _ random: inout SeededRandom) {
        canvas.fill((0.80, 0.80, 0.78))
        let font = Font(family: random.pick(["DejaVu Sans", "Liberation Sans", "FreeSans"]), bold: random.chance(0.5))
        let tints = [(0.80, 0.90, 0.75), (0.98, 0.93, 0.75), (0.85, 0.88, 0.98), (0.98, 0.86, 0.84)]
        for block in 0..<9 {
            let x = 6 + Double(block % 3) * 72, y = 6 + Double(block / 3) * 72
            let site = sites.first { $0.block == block }
            canvas.set(site == nil ? (0.93, 0.93, 0.91) : random.pick(tints))
            canvas.rectangle(x, y, 68, 68)
            guard let site else { continue }
            canvas.set((0.3, 0.3, 0.3))
            canvas.rectangle(x + 1, y + 1, 66, 66, outline: 1.5)
            canvas.set((0.05, 0.05, 0.05))
            canvas.fit(site.name, font, size: 20, width: 62)
            canvas.text(site.name, centredAt: x + 34, y + 34)
            canvas.label(x, y, x + 68, y + 68, [site.name] + Place.labels(block))
        }
    }

    var description: String { "a map with " + listed(sites.map { "the \($0.name) \(Place.phrases[$0.block])" }) }

    private static let sides = [(0, -1, "north"), (0, 1, "south"), (-1, 0, "west"), (1, 0, "east")]

    func question(_ split: Split, _ random: inout SeededRandom) -> Question {
        let site = random.pick(sites)
        switch random.below(5) {
        case 0:
            let others = Lexicon.mapPlaces.filter { name in !sites.contains { $0.name == name } }
            return Question("absent", Wordings.mapPlace.text(split, &random, random.pick(others)), Question.notInPicture)
        case 1:
            return Question("map", Wordings.mapPlace.text(split, &random, site.name), Place.phrases[site.block],
                            others: [Place.names[site.block], "in the " + Place.names[site.block]])
        case 2:
            return Question("map", Wordings.mapAt.text(split, &random, Place.phrases[site.block]), "the " + site.name, others: [site.name])
        default:
            // The neighbour on a side; most questions are about sites that have one.
            let pairs = sites.flatMap { site in Self.sides.map { (site, $0) } }
            func neighbour(_ site: Site, _ side: (Int, Int, String)) -> Site? {
                sites.first { $0.column == site.column + side.0 && $0.row == site.row + side.1 }
            }
            let joined = pairs.filter { neighbour($0.0, $0.1) != nil }
            let (from, side) = !joined.isEmpty && random.chance(0.85) ? random.pick(joined) : random.pick(pairs)
            let found = neighbour(from, side)
            return Question(
                "map", Wordings.mapNeighbour.text(split, &random, side.2, from.name), found.map { "the " + $0.name } ?? "nothing",
                others: found.map { [$0.name] } ?? [])
        }
    }
}
