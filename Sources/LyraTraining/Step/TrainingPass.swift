// One pass over a micro-batch: encoders, projector, decoder, losses, and their gradients in the trainable weights.
import Foundation
import LyraModel
import MLX

/// How the parts of the loss are weighed: total = answer CE + λ LCMR + speech CTC + evidence; λ is the regulariser's weight.
public struct LossWeights: Sendable, Codable, Equatable {
    /// Of the cross-entropy of the answers' tokens.
    public var answer: Float
    /// Of the CTC loss of the speech generator; 0 leaves it out.
    public var speech: Float
    /// Of the cross-entropy of the extractor's attention to what answers rest on (`evidence` of the data); 0 leaves it out.
    public var evidence: Float
    public init(answer: Float = 1, speech: Float = 0, evidence: Float = 0) {
        (self.answer, self.speech, self.evidence) = (answer, speech, evidence)
    }

    public init(from decoder: any Swift.Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        answer = try values.decodeIfPresent(Float.self, forKey: .answer) ?? 1
        speech = try values.decodeIfPresent(Float.self, forKey: .speech) ?? 0
        evidence = try values.decodeIfPresent(Float.self, forKey: .evidence) ?? 0
    }
}

/// How much a whole step holds and supervises, over all its micro-batches and processes: what sums are divided by.
struct StepTotals: Equatable {
    var samples = 0
    var tokens = 0
    var targets = 0
    var transcripts = 0
    /// Units of spoken answers.
    var units = 0
    /// Questions whose answers' evidence is known.
    var evidence = 0
    /// Processes that are to stop.
    var stops = 0

    init() {}
    init(_ batches: [MicroBatch]) {
        for batch in batches {
            samples += batch.samples.count { !$0.isContinuation }
            tokens += batch.tokens
            targets += batch.targets.count
            transcripts += batch.transcripts
            units += batch.spoken.reduce(0) { $0 + $1.units.count }
            evidence += batch.evidence.count { $0 != nil }
        }
    }
}

/// Losses of a step, or a micro-batch's share of them.
public struct StepLosses: Sendable, Equatable, Codable {
    /// The weighted sum.
    public var total: Float = 0
    /// Mean over supervised tokens.
    public var answer: Float = 0
    /// Mean over samples with a transcript.
    public var regulariser: Float = 0
    /// Sum over spoken answers, divided by the number of their units.
    public var speech: Float = 0
    /// Mean over questions whose answers' evidence is known.
    public var evidence: Float = 0

    init() {}
    /// As ``values`` has them.
    init(_ values: [Float]) {
        for (path, value) in zip(Self.parts, values) { self[keyPath: path] = value }
    }

    private static var parts: [WritableKeyPath<StepLosses, Float>] { [\.total, \.answer, \.regulariser, \.speech, \.evidence] }
    var values: [Float] { Self.parts.map { self[keyPath: $0] } }

    static func + (a: StepLosses, b: StepLosses) -> StepLosses { StepLosses(zip(a.values, b.values).map(+)) }

    /// Logs of runs before there was a part do not have it.
    public init(from decoder: any Swift.Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        total = try values.decode(Float.self, forKey: .total)
        answer = try values.decode(Float.self, forKey: .answer)
        regulariser = try values.decode(Float.self, forKey: .regulariser)
        speech = try values.decode(Float.self, forKey: .speech)
        evidence = try values.decodeIfPresent(Float.self, forKey: .evidence) ?? 0
    }
}

/// What a pass computes besides the weights it is given.
struct TrainingPass {
    let weights: TrainingWeights
    var lossWeights: LossWeights
    /// λ of the cross-modality regulariser (paper: 0.5); 0 leaves it out.
    var regulariserWeight: Float = 0
    var regulariser = CrossModality()
    var generatorLoss = SpeechGeneratorLoss()
    var extractor: ExtractorOptions?
    /// Recomputes decoder layers in the backward pass instead of keeping what they computed.
    var checkpointsLayers = false
    let towers: FrozenTowers

