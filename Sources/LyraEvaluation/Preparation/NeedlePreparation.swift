// Needles: sentences with one fact each, spoken; alone for lyra eval needle, or hidden in recordings as samples.
import Foundation
import LyraMedia

/// Makes needles.
public enum NeedlePreparation {
    /// A sentence that states a fact, and a question about it.
    public struct Fact: Codable, Sendable, Equatable {
        public var text: String
        public var question: String
        public var answers: [String]
    }

    /// Facts of our own making: numbers and names that no recording is likely to hold.
    public static func facts(_ count: Int, seed: UInt64) -> [Fact] {
        var random = SplitMix(state: seed)
        func pick(_ words: [String]) -> String { words[random.below(words.count)] }
        let places = ["library", "harbour", "observatory", "greenhouse", "lighthouse", "museum", "bakery", "workshop", "station", "theatre"]
        let people = ["Martha", "Oscar", "Yusuf", "Ingrid", "Pedro", "Hana", "Leonard", "Amara", "Viktor", "Celeste"]
        let things = ["violin", "telescope", "teapot", "bicycle", "typewriter", "carpet", "compass", "accordion", "kettle", "globe"]
        let colours = ["purple", "orange", "silver", "turquoise", "crimson", "golden", "olive", "scarlet"]
        let animals = ["heron", "badger", "tortoise", "falcon", "otter", "hedgehog", "raven", "lynx"]
        var facts: [Fact] = []
        while facts.count < count {
            let (place, person, thing, colour, animal) = (pick(places), pick(people), pick(things), pick(colours), pick(animals))
            let number = "\(1_000 + random.below(9_000))", digits = number.map(String.init).joined(separator: " ")
            let made: [Fact] = [
                Fact(text: "The code of the \(place) is \(digits).", question: "What is the code of the \(place)?", answers: [number, digits]),
                Fact(text: "\(person) keeps the \(thing) in the \(place).", question: "Where does \(person) keep the \(thing)?", answers: [place]),
                Fact(text: "The \(thing) of \(person) is \(colour).", question: "Which colour is the \(thing) of \(person)?", answers: [colour]),
                Fact(text: "The animal that lives behind the \(place) is a \(animal).", question: "Which animal lives behind the \(place)?", answers: [animal]),
            ]
            let fact = made[facts.count % made.count]
            // A question has one answer.
            if !facts.contains(where: { $0.question == fact.question }) { facts.append(fact) }
        }
        return facts
    }

    /// Facts from a file: {"text", "question", "answers"} a line.
    public static func facts(from path: String) throws -> [Fact] {
        try DataLines.read(path, as: Fact.self).map { try $0.item.get() }
    }

    /// Speaks facts into `folder/*.wav` and writes `folder/needles.jsonl`.
    public static func write(
        _ facts: [Fact], _ speech: SpeechCommand, into folder: String, onProgress: (Int, Int) -> Void = { _, _ in }
    ) async throws -> PreparationResult {
        let file = try LinesFile("\(folder)/needles.jsonl")
        for (place, fact) in facts.enumerated() {
            try Task.checkCancellation()
            // Another sentence is another file.
            let name = String(format: "needle-%03d-%08x", place + 1, UInt32(truncatingIfNeeded: StableHash.of(fact.text)))
            let voice = speech.voice(for: name)
            try await speech.speak(fact.text, voice: voice, to: "\(folder)/\(name).wav")
            try file.append([
                "id": name, "speech": "\(name).wav", "text": fact.text, "question": fact.question, "answers": fact.answers, "voice": voice,
            ])
            onProgress(place + 1, facts.count)
        }
        try file.commit()
        return PreparationResult(path: file.path, items: file.count)
    }

    /// Hides needles in recordings, for every length and depth, as samples with the sound in files of their own.
    /// - Parameters:
    ///   - needles: the list that ``write(_:_:into:onProgress:)`` made.
    ///   - folder: gets `needle.jsonl` and `recordings/`.
    public static func hide(
        _ needles: String, in recordings: [String], lengths: [Double], depths: [Double], into folder: String, format: String = "mp3",
        onProgress: (Int, Int) -> Void = { _, _ in }
    ) throws -> PreparationResult {
        guard !recordings.isEmpty else { throw EvaluationError.noItems("recordings") }
        let facts = try DataLines.read(needles, as: Needle.Fact.self).map { try $0.item.get() }
        let place = (needles as NSString).deletingLastPathComponent
        let file = try LinesFile("\(folder)/needle.jsonl")
        try FileManager.default.createDirectory(atPath: "\(folder)/recordings", withIntermediateDirectories: true)
        let total = lengths.count * depths.count * facts.count
        for length in lengths {
            for (row, depth) in depths.enumerated() {
                for (number, fact) in facts.enumerated() {
                    try Task.checkCancellation()
                    let id = "\(NumberText.plain(length))s-\(NumberText.plain(depth))-\(fact.id)", name = "recordings/\(id).\(format)"
                    let haystack = Haystack(
                        haystack: recordings[(row + number) % recordings.count], needle: Files.join(place, fact.speech), seconds: length,
                        depth: depth / 100)
                    let made = try haystack.make()
                    try AudioFile.write(made.samples, sampleRate: Haystack.rate, to: "\(folder)/\(name)")
                    try file.append([
                        "id": id, "long_speech": name, "ability": "needle_\(NumberText.plain((length / 60).rounded()))",
                        "answers": fact.answers, "seconds": length, "fact_seconds": made.fact?.lowerBound ?? 0,
                        "conversations": [
                            ["from": "human", "value": "<speech>\n\(fact.question)"], ["from": "gpt", "value": fact.answers.first ?? ""],
                        ],
                    ])
                    onProgress(file.count, total)
                }
            }
        }
        try file.commit()
        return PreparationResult(path: file.path, items: file.count)
    }
}
