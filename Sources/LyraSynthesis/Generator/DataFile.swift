// A data file of the small world, and whose voices are heard in it.
import LyraMedia

struct DataFile: Sendable {
    /// What is heard in its items.
    enum Sound: Sendable {
        case nothing
        /// Synthetic voices. Their words can as well be written.
        case words
        /// Synthetic voices, which it is about.
        case voices
        /// People who have been recorded.
        case people
    }

    /// "pictures" for `train/pictures.jsonl`.
    var name: String
    var count: Int
    /// Items that are made, and kept, together.
    var shardSize = 200
    var sound: Sound
    /// Another file, with the answers as recordings, by the ids of this one: what units are made from.
    var answersFile: String?
    var make: @Sendable (inout Item) -> Void

    init(
        _ name: String, _ count: Int, shardSize: Int = 200, sound: Sound = .words, answersFile: String? = nil,
        _ make: @escaping @Sendable (inout Item) -> Void
    ) {
        (self.name, self.count, self.shardSize, self.sound, self.answersFile, self.make) = (name, count, shardSize, sound, answersFile, make)
    }

    var shardCount: Int { (count + shardSize - 1) / shardSize }
}

enum Speakers: Sendable {
    /// Those of training, in all sizes; with ``Voice/more``; as they are; half of those of validation and half as they are; those of tests.
    case train, more, seen, validation, test

    /// A voice that may be heard.
    func voice(_ random: inout SeededRandom) -> Voice {
        switch self {
        case .train, .seen: .random(.train, &random)
        case .more: .random(.train, more: true, &random)
        case .validation: .random(random.chance(0.5) ? .validation : .train, &random)
        case .test: .random(.test, &random)
        }
    }

    /// Something said by such a voice.
    func say(_ text: String, by voice: Voice, _ random: inout SeededRandom) -> SpokenText {
        var spoken = SpokenText(text, voice, &random)
        // espeak-ng's variants are many; the others are of three people in training, ten with more.
        if self == .train || self == .more, voice.engine != .espeak, random.chance(0.7) { spoken.size = (random.real(0.82...1.22) * 100).rounded() / 100 }
        return spoken
    }

    func say(_ text: String, _ random: inout SeededRandom) -> SpokenText { say(text, by: voice(&random), &random) }
}