    /// Losses and gradients (by full name, float32) of one micro-batch.
    func gradients(
        _ batch: MicroBatch, of totals: StepTotals, dropout: UInt64?
    ) throws -> (losses: StepLosses, gradients: [String: MLXArray]) {
        let names = weights.names
        let function = valueAndGrad(
            { arrays in
                try losses(
                    batch, Dictionary(uniqueKeysWithValues: zip(names, arrays)), of: totals, dropout: dropout)
            }, argumentNumbers: Array(names.indices))
        let (values, gradients) = try function(names.compactMap { weights.trainable[$0] })
        eval(values + gradients)
        return (Self.read(values), Dictionary(uniqueKeysWithValues: zip(names, gradients)))
    }

    /// Losses alone, and the share of supervised tokens that are the model's first choice.
    func evaluate(_ batch: MicroBatch, of totals: StepTotals) throws -> (losses: StepLosses, correct: Int) {
        var correct = 0
        let values = try losses(batch, weights.trainable, of: totals, dropout: nil) { logits, targets in
            let choices = argMax(logits, axis: -1).asType(.int32).asArray(Int32.self)
            correct = zip(choices, targets).count { $0 == $1 }
        }
        eval(values)
        return (Self.read(values), correct)
    }

    private static func read(_ values: [MLXArray]) -> StepLosses { StepLosses(values.map { $0.item(Float.self) }) }

    /// In the order of ``StepLosses/values``.
    private func losses(
        _ batch: MicroBatch, _ masters: [String: MLXArray], of totals: StepTotals, dropout: UInt64?,
        inspect: ([MLXArray].Element, [Int32]) -> Void = { _, _ in }
    ) throws -> [MLXArray] {
        let networks = try weights.networks(masters, dropout: dropout)
        let decoder = networks.decoder
        // [windows, tokens, hidden]
        let speech = batch.windows.isEmpty ? nil : networks.projector(try frames(batch, networks))
        let zero = MLXArray(Float(0))
        var answer = zero, align = zero, units = zero, evidence = zero
        if !batch.targets.isEmpty {
            var pieces = [decoder.embed(batch.text)]
            if !batch.pictures.isEmpty { pieces.append(try vision(batch.pictures, networks)) }
            if let speech { pieces.append(speech.flattened(start: 0, end: 1)) }
            let all = pieces.count == 1 ? pieces[0] : concatenated(pieces, axis: 0)
            let packed = PackedSequences(
                embeddings: all[MLXArray(batch.sources, [batch.sources.count])], positions: batch.positions,
                lengths: batch.lengths, turns: batch.turns, isContext: batch.isContext, isQuery: batch.isQuery,
                evidence: lossWeights.evidence != 0 ? batch.evidence : [])
            let speaks = lossWeights.speech != 0 && !batch.spoken.isEmpty
            let speaking = speaks ? generatorLoss.rows(predictors: batch.spoken.flatMap { batch.predictors[$0.predictors] }) : []
            let result = decoder(
                packed, adapter: weights.adapter?.kind, extractor: extractor,
                wanted: Set((lossWeights.answer != 0 ? batch.predictors : []) + speaking),
                layer: layerRunner(decoder, masters, dropout))
            let states = result.states, place = Dictionary(uniqueKeysWithValues: zip(result.tokens, Int32(0)...))
            if let cost = result.evidence { evidence = cost / Float(max(1, totals.evidence)) }
            func rows(_ tokens: [Int32]) -> [Int32] { tokens.compactMap { place[$0] } }
            if lossWeights.answer != 0 {
                let logits = decoder.logits(of: states, rows: rows(batch.predictors))
                inspect(logits, batch.targets)
                answer =
                    Kernel.crossEntropy(logits: logits, targets: MLXArray(batch.targets, [batch.targets.count])).sum()
                    / Float(max(1, totals.targets))
            }
            if speaks, let generator = networks.generator {
                units =
                    generatorLoss(
                        generator, decoder.normed(states[rows(speaking).asIndices]),
                        answers: batch.spoken.map { ($0.predictors.count, $0.units) }) / Float(max(1, totals.units))
            }
        }
        if regulariserWeight != 0, let speech {
            for recording in batch.speeches {
                guard let transcript = recording.transcript else { continue }
                align = align + regulariser(speech: speech[recording.windows].flattened(start: 0, end: 1), text: decoder.embed(transcript))
            }
            align = align / Float(max(1, totals.transcripts))
        }
        let total =
            answer * lossWeights.answer + align * regulariserWeight + units * lossWeights.speech + evidence * lossWeights.evidence
        return [total, answer, align, units, evidence]
    }

