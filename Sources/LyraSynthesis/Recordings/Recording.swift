// A longer recording: reports, between which facts are stated, by one voice or several.
import LyraMedia

/// What is to be said in a recording of a given length, and when.
struct Recording: Sendable {
    enum Event: Sendable {
        case fact(Fact)
        /// A report about a topic that is counted.
        case report(String)
    }

    /// Length in seconds. It ends with the report during which this is reached, and never before its last event.
    var seconds: Double
    var isDiary: Bool
    /// With the second from which on they are said, in order.
    var events: [(from: Double, event: Event)]
    /// Topics of what is said between the events.
    var topics: [String]
    /// Voices that take turns with the reports.
    var voices: [SpokenText]
    /// For what fills the time.
    var random: SeededRandom

    /// What became of it.
    struct Result: Sendable {
        /// When each event is told, in seconds.
        var times: [ClosedRange<Double>] = []
        var seconds = 0.0
        /// All that is said.
        var transcript = ""
        var utterances = 0
    }

    /// Speaks the recording piece by piece.
    /// - Parameters:
    ///   - synthesise: samples of each text, at 16 kHz.
    ///   - append: takes all samples in turn.
    func speak(_ synthesise: ([SpokenText]) throws -> [[Float]], append: ([Float]) throws -> Void) throws -> Result {
        var random = random, result = Result(), samples = 0, said: [String] = [], voice = 0
        var rest = events[...]
        func say(_ texts: [String]) throws -> [ClosedRange<Double>] {
            let spoken = texts.map { text in
                var spoken = voices[voice % voices.count]
                (spoken.text, spoken.before, spoken.after) = (text, random.real(0.1...0.4), random.real(0.1...0.4))
                return spoken
            }
            result.utterances += spoken.count
            return try zip(spoken, synthesise(spoken)).map { spoken, sound in
                let start = Double(samples) / 16_000 + spoken.before
                try append(sound)
                samples += sound.count
                said.append(spoken.text)
                return start...max(start, Double(samples) / 16_000 - spoken.after)
            }
        }
        if seconds > 0 { _ = try say([Topics.greeting(diary: isDiary, &random)]) }
        // What fills the time comes in pieces of some seconds, several at once where there is room.
        while true {
            let now = Double(samples) / 16_000
            let due = rest.prefix { $0.from <= now || (now >= seconds) }
            if !due.isEmpty {
                rest = rest.dropFirst(due.count)
                result.times += try say(due.map { item in
                    switch item.event {
                    case .fact(let fact): fact.statement
                    case .report(let topic): Topics.report(topic, diary: isDiary, &random)
                    }
                })
                continue
            }
            if now >= seconds { break }
            voice += 1
            let room = (rest.first?.from ?? seconds) - now
            _ = try say((0..<max(1, min(16, Int(room / 12)))).map { _ in
                Topics.report(random.pick(topics), diary: isDiary, &random)
            })
        }
        result.seconds = Double(samples) / 16_000
        result.transcript = said.joined(separator: " ")
        return result
    }

    /// What would be said if there were a voice, at fifteen letters a second.
    func text() throws -> String {
        try speak({ $0.map { [Float](repeating: 0, count: $0.text.utf8.count * 16_000 / 15) } }, append: { _ in }).transcript
    }
}

extension Recording {
    /// Facts with different subjects.
    static func facts(_ count: Int, _ split: Split, _ random: inout SeededRandom) -> [Fact] {
        var facts: [Fact] = []
        while facts.count < count {
            let fact = Fact.random(split, &random)
            if !facts.contains(where: { $0.subject == fact.subject }) { facts.append(fact) }
        }
        return facts
    }

    /// A fact that none of these state, of the kind that they are.
    static func missing(from facts: [Fact], _ split: Split, _ random: inout SeededRandom) -> Fact {
        while true {
            let fact = Fact.random(split, &random)
            if !facts.contains(where: { $0.subject == fact.subject }) { return fact }
        }
    }

    /// One voice, or several that take turns; each with a pace and pitch of its own. Not festival's, which takes long to begin,
    /// and recordings are spoken piece by piece.
    static func voices(_ count: Int, _ speakers: Speakers, _ random: inout SeededRandom) -> [SpokenText] {
        (0..<count).map { _ in
            var voice = speakers.voice(&random)
            while voice.engine == .festival { voice = speakers.voice(&random) }
            var spoken = speakers.say("", by: voice, &random)
            spoken.level = -23
            return spoken
        }
    }
}
