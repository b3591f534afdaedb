// The voices of the small world, and who may be heard when.
import LyraMedia

/// One synthetic voice.
public struct Voice: Sendable, Hashable {
    public enum Engine: String, Sendable, CaseIterable {
        case espeak, flite, festival, rhvoice, pico
    }
    public let engine: Engine
    /// The engine's own name: "en-us+f2", "slt", "kal_diphone", "alan", "en-GB".
    public let speaker: String
    /// The split whose questions it may speak. Test voices are heard nowhere else.
    public let split: Split

    /// "espeak/en-us+f2"
    public var name: String { "\(engine)/\(speaker)" }
}

extension Voice {
    static let accents = [
        "en-us", "en", "en-gb-scotland", "en-gb-x-rp", "en-gb-x-gbclan", "en-gb-x-gbcwmd", "en-029", "en-us-nyc",
    ]
    /// Variants of espeak-ng that sound like people. A variant is in one split, in all accents.
    static let variants: [Split: [String]] = [
        .train: [
            "Alex", "Andrea", "Andy", "Denis", "Diogo", "Gene", "Henrique", "Hugo", "Jacky", "Lee", "Marco", "Mario", "Michael",
            "Nguyen", "adam", "anika", "antonio", "belinda", "benjamin", "boris", "caleb", "ed", "gustave", "iven", "john",
            "kaukovalta", "klatt", "klatt2", "klatt3", "marcelo", "michel", "miguel", "norbert", "pablo", "paul", "pedro", "quincy",
            "rob", "sandro", "shelby", "steph", "travis", "victor", "zac", "f1", "f2", "f3", "f5", "m1", "m2", "m3", "m5", "m7", "m8",
        ],
        .validation: ["Alicia", "max", "m4"],
        .test: ["Annie", "Mike", "david", "linda", "robert", "f4", "m6"],
    ]
    /// flite's and festival's speakers. Where both have the same person, it is in one split.
    private static let others: [(Engine, String, Split)] = [
        (.flite, "kal16", .train), (.flite, "awb", .train), (.flite, "slt", .train), (.flite, "rms", .test),
        (.festival, "kal_diphone", .train), (.festival, "cmu_us_slt_arctic_hts", .train), (.festival, "ked_diphone", .test),
    ]

    /// Voices of seven more people, to be trained with. Debian has them in contrib and non-free: some pronounce by a dictionary that
    /// is not for commercial use, others come without what they were made from.
    public static let more: [Voice] = [
        (.rhvoice, "alan"), (.rhvoice, "bdl"), (.rhvoice, "clb"), (.pico, "en-US"), (.pico, "en-GB"), (.festival, "don_diphone"),
        (.festival, "rab_diphone"),
    ].map { Voice(engine: $0, speaker: $1, split: .train) }

    /// The voice that answers are to be spoken in: the most natural one.
    public static let answering = Voice(engine: .flite, speaker: "slt", split: .train)

    /// All voices of a split.
    public static func all(_ split: Split) -> [Voice] {
        let espeak = (variants[split] ?? []).flatMap { variant in
            accents.map { Voice(engine: .espeak, speaker: "\($0)+\(variant)", split: split) }
        }
        return espeak + others.filter { $0.2 == split }.map { Voice(engine: $0.0, speaker: $0.1, split: split) }
    }

    /// A voice of the split; a third of all speech is by flite and festival, as far as the split has their voices, and half of it by them
    /// and ``more`` where those are wanted.
    static func random(_ split: Split, more isMore: Bool = false, _ random: inout SeededRandom) -> Voice {
        let voices = voicesByEngine[split] ?? [:]
        let few = (voices[.flite] ?? []) + (voices[.festival] ?? []) + (isMore ? more : [])
        if !few.isEmpty, random.chance(isMore ? 0.5 : 0.33) { return random.pick(few) }
        return random.pick(voices[.espeak] ?? [.answering])
    }

    private static let voicesByEngine: [Split: [Engine: [Voice]]] = Dictionary(
        uniqueKeysWithValues: Split.allCases.map { ($0, Dictionary(grouping: all($0), by: \.engine)) })
}

/// Something to be said.
struct SpokenText: Sendable, Equatable {
    var text: String
    var voice: Voice
    /// 1: the voice's own speed; 1.2 is faster.
    var speed = 1.0
    /// -1 ... 1: lower or higher than the voice's own pitch; not festival's.
    var pitch = 0.0
    /// The speaker's, of whose voice it is 1: one of 1.1 has resonances and pitch a tenth lower, at the same pace. In hundredths.
    var size = 1.0
    /// Seconds of silence before and after.
    var before = 0.1
    var after = 0.1
    /// Level of the speech in decibels relative to full scale (root mean square).
    var level = -23.0

    init(_ text: String, _ voice: Voice) { (self.text, self.voice) = (text, voice) }

    /// Said as people do: faster or slower, louder or softer.
    init(_ text: String, _ voice: Voice, _ random: inout SeededRandom) {
        self.init(text, voice)
        speed = random.real(0.85...1.2)
        pitch = random.real(-1...1)
        before = random.real(0.05...0.4)
        after = random.real(0.05...0.4)
        level = random.real(-29 ... -18)
    }
}
