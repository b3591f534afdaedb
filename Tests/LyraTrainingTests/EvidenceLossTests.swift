// The extractor's attention is taught by what answers rest on.
import Foundation
import LyraMedia
@testable import LyraModel
@testable import LyraTraining
import MLX
import Testing

@Suite struct EvidenceLossTests {
    static let evidence: [[Range<Int>]] = [[10..<30, 100..<101], [], [250..<400]]

    private func run() throws -> (run: ReferenceStep, pass: TrainingPass, sample: TrainingSample) {
        let place = try #require(OraclePack.available.first)
        let run = try ReferenceStep(OraclePack(place.name, folder: place.folder))
        var pass = run.pass(lambda: 0), sample = try IndependentTurnsTests().heard(independent: true)[0]
        // Chooses once, before the last layer.
        let gap = run.weights.configuration.layers - 1
        (pass.extractor, pass.lossWeights.evidence, sample.evidence) = (ExtractorOptions(gap: gap, keepRate: 0.4), 0.3, Self.evidence)
        return (run, pass, sample)
    }

    /// By the kernel that chooses in use, for each question by itself.
    @Test func itIsTheCrossEntropyOfTheScoresThatChoose() throws {
        let (run, pass, sample) = try run()
        let builder = MicroBatchBuilder(run.weights), networks = try run.weights.networks(run.weights.trainable), decoder = networks.decoder
        let whisper = try #require(networks.whisper), logMel = try #require(run.weights.logMel)
        var expected: [Float] = []
        for (question, stated) in zip(try IndependentTurnsTests().heard(independent: false), Self.evidence) where !stated.isEmpty {
            let batch = try builder.build([question]), rows = batch.speeches[0].rows
            let all = concatenated(
                [decoder.embed(batch.text), networks.projector(whisper(logMel(windows: batch.windows))).flattened(start: 0, end: 1)], axis: 0)
            var x = all[MLXArray(batch.sources, [batch.sources.count])].expandedDimensions(axis: 0)
            let rotation = decoder.rotary(batch.positions), adapter = run.weights.adapter?.kind, gap = try #require(pass.extractor?.gap)
            for layer in decoder.layers.prefix(gap - 1) {
                x = layer(x, rotation, adapter: adapter) { Kernel.attention($0, $1, $2, scale: layer.scale, causal: true) }
            }
            let asking = batch.isQuery.indices.filter { batch.isQuery[$0] }.map(Int32.init), layer = decoder.layers[gap - 1]
            let queries = layer.queries(x, rotation, adapter: adapter)[0][MLXArray(asking, [asking.count])]
            let scores = Kernel.attentionScores(queries, layer.keys(x, rotation, adapter: adapter)[0], scale: layer.scale).asArray(Float.self)
            // What lies behind the recording's 300 tokens is not counted.
            let facts = stated.flatMap { $0.clamped(to: 0..<300) }.map { Foundation.log(scores[rows.lowerBound + $0]) }
            expected.append(Foundation.log(scores[rows].reduce(0, +)) - facts.reduce(0, +) / Float(facts.count))
        }
        #expect(expected.count == 2)
        for parts in [[sample], sample.divided(turns: 1)] {
            let batch = try builder.build(parts), losses = try pass.gradients(batch, of: StepTotals([batch]), dropout: nil).losses
            #expect(abs(losses.evidence - expected.reduce(0, +) / 2) < 1e-4 * losses.evidence)
            #expect(abs(losses.total - losses.answer - 0.3 * losses.evidence) < 1e-5 * losses.total)
        }
        var untouched = sample
        untouched.usesExtractor = false
        let batch = try builder.build([untouched])
        #expect(try pass.gradients(batch, of: StepTotals([batch]), dropout: nil).losses.evidence == 0)
    }

