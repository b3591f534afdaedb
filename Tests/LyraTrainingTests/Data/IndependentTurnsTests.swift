// Several questions about one picture, each asked by itself, are what as many samples of one question are.
import Foundation
import LyraModel
import LyraText
@testable import LyraTraining
import MLX
import Testing

@Suite struct IndependentTurnsTests {
    static let questions = [
        ("<image>\nWhat is it?", "A ring."), ("What colour is it?", "Red, or nearly."), ("What is it not?", "Blue."),
        ("Is there a hat?", ""),
    ]

    /// One item with all questions, and one for each.
    private func data(_ folder: DataFolder, independent: Bool) throws -> TrainingData {
        try folder.picture("p.png", 112, 84)
        func item(_ questions: [(String, String)]) -> String {
            let list = questions.flatMap { [["from": "human", "value": $0.0], ["from": "gpt", "value": $0.1]] }
            let object: [String: Any] = ["image": "p.png", "conversations": list]
            return String(decoding: (try? JSONSerialization.data(withJSONObject: object)) ?? Data(), as: UTF8.self)
        }
        let alone = Self.questions.map { item([($0.0.hasPrefix("<image>") ? $0.0 : "<image>\n" + $0.0, $0.1)]) }
        let path = try folder.write("d.jsonl", (independent ? [item(Self.questions)] : alone).joined(separator: "\n"))
        return try TrainingData([DataSource(path, independentTurns: independent)])
    }

    /// The same of a recording, asked about by voice and in writing.
    private func heard(independent: Bool) throws -> [TrainingSample] {
        let folder = try DataFolder(), encoder = try tinyEncoder()
        for (name, seconds) in [("r.wav", 0.9), ("q.wav", 0.3), ("s.wav", 0.5)] { try folder.sound(name, seconds: seconds) }
        let questions = [("<speech>\n<speech>", "A ring.", ["q.wav"]), ("What colour is it?", "Red.", []), ("<speech>", "Blue, or nearly.", ["s.wav"])]
        func line(_ questions: [(String, String, [String])]) throws -> String {
            let turns = questions.flatMap { [["from": "human", "value": $0.0], ["from": "gpt", "value": $0.1]] }
            let object: [String: Any] = ["speech": ["r.wav"] + questions.flatMap(\.2), "conversations": turns]
            return String(decoding: try JSONSerialization.data(withJSONObject: object), as: UTF8.self)
        }
        let alone = try questions.enumerated().map { index, question in
            try line([(index == 0 ? question.0 : "<speech>\n" + question.0, question.1, question.2)])
        }
        let path = try folder.write("h.jsonl", (independent ? [line(questions)] : alone).joined(separator: "\n"))
        let data = try TrainingData([DataSource(path, independentTurns: independent)])
        return try (0..<data.count).map { try data.sample($0, encoder) }
    }

    private func samples(independent: Bool) throws -> [TrainingSample] {
        let folder = try DataFolder(), data = try data(folder, independent: independent), encoder = try tinyEncoder()
        return try (0..<data.count).map { try data.sample($0, encoder) }
    }

    @Test func eachTurnIsAConversation() throws {
        let together = try samples(independent: true)[0], alone = try samples(independent: false)
        #expect(together.turns.count == 4 && together.media.count == 1)
        let shared = together.turns[0]
        #expect(together.ids[..<shared].contains(Placeholder.image))
        for (turn, expected) in zip(zip(together.turns, together.turns.dropFirst() + [together.ids.count]), alone) {
            #expect(together.ids[..<shared] + together.ids[turn.0..<turn.1] == expected.ids[...])
            #expect(together.labels[..<shared] + together.labels[turn.0..<turn.1] == expected.labels[...])
        }
        // The picture is there once.
        #expect(together.ids.count < alone.reduce(0) { $0 + $1.ids.count } - 3 * shared + 1)
    }

