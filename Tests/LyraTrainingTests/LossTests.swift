// What the losses do where the original crashes or says nothing: short transcripts, truncation, long answers.
@testable import LyraModel
@testable import LyraTraining
import MLX
import Testing

@Suite struct CrossModalityTests {
    let speech = MLXRandom.normal([7, 12], key: MLXRandom.key(1))
    let text = MLXRandom.normal([4, 12], key: MLXRandom.key(2))

    @Test func aTranscriptOfOneTokenIsAlwaysMet() {
        // The softmax over one token is 1 whatever the speech: no loss, no slope.
        let (values, gradients) = valueAndGrad { (x: [MLXArray]) in [CrossModality()(speech: x[0], text: text[0..<1])] }([speech])
        #expect(values[0].item(Float.self) == 0)
        #expect(abs(gradients[0]).max().item(Float.self) < 1e-6)
    }

    @Test func oneSpeechTokenMeetsAllText() {
        let loss = CrossModality()
        let distances = loss.distances(speech[0..<1], text).asArray(Float.self)
        let value = loss(speech: speech[0..<1], text: text).item(Float.self)
        #expect(abs(value - distances.reduce(0, +)) < 1e-3)
    }

    @Test(arguments: [(7, 4), (4, 4), (2, 4), (1, 1)]) func truncatedPairsTheEnds(frames: Int, tokens: Int) {
        let loss = CrossModality(alignment: .truncated)
        let distances = loss.distances(speech[0..<frames], text[0..<tokens]).asArray(Float.self)
        let pairs = min(frames, tokens)
        let expected = (0..<pairs).map { distances[(frames - pairs + $0) * tokens + tokens - pairs + $0] }
        let value = loss(speech: speech[0..<frames], text: text[0..<tokens]).item(Float.self)
        #expect(abs(value - expected.reduce(0, +) / Float(pairs)) < 1e-5)
    }

    @Test func emptyTranscriptsLeaveTheMean() {
        let loss = CrossModality()
        let alone = loss(speech: speech, text: text).item(Float.self)
        #expect(loss(speech: [speech, speech], text: [nil, text]).item(Float.self) == alone)
        #expect(loss(speech: [speech], text: [nil]).item(Float.self) == 0)
        #expect(CrossModality.transcript([], compatible: false) == nil && CrossModality.transcript(nil, compatible: false) == nil)
        // Token 0 is "!", which somebody may say; the original takes it for padding.
        #expect(CrossModality.transcript([0, 0], compatible: false) == [0, 0])
        #expect(CrossModality.transcript([0, 0], compatible: true) == nil)
        #expect(CrossModality.transcript([0, 5, 0], compatible: true) == [0, 5, 0])
    }

    @Test func halfPrecisionInputsAreMeasuredInFloat32() {
        let value = CrossModality()(speech: speech.asType(.bfloat16), text: text.asType(.bfloat16))
        let wide = CrossModality()(speech: speech.asType(.bfloat16).asType(.float32), text: text.asType(.bfloat16).asType(.float32))
        #expect(value.item(Float.self) == wide.item(Float.self))
    }
}

@Suite struct SpeechGeneratorLossTests {
    @Test(arguments: [0, 7, 25]) func packedAnswersAreThoseThatAreSpoken(leadIn: Int) throws {
        let place = try #require(OraclePack.available.first)
        let pack = try OraclePack(place.name, folder: place.folder)
        var (location, configuration) = try ModelLocation.resolve(pack.path("MODEL"))
        configuration.generator?.leadIn = leadIn
        let weights = try TrainingWeights(location, configuration, precision: .f32, adapter: nil, seed: 0) { _ in false }
        let generator = try #require(try weights.networks([:]).generator)
        let hidden = MLXRandom.normal([9, configuration.hiddenSize], key: MLXRandom.key(3))
        let packed = generator.logits(hidden, tokens: [3, 1, 5], frames: [75, 25, 125])
        var spoken: [MLXArray] = []
        for range in [0..<3, 3..<4, 4..<9] {
            var state = generator.newState()
            spoken.append(generator.logits(hidden[range], state: &state))
        }
        #expect(abs(packed - concatenated(spoken, axis: 0)).max().item(Float.self) < 1e-4)
        // What a first token says changes in the course of its frames only if something stands before it.
        let first = packed[0..<25], change = abs(first - first[0..<1]).max().item(Float.self)
        #expect(leadIn == 0 ? change < 1e-3 : change > 1e-2, "\(change)")

        // Sixty equal units need a blank between each two: 119 frames, more than two tokens have.
        let units = [Int32](repeating: 7, count: 60)
        let loss = SpeechGeneratorLoss()(generator, hidden[0..<2], answers: [(2, units)]).item(Float.self)
        #expect(loss.isFinite && loss > 0)
        // The original counts 60 frames, finds it impossible, and leaves the answer out.
        let left = SpeechGeneratorLoss(compatible: true)(generator, hidden[0..<2], answers: [(2, units)])
        #expect(left.item(Float.self) == 0)
    }
}
