// Several questions about one picture, each asked by itself, are what as many samples of one question are.
import Foundation
import LyraMedia
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
    func heard(independent: Bool) throws -> [TrainingSample] {
        let folder = try DataFolder(), encoder = try tinyEncoder()
        // Whole windows that are nowhere alike, so that no two tokens are worth the same to an extractor.
        for (number, name) in ["r.wav", "q.wav", "s.wav"].enumerated() {
            var random = SplitMix64(state: UInt64(number)), loudness: Float = 0
            let samples = (0..<480_000).map { sample -> Float in
                if sample % 1_600 == 0 { loudness = .random(in: 0.01...0.5, using: &random) }
                return loudness * sin(Float(sample) * Float(1 + sample / 4_000) * 0.01) + .random(in: -0.02...0.02, using: &random)
            }
            try AudioFile.write(samples, sampleRate: 16_000, to: folder.file(name))
        }
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

    /// How a step is computed: layers again or kept, by voice or in writing, with an extractor, in passes of so many turns.
    struct Manner: Sendable, CustomTestStringConvertible {
        var checkpointing = false, byVoice = false, extractor: ExtractorOptions?, turns = 4
        var testDescription: String { "\(checkpointing ? "checkpoints, " : "")\(byVoice ? "by voice" : "in writing"), \(extractor.map { "\($0)" } ?? "no extractor"), \(turns) turns" }
    }
    static let manners = [
        Manner(), Manner(checkpointing: true), Manner(byVoice: true), Manner(checkpointing: true, byVoice: true), Manner(byVoice: true, turns: 2),
        Manner(byVoice: true, extractor: ExtractorOptions(gap: 1, keepRate: 0.4)), Manner(byVoice: true, extractor: ExtractorOptions(gap: 2, keepRate: 0.3)),
        Manner(checkpointing: true, byVoice: true, extractor: ExtractorOptions(gap: 1, keepRate: 0.7), turns: 2),
    ]

    @Test(arguments: manners) func lossesAndGradientsAreThoseOfSamplesOfTheirOwn(_ manner: Manner) throws {
        func samples(independent: Bool) throws -> [TrainingSample] {
            try manner.byVoice ? heard(independent: independent) : self.samples(independent: independent)
        }
        let place = try #require(OraclePack.available.first)
        let run = try ReferenceStep(OraclePack(place.name, folder: place.folder))
        let builder = MicroBatchBuilder(run.weights)
        var pass = run.pass(lambda: 0, checkpointing: manner.checkpointing)
        func step(_ samples: [TrainingSample]) throws -> (losses: StepLosses, gradients: [String: MLXArray]) {
            for sample in samples { _ = try builder.tokenCount(sample) }
            let batch = try builder.build(samples)
            return try pass.gradients(batch, of: StepTotals([batch]), dropout: nil)
        }
        let other = try samples(independent: false)[2], whole = try samples(independent: true)[0]
        let plain = try step([whole]).losses.answer
        pass.extractor = manner.extractor
        // What the extractor drops counts, but not where it is not to be used.
        #expect((abs(try step([whole]).losses.answer - plain) > 1e-4 * plain) == (manner.extractor != nil))
        var untouched = whole
        untouched.usesExtractor = false
        #expect(try abs(step([untouched]).losses.answer - plain) < 1e-5 * plain)
        let together = try step(whole.divided(turns: manner.turns) + [other])
        let alone = try step(try samples(independent: false) + [other])
        #expect(abs(together.losses.answer - alone.losses.answer) < 1e-5 * alone.losses.answer)
        for (name, expected) in alone.gradients {
            let found = try #require(together.gradients[name]).asArray(Float.self), expected = expected.asArray(Float.self)
            let largest = expected.reduce(0) { max($0, abs($1)) }
            let off = zip(found, expected).reduce(0) { max($0, abs($1.0 - $1.1)) }
            #expect(off <= 1e-4 * largest, "\(name)")
        }
        // As a conversation it is another thing.
        var conversation = whole
        conversation.turns = []
        #expect(abs(try step([conversation, other]).losses.answer - alone.losses.answer) > 1e-4)
    }

    /// A pass holds so many turns of a sample; what all of them see counts once.
    @Test func turnsMayBeDivided() throws {
        var whole = try heard(independent: true)[0]
        guard case .speech(var speech) = whole.media[0] else { Issue.record("no speech"); return }
        speech.transcript = [1]
        (whole.media[0], whole.units) = (.speech(speech), [7])
        let parts = whole.divided(turns: 2), shared = whole.turns[0]
        #expect(parts.map(\.turns.count) == [2, 1] && parts.map(\.units) == [nil, [7]] && parts.map(\.isContinuation) == [false, true])
        #expect(parts.map { $0.media.count } == [2, 2] && whole.media.count == 3)
        #expect(parts[0].ids + parts[1].ids[shared...] == whole.ids && parts[0].labels + parts[1].labels[shared...] == whole.labels)
        #expect(parts[1].ids[..<shared] == whole.ids[..<shared] && parts[1].turns == [shared])
        let transcripts = parts.map { part -> [Int32]? in if case .speech(let speech) = part.media[0] { speech.transcript } else { nil } }
        #expect(transcripts == [[1], nil])
        #expect(whole.divided(turns: 3).count == 1 && whole.divided(turns: 1).count == 3)
    }

    /// Behind the first block every turn keeps tokens of its own: about 380 of these 960.
    @Test func passesOfAnExtractorHoldFewTurns() throws {
        let place = try #require(OraclePack.available.first)
        let run = try ReferenceStep(OraclePack(place.name, folder: place.folder))
        var configuration = TrainingConfiguration(stage: .joint), sample = try heard(independent: true)[0]
        (configuration.extractor, configuration.tokensPerPass, configuration.precision) = (ExtractorOptions(gap: 1, keepRate: 0.4), 800, .f32)
        let step = try TrainingStep(configuration, run.weights, steps: 1), targets = try step.builder.build([sample]).targets
        let passes = try step.microBatches([sample]) { _ in }
        #expect(passes.map { $0.samples.map(\.turns.count) } == [[2], [1]] && passes.flatMap(\.targets) == targets)
        #expect(StepTotals(passes).samples == 1)
        sample.usesExtractor = false
        #expect(try step.microBatches([sample]) { _ in }.count == 1)
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
        let asked = example(questions, independent: true)
        let together = try encoder.text(asked), ends = Array(together.turns.dropFirst()) + [together.ids.count]
        #expect(together.media == asked.speeches.map { .speech($0, transcript: nil) } && together.turns.count == questions.count)
        for (index, (question, files)) in questions.enumerated() {
            let text = index == 0 || isAlone ? question : "<speech>\n" + question
            var alone = example([(text, index == 0 || isAlone ? files : ["r"] + files)], independent: false)
            alone.turns[1].text = "It is \(index)."
            let expected = try encoder.text(alone), turn = together.turns[index]..<ends[index]
            #expect(together.ids[..<together.turns[0]] + together.ids[turn] == expected.ids[...])
            #expect(together.labels[..<together.turns[0]] + together.labels[turn] == expected.labels[...])
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

    /// What is kept of an earlier run is for the same samples.
    @Test func lengthsFollowHowQuestionsAreAsked() async throws {
        let folder = try DataFolder(), encoder = try tinyEncoder(), path = try #require(data(folder, independent: true).files.first).path
        func lengths(independent: Bool, cache: String?) async throws -> SampleLengths {
            let data = try TrainingData([DataSource(path, independentTurns: independent)])
            return try await SampleLengths.measure(data, encoder, cache: cache)
        }
        let cache = folder.file("cache")
        for independent in [true, false, true] {
            let kept = try await lengths(independent: independent, cache: cache)
            #expect(try await kept == lengths(independent: independent, cache: nil))
        }
    }
}