    @Test(arguments: [false, true]) func itsGradientIsHowItChanges(checkpointing: Bool) throws {
        var (run, pass, sample) = try run()
        let builder = MicroBatchBuilder(run.weights), batch = try builder.build([sample]), totals = StepTotals([batch])
        pass.checkpointsLayers = checkpointing
        func gradients(_ weight: Float) throws -> [String: MLXArray] {
            pass.lossWeights.evidence = weight
            return try pass.gradients(batch, of: totals, dropout: nil).gradients
        }
        let without = try gradients(0)
        let own = try gradients(1).map { name, gradient in (name, gradient - (try #require(without[name]))) }
        let length: Float = own.reduce(0) { $0 + ($1.1 * $1.1).sum().item(Float.self) }
        #expect(length > 1e-6)
        let start = run.weights.trainable
        func loss(_ step: Float) throws -> Float {
            for (name, gradient) in own { run.weights.trainable[name] = start[name].map { $0 + gradient * step } }
            return try pass.evaluate(batch, of: totals).losses.evidence
        }
        // Small steps, since it bends; of a loss of five, float32 tells 1e-6.
        let step = 0.0005 / length, change = try loss(step) - loss(-step)
        #expect(abs(change - 0.001) < 0.00005, "\(change) by \(step), \(length)")
    }

    /// Seconds become tokens, of a recording that sounds faster too.
    @Test func secondsBecomeTokens() throws {
        let folder = try DataFolder(), encoder = try tinyEncoder()
        try AudioFile.write((0..<64_000).map { 0.1 * sin(Float($0) * 0.05) }, sampleRate: 16_000, to: folder.file("r.wav"))
        func sample(_ evidence: String, _ texts: [String], _ augmentation: SpeechAugmentation? = nil, independent: Bool = true) throws -> TrainingSample {
            let path = try folder.write("d.json", #"[{"speech":"r.wav","evidence":\#(evidence),"conversations":\#(try json(texts))}]"#)
            return try TrainingData([DataSource(path, independentTurns: independent, speechAugmentation: augmentation)]).sample(0, encoder, version: 1)
        }
        let questions = ["<speech>\nWho?", "A.", "Where?", "B."]
        #expect(try sample("[[[0.5,1.26]],[[2,3],[0,0]]]", questions).evidence == [[5..<13], [20..<30, 0..<0]])
        var faster = SpeechAugmentation.none
        faster.speed = .init(1, 1.25...1.25)
        #expect(try sample("[[[0.5,1.25]],[]]", questions, faster).evidence == [[4..<10], []])
        // Turns of a conversation choose together, so what one of them rests on tells nothing.
        #expect(try sample("[[],[]]", questions, independent: false).evidence.isEmpty)
        #expect(try sample("[[[1,2]]]", Array(questions.prefix(2)), independent: false).evidence == [[10..<20]])
        let bad = badSample { _ = try sample("[[[1,2]]]", questions) }
        #expect(bad?.localizedDescription.contains("evidence: 1 lists for 2 answers") == true)
    }

    /// A weight that would do nothing is refused.
    @Test func itNeedsAnExtractor() throws {
        var configuration = TrainingConfiguration(stage: .longSpeech, model: "m", output: "o", data: [DataSource("d.jsonl")])
        configuration.lossWeights.evidence = 0.3
        #expect(throws: ConfigurationError.self) { try configuration.check() }
        configuration.extractor = ExtractorOptions(gap: 3, keepRate: 0.4)
        #expect(throws: Never.self) { try configuration.check() }
    }

    /// A run from before there was this part can be gone on with.
    @Test func olderLogsAreRead() throws {
        let written = Data(#"{"total":1.5,"answer":1,"regulariser":0.25,"speech":2}"#.utf8), losses = try JSONDecoder().decode(StepLosses.self, from: written)
        #expect(losses.values == [1.5, 1, 0.25, 2, 0])
        #expect(try JSONDecoder().decode(StepLosses.self, from: JSONEncoder().encode(StepLosses([5, 4, 3, 2, 1]))).values == [5, 4, 3, 2, 1])
    }

    private func json(_ texts: [String]) throws -> String {
        let turns = texts.enumerated().map { ["from": $0 % 2 == 0 ? "human" : "gpt", "value": $1] }
        return String(decoding: try JSONSerialization.data(withJSONObject: turns), as: UTF8.self)
    }
}
