// One item of a data file: its line, and the media that have to be made for it.
import Foundation
import LyraMedia

/// A line of a data file, in the format of docs/training-data.md and a little more, which training passes over.
struct Record: Encodable {
    struct Turn: Encodable {
        var from: String
        var value: String
    }

    var id = ""
    var image: String?
    var video: String?
    var speech: [String] = []
    var transcripts: [String] = []
    var conversations: [Turn] = []
    /// What a test item measures.
    var ability: String?
    /// What is asked for.
    var kind: String?
    /// Accepted answers to the last question, in small letters without full stop.
    var answers: [String]?
    var voice: String?
    /// Where in a recording the asked facts are stated, in seconds from its beginning.
    var factSeconds: [Double]?
    /// The recording's length in seconds.
    var seconds: Double?

    mutating func ask(_ question: String, _ answer: String) {
        conversations += [Turn(from: "human", value: question), Turn(from: "gpt", value: answer)]
    }

    enum CodingKeys: String, CodingKey {
        case id, image, video, speech, transcripts = "speech_asr", conversations, ability, kind, answers, voice
        case factSeconds = "fact_seconds"
        case seconds
    }

    func encode(to encoder: any Encoder) throws {
        var keys = encoder.container(keyedBy: CodingKeys.self)
        try keys.encode(id, forKey: .id)
        try keys.encodeIfPresent(image, forKey: .image)
        try keys.encodeIfPresent(video, forKey: .video)
        // A single one stands alone, several in a list.
        if speech.count > 1 { try keys.encode(speech, forKey: .speech) } else { try keys.encodeIfPresent(speech.first, forKey: .speech) }
        if transcripts.count > 1 {
            try keys.encode(transcripts, forKey: .transcripts)
        } else {
            try keys.encodeIfPresent(transcripts.first, forKey: .transcripts)
        }
        try keys.encode(conversations, forKey: .conversations)
        try keys.encodeIfPresent(ability, forKey: .ability)
        try keys.encodeIfPresent(kind, forKey: .kind)
        try keys.encodeIfPresent(answers, forKey: .answers)
        try keys.encodeIfPresent(voice, forKey: .voice)
        try keys.encodeIfPresent(factSeconds, forKey: .factSeconds)
        try keys.encodeIfPresent(seconds, forKey: .seconds)
    }
}

/// A line of `speech.jsonl`: an utterance and what is said in it.
struct Utterance: Encodable {
    var id: String
    var speech: String
    var transcript: String
    var voice: String

    enum CodingKeys: String, CodingKey {
        case id, speech, voice, transcript = "speech_asr"
    }
}

/// An item in the making.
struct Item {
    let split: Split
    /// Of the data file, and of the folder of its media.
    let file: String
    let index: Int
    let format: AudioFormat
    var random: SeededRandom
    var record = Record()
    private(set) var pictures: [(path: String, scene: any Scene, random: SeededRandom)] = []
    private(set) var spoken: [(path: String, text: SpokenText)] = []

    init(_ split: Split, _ file: String, _ index: Int, seed: UInt64, format: AudioFormat) {
        (self.split, self.file, self.index, self.format) = (split, file, index, format)
        random = SeededRandom(seed, split.rawValue, file, index)
        record.id = "\(split)-\(file)-\(String(format: "%06d", index))"
    }

    /// Media lie in folders of as many items as a shard has.
    private func path(_ suffix: String) -> String {
        file + String(format: "/%04d/%06d", index / DataSet.shardSize, index) + suffix
    }

    /// Adds a picture of the scene and returns its path, relative to the data file.
    mutating func add(_ scene: any Scene) -> String {
        let path = path(pictures.isEmpty ? ".png" : "-\(pictures.count).png")
        pictures.append((path, scene, SeededRandom(random.next(), "draw")))
        return path
    }

    /// Adds an utterance to the record.
    mutating func say(_ text: SpokenText) {
        let path = path((spoken.isEmpty ? "" : "-\(spoken.count)") + "." + format.fileExtension)
        spoken.append((path, text))
        record.speech.append(path)
        record.transcripts.append(text.text)
        record.voice = text.voice.name
    }

    var utterances: [Utterance] {
        spoken.map {
            Utterance(id: String($0.path.split(separator: ".")[0]), speech: $0.path, transcript: $0.text.text, voice: $0.text.voice.name)
        }
    }
}
