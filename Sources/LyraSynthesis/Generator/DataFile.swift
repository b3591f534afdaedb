// A data file of the small world, and whose voices are heard in it.
import LyraMedia

struct DataFile: Sendable {
    /// "pictures" for `train/pictures.jsonl`.
    var name: String
    var count: Int
    /// Items that are made, and kept, together.
    var shardSize = 200
    /// Another file, with the answers as recordings, by the ids of this one: what units are made from.
    var answersFile: String?
    var make: @Sendable (inout Item) -> Void

    init(
        _ name: String, _ count: Int, shardSize: Int = 200, answersFile: String? = nil,
        _ make: @escaping @Sendable (inout Item) -> Void
    ) {
        (self.name, self.count, self.shardSize, self.answersFile, self.make) = (name, count, shardSize, answersFile, make)
    }

    /// Whether its items make no sense in writing.
    var needsSound: Bool { answersFile != nil || name == "voice" || name == "digits" }
    /// Whether nobody speaks in it, or only people who have been recorded.
    var isSilent: Bool { ["pictures", "picture_text", "absent_picture", "digits"].contains(name) }
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
