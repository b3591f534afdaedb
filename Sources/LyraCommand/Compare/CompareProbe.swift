// What one model makes of the inputs of a comparison, stage by stage.
import Foundation
import Lyra
import LyraMedia
import LyraModel
import LyraText
import MLX

/// Values of every stage, and answers.
struct CompareProbe: Sendable {
    let precision: Precision
    /// In the order of the stages.
    private(set) var stages: [(name: String, values: [Float])] = []
    /// Tokens of each answer, as the first model gave them.
    private(set) var answers: [[Int32]] = []
    /// Log-probabilities before each of those tokens, row after row.
    private(set) var logProbabilities: [[Float]] = []

    /// - Parameter answers: what to read instead of answering.
    init(_ model: LyraModel, _ inputs: CompareInputs, answers given: [[Int32]]?) throws {
        precision = model.precision
        if model.hasSpeech {
            let frames = try model.encodeWindow(model.logMel(inputs.sound.prefix(model.logMel.windowSamples)))
            add("speech encoder", frames)
            add("speech tokens", model.project(frames, adapter: nil))
        }
        if model.hasVision {
            let vision = try model.visionConfiguration()
            if case .vision(let tokens, _) = try model.encode(try Self.patches(inputs.picture, vision, model)) { add("vision tokens", tokens) }
        }
        let tokenizer = try Tokenizer(directory: URL(fileURLWithPath: model.location.model))
        var states: [MLXArray] = []
        for (i, question) in inputs.questions.enumerated() {
            let ids = try ChatTemplate().encode([ChatMessage(.user, question)], with: tokenizer).ids
            states.append(try answer(model, ids, given: given?[i], most: inputs.tokens))
        }
        if let generator = model.generator, let hidden = states.first {
            var memory = generator.newState()
            add("speech generator", generator.logits(hidden, state: &memory))
        }
    }

    private mutating func add(_ name: String, _ array: MLXArray) { add(name, array.asType(.float32).asArray(Float.self)) }
    private mutating func add(_ name: String, _ values: [Float]) { stages.append((name, values)) }

    private static func patches(_ source: MediaSource?, _ vision: VisionConfiguration, _ model: LyraModel) throws -> Patches {
        guard let source else {
            let side = 224
            let pixels = (0..<(side * side * 3)).map { UInt8(truncatingIfNeeded: ($0 / 3 % side) * ($0 / 3 / side) / 16 + 80 * ($0 % 3)) }
            return Patches(frames: [pixels], size: PixelSize(height: side, width: side), vision: vision, processor: model.imageProcessor)
        }
        let image = try MediaPreparation(vision: vision, processor: model.imageProcessor).image(source)
        return Patches(
            frames: [image.pixels], size: PixelSize(height: image.height, width: image.width), vision: vision,
            processor: model.imageProcessor)
    }

    /// Answers greedily, or reads an answer; returns the states that predict its tokens, [n, hidden].
    private mutating func answer(_ model: LyraModel, _ ids: [Int32], given: [Int32]?, most: Int) throws -> MLXArray {
        var state = model.decoder.newState()
        let (input, _) = try model.decoder.assemble(ids, media: [], after: state)
        var hidden = try model.decoder(input, state: &state).hidden
        var tokens: [Int32] = [], states: [MLXArray] = []
        while tokens.count < given?.count ?? most {
            try Task.checkCancellation()
            let logits = model.decoder.logits(hidden)
            let row = (logits - logits.logSumExp(axis: -1, keepDims: true)).asArray(Float.self)
            guard row.allSatisfy(\.isFinite) else { throw NonFiniteLogits(step: tokens.count) }
            logProbabilities.append(row)
            states.append(hidden)
            let token = given?[tokens.count] ?? Int32(row.indices.max { row[$0] < row[$1] } ?? 0)
            tokens.append(token)
            if given == nil, model.endTokens.contains(token) { break }
            var positions = Positions(startingAt: state.nextPosition)
            positions.appendRun(1)
            let next = Decoder.Input(embeddings: model.decoder.embed([token]), positions: positions, isContext: [false])
            hidden = try model.decoder(next, state: &state).hidden
        }
        answers.append(tokens)
        let all = concatenated(states, axis: 0)
        all.eval()
        return all
    }
}