    /// How layers run: kept, or computed again for gradients.
    private func layerRunner(_ decoder: Decoder, _ masters: [String: MLXArray], _ dropout: UInt64?) -> Decoder.LayerRunner {
        guard checkpointsLayers else { return { index, x, run in decoder.run(layer: index, x, run) } }
        return { [weights] index, x, run in
            let names = weights.names(ofLayer: index)
            return checkpoint { (inputs: [MLXArray]) in
                let masters = Dictionary(uniqueKeysWithValues: zip(names, inputs.dropFirst()))
                return [run(weights.layer(index, masters, dropout: dropout), inputs[0])]
            }([x] + names.compactMap { masters[$0] })[0]
        }
    }

    // MARK: Media

    /// Tokens of all pictures and videos, in their order: [tokens, hidden] float32.
    private func vision(_ pictures: [Patches], _ networks: TrainingNetworks) throws -> MLXArray {
        guard let tower = networks.vision else { throw TrainingError.missingPart("the checkpoint has no vision tower") }
        guard weights.trains(.vision) else { return try towers.vision(pictures, tower) }
        return VisionBatch(pictures).tokens { tower($0, isTraced: true) }
    }

    /// Encoder frames of all windows: [windows, frames, width].
    private func frames(_ batch: MicroBatch, _ networks: TrainingNetworks) throws -> MLXArray {
        guard let whisper = networks.whisper, let logMel = weights.logMel else { throw TrainingError.missingPart("the checkpoint has no speech encoder") }
        guard weights.trains(.whisper) else { return try towers.frames(batch.windows, keeping: batch.isOriginal, whisper, logMel) }
        return whisper(logMel(windows: batch.windows))
    }
}

extension [Int32] {
    fileprivate var asIndices: MLXArray { MLXArray(self, [count]) }
}

/// Pictures of one size go through the tower together, as frame pairs of one grid.
struct VisionBatch {
    private let groups: [[Int]]
    private let pictures: [Patches]

    init(_ pictures: [Patches]) {
        self.pictures = pictures
        var bySize: [[Int]: [Int]] = [:]
        for (i, picture) in pictures.enumerated() { bySize[[picture.grid.height, picture.grid.width], default: []].append(i) }
        groups = bySize.values.sorted { $0[0] < $1[0] }
    }

    /// `tower`: patches -> [tokens, hidden].
    func tokens(_ tower: (Patches) -> MLXArray) -> MLXArray {
        var parts: [(index: Int, tokens: MLXArray)] = []
        for group in groups {
            let members = group.map { pictures[$0] }
            let grid = PatchGrid(
                time: members.reduce(0) { $0 + $1.grid.time }, height: members[0].grid.height, width: members[0].grid.width)
            let values = members.count == 1 ? members[0].values : concatenated(members.map(\.values), axis: 0)
            let output = tower(Patches(values: values, grid: grid))
            let perPair = output.dim(0) / grid.time
            var cuts: [Int] = [], end = 0
            for member in members.dropLast() {
                end += member.grid.time * perPair
                cuts.append(end)
            }
            parts += zip(group, cuts.isEmpty ? [output] : output.split(indices: cuts, axis: 0)).map { ($0, $1) }
        }
        let ordered = parts.sorted { $0.index < $1.index }.map(\.tokens)
        return ordered.count == 1 ? ordered[0] : concatenated(ordered, axis: 0)
    }
}
