// A line of a data file, in the format of docs/training-data.md and a little more, which training passes over.
import Foundation

struct Record: Encodable {
    struct Turn: Encodable {
        var from: String
        var value: String
    }

    var id = ""
    var image: String?
    /// What the picture shows, and where.
    var regions: [Region]?
    var video: String?
    var speech: [String] = []
    /// One for each speech; nil where there is none.
    var transcripts: [String?] = []
    var conversations: [Turn] = []
    /// The last answer, spoken.
    var answerSpeech: String?
    /// What a test item measures.
    var ability: String?
    /// What is asked for.
    var kind: String?
    /// Accepted answers to the last question, in small letters without full stop.
    var answers: [String]?
    /// Who speaks in the item's speech.
    var voice: String?
    /// When the asked facts are stated in a recording, in seconds from its beginning.
    var factSeconds: [Double]?
    /// For each answer, when what it says is told in the recording: [start, end].
    var evidence: [[[Double]]]?
    /// The recording's length in seconds.
    var seconds: Double?

    /// Events of the recording that each question is about; become `factSeconds` and `evidence`. Not written.
    var events: [[Int]] = []

    /// - Parameter context: what the item's questions are about; stands before the first of them.
    mutating func ask(_ question: String, _ answer: String, about context: String = "") {
        conversations += [Turn(from: "human", value: (conversations.isEmpty ? context : "") + question), Turn(from: "gpt", value: answer)]
    }

    /// Replaces speech by its transcripts.
    mutating func writeOut() {
        var rest = transcripts[...]
        for index in conversations.indices {
            while let marker = conversations[index].value.range(of: "<speech>") {
                conversations[index].value.replaceSubrange(marker, with: rest.popFirst().flatMap { $0 } ?? "")
            }
        }
        (speech, transcripts, voice) = ([], [], nil)
    }

    enum CodingKeys: String, CodingKey {
        case id, image, regions, video, speech, transcripts = "speech_asr", conversations, ability, kind, answers, voice
        case answerSpeech = "answer_speech"
        case factSeconds = "fact_seconds"
        case evidence, seconds
    }

    func encode(to encoder: any Encoder) throws {
        var keys = encoder.container(keyedBy: CodingKeys.self)
        try keys.encode(id, forKey: .id)
        try keys.encodeIfPresent(image, forKey: .image)
        try keys.encodeIfPresent(regions, forKey: .regions)
        try keys.encodeIfPresent(video, forKey: .video)
        // A single one stands alone, several in a list.
        if speech.count > 1 {
            try keys.encode(speech, forKey: .speech)
            if transcripts.contains(where: { $0 != nil }) { try keys.encode(transcripts, forKey: .transcripts) }
        } else {
            try keys.encodeIfPresent(speech.first, forKey: .speech)
            try keys.encodeIfPresent(transcripts.first ?? nil, forKey: .transcripts)
        }
        try keys.encode(conversations, forKey: .conversations)
        try keys.encodeIfPresent(answerSpeech, forKey: .answerSpeech)
        try keys.encodeIfPresent(ability, forKey: .ability)
        try keys.encodeIfPresent(kind, forKey: .kind)
        try keys.encodeIfPresent(answers, forKey: .answers)
        try keys.encodeIfPresent(voice, forKey: .voice)
        try keys.encodeIfPresent(factSeconds, forKey: .factSeconds)
        try keys.encodeIfPresent(evidence, forKey: .evidence)
        try keys.encodeIfPresent(seconds, forKey: .seconds)
    }
}

/// A line of `speech.jsonl`: an utterance and what is said in it.
struct Utterance: Encodable {
    var id: String
    var speech: String
    var transcript: String
    var voice: String
    /// When each word is said, in seconds, where that is known.
    var words: [Word]?

    struct Word: Encodable {
        var word: String
        var start, end: Double
    }

    enum CodingKeys: String, CodingKey {
        case id, speech, voice, words, transcript = "speech_asr"
    }
}
