// One update of the weights from one batch of samples.
import Foundation
import LyraModel
import MLX

/// Weights, optimiser and the passes that join them.
struct TrainingStep {
    let configuration: TrainingConfiguration
    let weights: TrainingWeights
    let builder: MicroBatchBuilder
    let pass: TrainingPass
    var optimizer: any Optimizer
    private let group: ProcessGroup
    /// Steps of the whole run, for the schedule.
    let steps: Int
    private let groups: [String: ParameterGroup]

    struct Outcome {
        var losses: StepLosses
        var gradientNorm: Double
        var learningRate: Double
        var samples = 0
        var tokens = 0
    }

    init(
        _ configuration: TrainingConfiguration, _ weights: TrainingWeights, steps: Int, _ group: ProcessGroup = ProcessGroup()
    ) throws {
        (self.configuration, self.weights, self.steps, self.group) = (configuration, weights, steps, group)
        builder = MicroBatchBuilder(weights)
        pass = TrainingPass(
            weights: weights, lossWeights: configuration.lossWeights, regulariserWeight: configuration.regulariser.weight,
            regulariser: configuration.regulariser.crossModality,
            generatorLoss: SpeechGeneratorLoss(compatible: configuration.compatible), extractor: configuration.extractor,
            checkpointsLayers: configuration.gradientCheckpointing,
            towers: try FrozenTowers(cache: configuration.cache, weights.location, configuration.precision))
        if let processes = group.processes, configuration.shardsOptimizer {
            optimizer = ShardedAdamW(
                processes, parameters: weights.trainable, beta1: configuration.betas[0], beta2: configuration.betas[1],
                epsilon: configuration.epsilon)
        } else {
            optimizer = configuration.optimizer.make(betas: configuration.betas, epsilon: configuration.epsilon, group)
        }
        groups = Dictionary(
            uniqueKeysWithValues: weights.names.compactMap { name in configuration.trainable.group(of: name).map { (name, $0) } })
    }

    /// Cuts samples into passes of about `tokensPerPass` tokens. `onBad` hears of samples that do not fit the model. Behind the
    /// first block of an extractor every independent turn has tokens of its own, which may take several passes.
    func microBatches(_ samples: [TrainingSample], onBad: (TrainingError) -> Void) throws -> [MicroBatch] {
        var batches: [MicroBatch] = [], pending: [TrainingSample] = [], filled = 0
        func flush() throws {
            if !pending.isEmpty { batches.append(try builder.build(pending)) }
            (pending, filled) = ([], 0)
        }
        for sample in samples {
            let count: Int
            do { count = try builder.tokenCount(sample) } catch let error as TrainingError {
                onBad(error)
                continue
            }
            if filled > 0, filled + count > configuration.tokensPerPass { try flush() }
            guard let extractor = configuration.extractor, sample.usesExtractor, !sample.media.isEmpty, sample.turns.count > 1 else {
                pending.append(sample)
                filled += count
                continue
            }
            let kept = max(1, Int(Float(count) * extractor.keepRate))
            for part in sample.divided(turns: max(1, configuration.tokensPerPass / kept)) {
                let taken = max(count, kept * part.turns.count)
                if filled > 0, filled + taken > configuration.tokensPerPass { try flush() }
                pending.append(part)
                filled += taken
            }
        }
        try flush()
        return batches
    }

    /// Factor of all learning rates at a step, counted from 0.
    func scheduleFactor(_ step: Int) -> Double {
        // Rounded up, as transformers does.
        let warmup = Int((configuration.warmupRatio * Double(steps)).rounded(.up))
        return configuration.schedule.factor(step: step, warmup: warmup, steps: steps)
    }

    /// - Parameter step: counted from 0.
    mutating func update(_ batches: [MicroBatch], step: Int) throws -> Outcome {
        // All processes stop together, or those that go on would wait for the others.
        var totals = StepTotals(batches)
        totals.stops = Task.isCancelled ? 1 : 0
        totals = try group.sum(totals)
        if totals.stops > 0 { throw CancellationError() }
        let seed = configuration.seed &* 0x9E37_79B9_7F4A_7C15 &+ UInt64(step)
        var losses = StepLosses(), gradients: [String: MLXArray] = [:]
        for (number, batch) in batches.enumerated() {
            if group.size == 1 { try Task.checkCancellation() }
            let (part, shares) = try pass.gradients(batch, of: totals, dropout: seed &+ UInt64(number) << 40)
            losses = losses + part
            if gradients.isEmpty { gradients = shares } else {
                for (name, share) in shares { gradients[name] = gradients[name].map { $0 + share } ?? share }
                eval(Array(gradients.values))
            }
        }
        if gradients.isEmpty { gradients = weights.trainable.mapValues { MLXArray.zeros($0.shape) } }
        (losses, gradients) = try group.sum(losses, gradients)

        let names = batches.flatMap { $0.samples.map(\.id) }
        guard losses.total.isFinite else { throw TrainingError.notFinite(what: "loss", step: step + 1, samples: names) }
        let norm = AdamW.norm(gradients)
        guard norm.isFinite else { throw TrainingError.notFinite(what: "gradient", step: step + 1, samples: names) }
        let clip = configuration.gradientClip
        // As PyTorch's clip_grad_norm_.
        let scale = clip > 0 ? min(1, clip / (norm + 1e-6)) : 1
        let factor = scheduleFactor(step)
        try optimizer.update(&weights.trainable, gradients, scale: scale) { [groups, configuration] name in
            let group = groups[name]
            return (
                factor * (group?.learningRate ?? configuration.learningRate), group?.weightDecay ?? configuration.weightDecay
            )
        }
        return Outcome(
            losses: losses, gradientNorm: norm, learningRate: factor * configuration.learningRate,
            samples: totals.samples, tokens: totals.tokens)
    }

    /// Losses and accuracy over samples, without an update.
    func evaluate(_ batches: [MicroBatch]) throws -> StepMetrics.Validation {
        let totals = StepTotals(batches)
        var losses = StepLosses(), correct = 0
        for batch in batches {
            try Task.checkCancellation()
            let (part, right) = try pass.evaluate(batch, of: totals)
            losses = losses + part
            correct += right
        }
        return .init(losses: losses, accuracy: Double(correct) / Double(max(1, totals.targets)))
    }
}
