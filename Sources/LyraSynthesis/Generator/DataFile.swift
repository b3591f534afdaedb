// A data file of the small world, and whose voices are heard in it.
import LyraMedia

struct DataFile: Sendable {
    /// "pictures" for `train/pictures.jsonl`.
    var name: String
    var count: Int
    /// Items that are made, and kept, together.
    var shardSize = 200
    var make: @Sendable (inout Item) -> Void

    init(_ name: String, _ count: Int, shardSize: Int = 200, _ make: @escaping @Sendable (inout Item) -> Void) {
        (self.name, self.count, self.shardSize, self.make) = (name, count, shardSize, make)
    }

    var shardCount: Int { (count + shardSize - 1) / shardSize }
}

enum Speakers: Sendable {
    case train, validation, test

    /// A voice that may be heard.
    func voice(_ random: inout SeededRandom) -> Voice {
        switch self {
        case .train: .random(.train, &random)
        case .validation: .random(random.chance(0.5) ? .validation : .train, &random)
        case .test: .random(.test, &random)
        }
    }
}