    /// Without media, what is asked about is the lines before the first question.
    @Test func whatIsAskedAboutMayBeText() throws {
        let encoder = try tinyEncoder(), text = "A ring.\nIt is red.\n"
        func example(_ turns: [(String, String)]) -> Example {
            var example = Example(turns: turns.flatMap { [.init(.user, $0.0), .init(.assistant, $0.1)] })
            example.hasIndependentTurns = true
            return example
        }
        let together = try encoder.text(example([(text + "What is it?", "A ring."), ("Which colour?", "Red.")]))
        let alone = try ["What is it?": "A ring.", "Which colour?": "Red."].sorted { $0.value < $1.value }.map { try encoder.text(example([(text + $0.key, $0.value)])) }
        let (first, second) = (together.turns[0], together.turns[1])
        #expect(together.ids[..<second] == alone[0].ids[...] && together.ids[..<first] + together.ids[second...] == alone[1].ids[...])
        #expect(first > encoder.tokenizer.encode(text).count && together.labels.suffix(from: second).contains { $0 >= 0 })
    }

    @Test(arguments: [false, true], [false, true]) func lossesAndGradientsAreThoseOfSamplesOfTheirOwn(checkpointing: Bool, byVoice: Bool) throws {
        func samples(independent: Bool) throws -> [TrainingSample] {
            try byVoice ? heard(independent: independent) : self.samples(independent: independent)
        }
        let place = try #require(OraclePack.available.first)
        let run = try ReferenceStep(OraclePack(place.name, folder: place.folder))
        let builder = MicroBatchBuilder(run.weights)
        let pass = run.pass(lambda: 0, checkpointing: checkpointing)
        func step(_ samples: [TrainingSample]) throws -> (losses: StepLosses, gradients: [String: MLXArray]) {
            for sample in samples { _ = try builder.tokenCount(sample) }
            let batch = try builder.build(samples)
            return try pass.gradients(batch, of: StepTotals([batch]), dropout: nil)
        }
        let other = try samples(independent: false)[2]
        let together = try step(try samples(independent: true) + [other])
        let alone = try step(try samples(independent: false) + [other])
        #expect(abs(together.losses.answer - alone.losses.answer) < 1e-5 * alone.losses.answer)
        for (name, expected) in alone.gradients {
            let found = try #require(together.gradients[name]).asArray(Float.self), expected = expected.asArray(Float.self)
            let largest = expected.reduce(0) { max($0, abs($1)) }
            let off = zip(found, expected).reduce(0) { max($0, abs($1.0 - $1.1)) }
            #expect(off <= 1e-4 * largest, "\(name)")
        }
        // As a conversation it is another thing.
        var conversation = try samples(independent: true)[0]
        conversation.turns = []
        #expect(abs(try step([conversation, other]).losses.answer - alone.losses.answer) > 1e-4)
    }

    /// A question may be spoken, or have a picture that the others do not see.
    @Test(arguments: [
        [("<speech>\nWhat is said?", ["r"]), ("<speech>", ["q"]), ("Who says it?", []), ("<speech>", ["s"])],
        [("<speech>\n<speech>", ["r", "q"]), ("<speech>", ["s"]), ("Who says it?", [])],
        [("<speech>\n<speech>", ["r", "q"]), ("<speech>", ["s"])],
        [("<speech>", ["q"]), ("<speech>", ["s"]), ("Who?", [])],
    ]) func questionsMayBeSpoken(_ questions: [(String, [String])]) throws {
        let encoder = try tinyEncoder(), isAlone = questions[0].0 == "<speech>", shown = isAlone ? 0 : 1
        func example(_ questions: [(String, [String])], independent: Bool) -> Example {
            var example = Example(
                speeches: questions.flatMap(\.1),
                turns: questions.enumerated().flatMap { [.init(.user, $0.element.0), .init(.assistant, "It is \($0.offset).")] })
            example.hasIndependentTurns = independent
            return example
        }
        var asked = example(questions, independent: true)
        let together = try encoder.text(asked), ends = Array(together.turns.dropFirst()) + [together.ids.count]
        #expect(together.media == asked.speeches.map { .speech($0, transcript: nil) } && together.turns.count == questions.count)
        for (index, (question, files)) in questions.enumerated() {
            let text = index == 0 || isAlone ? question : "<speech>\n" + question
            var alone = example([(text, index == 0 || isAlone ? files : ["r"] + files)], independent: false)
            alone.turns[1].text = "It is \(index)."
            let expected = try encoder.text(alone), turn = together.turns[index]..<ends[index]
            #expect(together.ids[..<together.turns[0]] + together.ids[turn] == expected.ids[...])
            #expect(together.labels[..<together.turns[0]] + together.labels[turn] == expected.labels[...])
            asked.question = index
            #expect(try encoder.text(asked) == expected)
        }
        #expect(together.ids[..<together.turns[0]].count { $0 == Placeholder.speech } == shown)
    }

