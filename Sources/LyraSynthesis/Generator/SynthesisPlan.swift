// What is to be generated: which files a split has, and how many items each.
import LyraMedia

public struct SynthesisPlan: Sendable {
    public var folder: String
    public var splits: [Split]
    public var seed: UInt64 = 0
    /// Shards that are made at the same time.
    public var jobs = 2
    /// FLAC or Opus; long recordings are Opus in any case.
    public var audio = AudioFormat.flac
    /// Items of each file of training, by the file's name; those in ``files`` where there is none.
    public var counts: [String: Int] = [:]
    /// Items of each file of validation and test; a twentieth of that many recordings of two hours, and so on.
    public var heldOut = 200
    /// Written questions about each picture, page and scene of training; passages have up to six times as many.
    public var questions = 4
    /// Longest recordings of training, in minutes.
    public var longestMinutes = 10.0
    /// Training has ``Voice/more`` too.
    public var hasMoreVoices = false
    /// Folder with recordings of digits by people.
    public var realSpeech: String?
    /// What would be spoken stands in the text, and there are no files that are about speech itself: for a language model that
    /// does not hear yet.
    public var isWritten = false

    /// Files to be made, by name; nil: all.
    public var only: Set<String>?

    public init(folder: String, splits: [Split]) { (self.folder, self.splits) = (folder, splits) }

    /// Files of training, with their usual numbers of items.
    public static let files: [(name: String, count: Int, about: String)] = [
        ("pictures", 20_000, "Pictures with written questions."),
        ("pages", 10_000, "Pages full of words with written questions: what reading is learnt from."),
        ("scenes", 20_000, "What pictures would show, in writing, with questions."),
        ("recall", 20_000, "Words to be said again and looked up."),
        ("spoken", 20_000, "Pictures with a spoken question."),
        ("transcription", 20_000, "Sentences to be transcribed."),
        ("knowledge", 10_000, "Sums, small facts and commands, most of them spoken."),
        ("dialogue", 5_000, "Pictures talked about over several turns."),
        ("video", 5_000, "Short videos with a question."),
        ("passages", 5_000, "A few spoken sentences with questions."),
        ("long", 200, "News and diaries of minutes, with fifteen questions or more each."),
        ("answers", 10_000, "Answers that are there as speech too."),
        ("voice", 5_000, "Sentences by the voice that answers."),
        ("digits", 5_000, "Digits by people, where --real-speech is given."),
    ]

    /// - Throws: ``SynthesisError`` if there are no recordings of people where they should be, or no file of a wanted name.
    func files() throws -> [(split: Split, files: [DataFile])] {
        let digits = try realSpeech.map { try SpokenDigits(folder: $0, scratch: folder + "/.real") }
        let all = splits.map { split in
            switch split {
            case .train: (split, trainingFiles(digits))
            case .validation: (split, validationFiles(digits))
            case .test: (split, testFiles(digits))
            }
        }
        if let unknown = only?.subtracting(all.flatMap { $1.map(\.name) }).min() { throw SynthesisError.noSuchFile(unknown) }
        return all.map { split, files in
            (split, files.filter { $0.count > 0 && only?.contains($0.name) ?? true && !(isWritten && [.voices, .people].contains($0.sound)) })
        }
    }

    private func trainingFiles(_ digits: SpokenDigits?) -> [DataFile] {
        let speakers = hasMoreVoices ? Speakers.more : .train
        return Self.files.compactMap { name, usual, _ in
            let count = counts[name] ?? usual
            switch name {
            case "pictures": return DataFile(name, count, sound: .nothing, Recipes.pictures(questions: questions))
            case "pages": return DataFile(name, count, sound: .nothing, Recipes.page(questions: questions))
            case "scenes": return DataFile(name, count, sound: .nothing, Recipes.scene(questions: questions))
            case "recall": return DataFile(name, count, sound: .nothing, Recipes.recall)
            case "spoken": return DataFile(name, count, Recipes.spoken(speakers))
            case "transcription": return DataFile(name, count, Recipes.transcription(speakers))
            case "knowledge": return DataFile(name, count, Recipes.knowledge(speakers, byVoice: 0.7))
            case "dialogue": return DataFile(name, count, Recipes.dialogue(speakers))
            case "video": return DataFile(name, count, Recipes.video(speakers, byVoice: 0.3, questions: questions))
            case "passages": return DataFile(name, count, shardSize: 50, Recipes.passage(speakers, questions: questions))
            case "long":
                return DataFile(
                    name, count, shardSize: 1,
                    Recipes.long(speakers, minutes: 1...max(1, longestMinutes), needles: 12, isDense: true, others: true))
            case "answers": return DataFile(name, count, sound: .voices, answersFile: "answer_speech", Recipes.answers())
            case "voice": return DataFile(name, count, sound: .voices, Recipes.voice)
            default: return digits.map { DataFile(name, count, sound: .people, $0.recipe()) }
            }
        }
    }

