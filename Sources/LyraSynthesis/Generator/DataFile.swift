// The data files of the small world, and how an item of each is made.

/// Whose voices are heard in a file.
enum Speakers: Sendable {
    case train, validation, test
    /// A voice of the split or one of training.
    func voice(_ random: inout SeededRandom) -> Voice {
        switch self {
        case .train: .random(.train, &random)
        case .validation: .random(random.chance(0.5) ? .validation : .train, &random)
        case .test: .random(.test, &random)
        }
    }
}

/// A data file of a split: `train/pictures.jsonl`.
struct DataFile: Sendable {
    var name: String
    var count: Int
    var make: @Sendable (inout Item) -> Void
}

enum Recipes {
    /// Several questions in writing about one picture.
    static func pictures(questions: Int, ability: String? = nil) -> @Sendable (inout Item) -> Void {
        { item in
            let scene = SceneKind.random(&item.random).scene(item.split, &item.random)
            item.record.image = item.add(scene)
            for number in 0..<questions {
                let question = scene.question(item.split, &item.random)
                item.record.ask((number == 0 ? "<image>\n" : "") + question.text, question.answer)
                if questions == 1 { item.measure(ability, question) }
            }
        }
    }

    /// A spoken question about a picture.
    static func spokenPicture(_ speakers: Speakers, ability: String? = nil) -> @Sendable (inout Item) -> Void {
        { item in
            let scene = SceneKind.random(&item.random).scene(item.split, &item.random)
            let question = scene.question(item.split, &item.random)
            item.record.image = item.add(scene)
            item.say(SpokenText(question.text, speakers.voice(&item.random), &item.random))
            item.record.ask("<image>\n<speech>", question.answer)
            item.measure(ability, question)
        }
    }

    /// A sentence to be written down.
    static func transcription(_ speakers: Speakers, ability: String? = nil) -> @Sendable (inout Item) -> Void {
        { item in
            let sentence = Sentences.sentence(item.split, &item.random)
            item.say(SpokenText(sentence, speakers.voice(&item.random), &item.random))
            let command = Wordings.transcribe.text(item.split, &item.random, framed: false)
            item.record.ask("<speech>\n" + command, sentence)
            if let ability {
                item.record.ability = ability
                item.record.kind = "transcription"
                item.record.answers = [sentence]
            }
        }
    }
}

extension Item {
    /// Notes what a test item measures, and the right answers.
    mutating func measure(_ ability: String?, _ question: Question) {
        guard let ability else { return }
        (record.ability, record.kind, record.answers) = (ability, question.kind, question.accepted)
    }
}
