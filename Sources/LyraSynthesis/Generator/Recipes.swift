// How an item of each data file is made.
import LyraMedia

enum Recipes {
    typealias Recipe = @Sendable (inout Item) -> Void

    /// Written questions about a picture; where there are several, one of them asks for all that is to be seen.
    static func pictures(questions: Int, ability: String? = nil) -> Recipe {
        { item in
            let scene = SceneKind.random(&item.random).scene(item.split, &item.random)
            item.show(scene)
            let describing = questions > 1 ? item.random.below(questions) : nil
            for number in 0..<questions {
                var question = number == describing ? scene.describe(item.split, &item.random) : scene.question(item.split, &item.random)
                while questions > 1, number != describing, question.kind == "describe" {
                    question = scene.question(item.split, &item.random)
                }
                item.record.ask(question.text, question.answer, about: "<image>\n")
                item.measure(ability, question)
            }
        }
    }

    /// Written questions about what a picture would show, told in writing: the same questions for a language model that does not see yet.
    static func scene(questions: Int) -> Recipe {
        { item in
            let scene = SceneKind.random(&item.random).scene(item.split, &item.random)
            for _ in 0..<questions {
                var question = scene.question(item.split, &item.random)
                while question.kind == "describe" { question = scene.question(item.split, &item.random) }
                item.record.ask(question.text, question.answer, about: scene.description.capitalised + ".\n")
            }
        }
    }

    /// Written questions about a page full of words; where there are several, one of them asks for all words.
    static func page(questions: Int) -> Recipe {
        { item in
            let scene = item.split.draw(&item.random, content: { "page/\($0.content)" }) { PageScene(&$0) }
            item.show(scene)
            let reading = questions > 1 ? item.random.below(questions) : nil
            for number in 0..<questions {
                let question = number == reading ? scene.reading(item.split, &item.random) : scene.question(item.split, &item.random)
                item.record.ask(question.text, question.answer, about: "<image>\n")
            }
        }
    }

    /// Words to be said again, pairs to be said in another order, and questions about pairs.
    static let recall: Recipe = { item in
        let (context, turns) =
            switch item.index % 3 {
            case 0: Recall.row(&item.random)
            case 1: Recall.pairs(&item.random)
            default: Recall.questions(&item.random)
            }
        for turn in turns { item.record.ask(turn.question, turn.answer, about: context) }
    }

    /// A spoken question about a picture.
    static func spoken(_ speakers: Speakers, ability: String? = nil) -> Recipe {
        { item in
            let scene = SceneKind.random(&item.random).scene(item.split, &item.random)
            let question = scene.question(item.split, &item.random)
            item.show(scene)
            item.say(speakers.say(question.text, &item.random))
            item.record.ask("<image>\n<speech>", question.answer)
            item.measure(ability, question)
        }
    }

    /// As many questions about what is there as about what is not; in writing.
    static func absent(ability: String) -> Recipe {
        { item in
            let wanted = item.index % 2 == 0
            // The same kinds of questions either way.
            while true {
                let scene = SceneKind.random(&item.random).scene(item.split, &item.random)
                let question = scene.question(item.split, &item.random)
                guard (question.kind == "absent") == wanted,
                    wanted || ["colour", "location", "menu", "chart", "map"].contains(question.kind)
                else { continue }
                item.show(scene)
                item.record.ask("<image>\n" + question.text, question.answer)
                return item.measure(ability, question)
            }
        }
    }

    /// A sentence to be written down.
    static func transcription(_ speakers: Speakers, ability: String? = nil) -> Recipe {
        { item in
            let sentence = Sentences.sentence(item.split, &item.random)
            item.say(speakers.say(sentence, &item.random))
            item.transcribe(sentence, ability)
        }
    }

    /// Sentences by the voice that answers are spoken in, always at the same pace, pitch and level.
    static let voice: Recipe = { item in
        let sentence = Sentences.sentence(item.split, &item.random)
        item.say(SpokenText(sentence, .answering))
        item.transcribe(sentence, nil)
    }

    /// Sums, facts and commands: by voice, or in writing.
    static func knowledge(_ speakers: Speakers, byVoice: Double, ability: String? = nil) -> Recipe {
        { item in
            let question = Knowledge.question(item.split, &item.random)
            if item.random.chance(byVoice) {
                item.say(speakers.say(question.text, &item.random))
                item.record.ask("<speech>", question.answer)
            } else {
                item.record.ask(question.text, question.answer)
            }
            item.measure(ability, question)
        }
    }

    /// Questions that follow on each other, about a picture; all in writing, or all by one voice.
    static func dialogue(_ speakers: Speakers, ability: String? = nil) -> Recipe {
        { item in
            let scene = Dialogues.scene(item.split, &item.random)
            item.show(scene)
            let voice = item.random.chance(0.5) ? speakers.say("", &item.random) : nil
            for question in scene.dialogue(item.split, &item.random) {
                var text = question.text
                if var spoken = voice {
                    spoken.text = text
                    item.say(spoken)
                    text = "<speech>"
                }
                item.record.ask(text, question.answer, about: "<image>\n")
                item.measure(ability, question)
            }
        }
    }

    /// A question about a video, in writing or by voice.
    /// - Parameter questions: written ones; by voice it is one.
    static func video(_ speakers: Speakers, byVoice: Double, questions: Int = 1, ability: String? = nil) -> Recipe {
        { item in
            let scene = VideoScene.random(item.split, &item.random)
            item.show(scene)
            let question = scene.question(item.split, &item.random)
            if item.random.chance(byVoice) {
                item.say(speakers.say(question.text, &item.random))
                item.record.ask("<video>\n<speech>", question.answer)
            } else {
                item.record.ask(question.text, question.answer, about: "<video>\n")
                for _ in 1..<max(1, questions) {
                    let another = scene.question(item.split, &item.random)
                    item.record.ask(another.text, another.answer)
                }
            }
            item.measure(ability, question)
        }
    }

    /// An answer that is also there as speech: to a question about a picture, or without one. In training two of five are sentences that
    /// are to be said, in the words in which `Lyra.speak` asks for it.
    static func answers(ability: String? = nil) -> Recipe {
        { item in
            if ability == nil, item.random.chance(0.4) {
                let sentence = Sentences.sentence(item.split, &item.random)
                item.record.ask("Say this: " + sentence, sentence)
                return item.answerAloud(sentence)
            }
            let question: Question
            if item.random.chance(0.6) {
                let scene = SceneKind.random(&item.random).scene(item.split, &item.random)
                question = scene.question(item.split, &item.random)
                item.show(scene)
                item.record.ask("<image>\n" + question.text, question.answer)
            } else {
                question = Knowledge.question(item.split, &item.random)
                item.record.ask(question.text, question.answer)
            }
            item.answerAloud(question.spokenAnswer)
            item.measure(ability, question)
        }
    }
}

extension Item {
    /// Asks to write down what is said.
    fileprivate mutating func transcribe(_ sentence: String, _ ability: String?) {
        let wording = Wordings.transcribe.text(split, &random, framed: false)
        record.ask("<speech>\n" + (split == .train && random.chance(0.4) ? Wordings.releaseInstruction : wording), sentence)
        guard let ability else { return }
        (record.ability, record.kind, record.answers) = (ability, "transcription", [sentence])
    }
}