    @Test func whatAllAreAboutStandsFirst() throws {
        let encoder = try tinyEncoder()
        var example = Example(speeches: ["a"], turns: [.init(.user, "Hear: <speech>"), .init(.assistant, "B."), .init(.user, "C?"), .init(.assistant, "D.")])
        _ = try encoder.text(example)
        example.hasIndependentTurns = true
        #expect(throws: SampleFault.self) { try encoder.text(example) }
    }

    /// As an extractor needs it.
    @Test func eachQuestionMayBeASample() throws {
        let folder = try DataFolder(), encoder = try tinyEncoder()
        let alone = try data(folder, independent: false), path = try #require(alone.files.first).path
        let item = try String(contentsOfFile: data(folder, independent: true).files[0].path, encoding: .utf8)
        let expected = try samples(independent: false)
        _ = try folder.write("d.jsonl", item + "\n{\"id\": 3}\n" + item)
        let split = try TrainingData([DataSource(path, independentTurns: true), DataSource(path)], splitsTurns: true)
        #expect(split.files.map(\.count) == [9, 3] && split.count == 12)
        for index in 0..<4 {
            for place in [index, index + 5] {
                let sample = try split.sample(place, encoder)
                #expect(sample.ids == expected[index].ids && sample.labels == expected[index].labels && sample.turns.isEmpty)
                #expect(sample.media.count == 1)
            }
        }
        // What cannot be read is found bad when its turn comes, under the place it has in the file.
        #expect { try split.sample(4, encoder) } throws: { ($0 as? BadSample)?.index == 1 }
        // What is no list of independent questions stays a conversation.
        #expect(try split.sample(9, encoder).ids.count > expected[0].ids.count)
        #expect(try TrainingData([DataSource(path, independentTurns: true)]).count == 3)
        // Units are the last answer's.
        let units = try folder.write("u.jsonl", item.replacing("{", with: "{\"units\":[1,2],", maxReplacements: 1))
        let spoken = try TrainingData([DataSource(units, independentTurns: true)], splitsTurns: true)
        #expect(try (0..<4).map { try spoken.example($0).units } == [nil, nil, nil, [1, 2]])
    }

    /// What is kept of an earlier run is for the same samples.
    @Test func lengthsFollowHowQuestionsAreAsked() async throws {
        let folder = try DataFolder(), encoder = try tinyEncoder(), path = try #require(data(folder, independent: true).files.first).path
        func lengths(independent: Bool, splits: Bool, cache: String?) async throws -> SampleLengths {
            let data = try TrainingData([DataSource(path, independentTurns: independent)], splitsTurns: splits)
            return try await SampleLengths.measure(data, encoder, cache: cache)
        }
        let cache = folder.file("cache")
        for (independent, splits) in [(true, false), (false, false), (true, true), (true, false)] {
            let kept = try await lengths(independent: independent, splits: splits, cache: cache)
            #expect(try await kept == lengths(independent: independent, splits: splits, cache: nil))
        }
    }
}
