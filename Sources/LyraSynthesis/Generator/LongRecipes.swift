// Items with recordings in which facts are stated: short passages, and news and diaries of minutes to hours.
import Foundation
import LyraMedia

extension Recipes {
    /// A few sentences in one voice, and a question about what was said, or was not.
    /// - Parameter questions: where there are several, up to six times as many facts are said, short passages as often as long ones on
    ///   a logarithmic scale, and all are asked for, some by voice.
    static func passage(_ speakers: Speakers, questions: Int = 1, ability: String? = nil, absent: Double = 0.2) -> Recipe {
        { item in
            let isByVoice = item.random.chance(0.3)
            let count = questions > 1 ? Int(pow(6 * Double(questions), item.random.real(0...1))) : item.random.int(1...4)
            let facts = Recording.facts(count, item.split, &item.random)
            let recording = Recording(
                seconds: 0, isDiary: false, events: facts.map { (0, .fact($0)) }, topics: [],
                voices: Recording.voices(1, speakers, &item.random), random: SeededRandom(item.random.next(), "recording"))
            item.add(recording, withTranscript: true)
            for index in item.random.sample(Array(facts.indices), questions == 1 ? 1 : facts.count) {
                let isByVoice = questions == 1 ? isByVoice : item.random.chance(0.3), isAbsent = item.random.chance(absent)
                let question =
                    isAbsent ? Recording.missing(from: facts, item.split, &item.random).absent : facts[index].question
                item.ask(question, speakers, byVoice: isByVoice, about: isAbsent ? [] : [index])
                item.measure(ability, question)
            }
        }
    }

    /// A long recording and questions about it, some by voice: in a test each is an item of its own.
    /// - Parameters:
    ///   - minutes: its length; lengths in between are equally frequent on a logarithmic scale.
    ///   - facts: how many are stated.
    ///   - needles: how many of them are asked for; one for each ten seconds where that is more and `isDense`.
    ///   - others: whether it is also asked for what is not there, for topics and for counts.
    static func long(
        _ speakers: Speakers, minutes: ClosedRange<Double>, needles: Int, isDense: Bool = false, others: Bool,
        ability: String? = nil
    ) -> Recipe {
        { item in
            let seconds = 60 * pow(minutes.upperBound / minutes.lowerBound, item.random.real(0...1)) * minutes.lowerBound
            let needles = isDense ? max(needles, Int(seconds / 10)) : needles
            let facts = Recording.facts(needles + 2 + min(10, Int(seconds / 120)), item.split, &item.random)
            // Every topic of what fills the time comes at least once.
            let topics = item.random.shuffled(Topics.all)
            let filling = Array(topics.prefix(item.random.int(1...(seconds < 120 ? 2 : 4)))), counted = topics[7]
            let count = item.random.int(1...min(9, 1 + Int(seconds / 45)))
            let reports = filling + [String](repeating: counted, count: count)
            let events = item.random.shuffled(facts.map(Recording.Event.fact) + reports.map(Recording.Event.report))
            let times = events.indices.map { _ in item.random.real(0...max(1, seconds - 8)) }.sorted()
            let recording = Recording(
                seconds: seconds, isDiary: item.random.chance(0.5), events: zip(times, events).map { ($0, $1) }, topics: filling,
                voices: Recording.voices(item.random.chance(0.5) ? 1 : item.random.int(2...4), speakers, &item.random),
                random: SeededRandom(item.random.next(), "recording"))
            item.add(recording, withTranscript: false)

            var questions: [(question: Question, events: [Int])] = []
            for fact in item.random.sample(facts, needles) {
                let place = events.firstIndex { if case .fact(fact) = $0 { true } else { false } }
                questions.append((fact.question, place.map { [$0] } ?? []))
            }
            if others {
                questions.append((Recording.missing(from: facts, item.split, &item.random).absent, []))
                let counts = Question.count("topic_count", FactWordings.topicCount.text(item.split, &item.random, counted), count)
                let places = events.indices.filter { if case .report(counted) = events[$0] { true } else { false } }
                questions.append((counts, places))
                let all = Topics.all.filter { filling.contains($0) || $0 == counted }
                questions.append((Question("topics", FactWordings.topics.text(item.split, &item.random), listed(all)), []))
            }
            for (question, events) in questions {
                let isByVoice = item.random.chance(0.2)
                if ability != nil, !item.record.conversations.isEmpty { item.nextRecord() }
                item.ask(question, speakers, byVoice: isByVoice, about: events)
                item.measure(question.kind == "needle" || ability == nil ? ability : "long_" + question.kind, question)
            }
        }
    }
}