    /// Small samples of what training has, with other scenes, wordings and voices.
    private func validationFiles(_ digits: SpokenDigits?) -> [DataFile] {
        let few = max(1, heldOut / 50)
        return [
            DataFile("pictures", heldOut, sound: .nothing, Recipes.pictures(questions: 1, ability: "picture_text")),
            DataFile("spoken", heldOut, Recipes.spoken(.validation, ability: "picture_speech")),
            DataFile("transcription", heldOut, Recipes.transcription(.validation, ability: "transcription")),
            DataFile("knowledge", heldOut, Recipes.knowledge(.validation, byVoice: 0.7, ability: "knowledge")),
            DataFile("dialogue", heldOut, Recipes.dialogue(.validation, ability: "dialogue")),
            DataFile("video", heldOut, Recipes.video(.validation, byVoice: 0.3, ability: "video")),
            DataFile("passages", heldOut, shardSize: 50, Recipes.passage(.validation, ability: "passage")),
            DataFile(
                "long", heldOut == 0 ? 0 : few, shardSize: 1,
                Recipes.long(.validation, minutes: 2...5, needles: 4, others: true, ability: "needle")),
            DataFile("answers", heldOut, sound: .voices, answersFile: "answer_speech", Recipes.answers(ability: "spoken_answer")),
            DataFile("voice", heldOut == 0 ? 0 : few, sound: .voices, Recipes.voice),
        ] + (digits.map { [DataFile("digits", heldOut, sound: .people, $0.recipe(ability: "digits"))] } ?? [])
    }

    /// A file for each ability.
    private func testFiles(_ digits: SpokenDigits?) -> [DataFile] {
        // Five questions are asked about each long recording.
        let recordings = (heldOut + 4) / 5
        func needle(_ minutes: Double) -> DataFile {
            let name = "needle_\(Int(minutes))"
            return DataFile(
                name, minutes > 60 ? (recordings + 1) / 2 : recordings, shardSize: 1,
                Recipes.long(.test, minutes: minutes...minutes, needles: 5, others: false, ability: name))
        }
        return [
            DataFile("picture_text", heldOut, sound: .nothing, Recipes.pictures(questions: 1, ability: "picture_text")),
            DataFile("picture_speech_seen", heldOut, Recipes.spoken(.seen, ability: "picture_speech_seen")),
            DataFile("picture_speech_heldout", heldOut, Recipes.spoken(.test, ability: "picture_speech_heldout")),
            DataFile("transcription", heldOut, Recipes.transcription(.test, ability: "transcription")),
            DataFile("knowledge_text", heldOut, sound: .nothing, Recipes.knowledge(.test, byVoice: 0, ability: "knowledge_text")),
            DataFile("knowledge_speech", heldOut, Recipes.knowledge(.test, byVoice: 1, ability: "knowledge_speech")),
            DataFile("dialogue", heldOut, Recipes.dialogue(.test, ability: "dialogue")),
            DataFile("video", heldOut, sound: .nothing, Recipes.video(.test, byVoice: 0, ability: "video")),
            DataFile("absent_picture", heldOut, sound: .nothing, Recipes.absent(ability: "absent_picture")),
            DataFile("absent_recording", heldOut, shardSize: 50, Recipes.passage(.test, ability: "absent_recording", absent: 0.5)),
            DataFile("passages", heldOut, shardSize: 50, Recipes.passage(.test, ability: "passages", absent: 0)),
            DataFile("spoken_answer", heldOut, sound: .voices, answersFile: "answer_speech", Recipes.answers(ability: "spoken_answer")),
            needle(5), needle(30), needle(120),
            DataFile(
                "long", heldOut == 0 ? 0 : max(1, heldOut / 10), shardSize: 1,
                Recipes.long(.test, minutes: 2...10, needles: 1, others: true, ability: "long_needle")),
        ] + (digits.map { [DataFile("digits", heldOut, sound: .people, $0.recipe(ability: "digits"))] } ?? [])
    }
}
