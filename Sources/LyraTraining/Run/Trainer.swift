// A training run from its configuration to its result: data, steps, checkpoints, logs.
import Foundation
import LyraModel
import LyraText
import MLX

/// What a run tells while it goes on.
public enum TrainingEvent: Sendable {
    /// Before the first step.
    case began(TrainingOverview)
    case skipped(id: String, reason: String)
    case step(StepMetrics, of: Int)
    case checkpoint(step: Int, path: String)
}

/// What a run is about to do.
public struct TrainingOverview: Sendable {
    public var samples: Int
    public var steps: Int
    /// Steps done before, when resumed.
    public var done: Int
    public var trainableParameters: Int
    public var trainableTensors: Int
}

/// What a run has done.
public struct TrainingSummary: Sendable {
    public var steps: Int
    public var last: StepMetrics?
    public var skipped: Int
    /// Folders and files of the result.
    public var written: [String]
}

/// Runs one training configuration. Not for use by several tasks at a time.
public final class Trainer {
    public let configuration: TrainingConfiguration
    private let weights: TrainingWeights
    private let data: TrainingData
    private let encoder: SampleEncoder
    private let plan: BatchPlan
    private let checkpoints: RunCheckpoints
    private let group: ProcessGroup
    private var step: TrainingStep
    private var state = RunState()
    private let report: (TrainingEvent) -> Void
    private let totalSteps: Int

    /// Loads the model and the data.
    ///
    /// - Parameters:
    ///   - resume: goes on from the newest checkpoint in the output folder, if there is one. Otherwise a folder that holds
    ///     a run is refused.
    ///   - report: hears of progress, on the task that runs.
    public init(
        _ configuration: TrainingConfiguration, resume: Bool, group: ProcessGroup = ProcessGroup(),
        report: @escaping (TrainingEvent) -> Void = { _ in }
    ) async throws {
        try configuration.check()
        try group.checkShares(of: configuration.batchSize)
        self.configuration = configuration
        self.report = report
        self.group = group
        let (location, language) = try ModelLocation.resolve(configuration.model)
        checkpoints = RunCheckpoints(output: configuration.output, kept: configuration.keepCheckpoints)
        if !resume, !checkpoints.all.isEmpty { throw TrainingError.outputInUse(configuration.output) }

        weights = try TrainingWeights(location, language, configuration)
        guard !weights.names.isEmpty else {
            throw TrainingError.nothingTrainable(patterns: configuration.trainable.map(\.pattern.text))
        }
        if configuration.lossWeights.speech != 0, !weights.hasGenerator {
            throw TrainingError.missingPart("the checkpoint has no speech generator to train: \(location.model)")
        }
        data = try TrainingData(configuration.data)
        var reading = SampleEncoder.Settings()
        reading.maximumTokens = configuration.maximumTokens
        reading.requiresUnits = configuration.lossWeights.speech != 0 && configuration.lossWeights.answer == 0
        encoder = try SampleEncoder(location, language, settings: reading)
        var settings = BatchPlan.Settings(size: .samples(configuration.batchSize / group.size))
        (settings.seed, settings.groupsByLength) = (configuration.seed, configuration.groupsByLength)
        (settings.rank, settings.worldSize) = (group.rank, group.size)
        // Batches are so many samples each: lengths only say which go together.
        let lengths =
            configuration.groupsByLength
            ? try await SampleLengths.measure(data, encoder, cache: configuration.cache) : SampleLengths(Array(repeating: 1, count: data.count))
        plan = BatchPlan(data, lengths, settings)
        let all = plan.steps(epochs: configuration.epochs)
        totalSteps = min(configuration.maximumSteps ?? all, all)
        step = try TrainingStep(configuration, weights, steps: totalSteps, group)
        state.fingerprint = fingerprint()
        if resume, let found = try checkpoints.load(into: &weights.trainable, &step.optimizer) {
            guard found.fingerprint == state.fingerprint else {
                throw TrainingError.unusableCheckpoint(
                    path: checkpoints.folder, reason: "it belongs to a run with other data, batches or trainable parts")
            }
            state = found
        }
    }

    /// What must be equal for a resumed run to go on as the interrupted one would have, but for where it ends.
    private func fingerprint() -> String {
        "samples \(plan.samplesPerEpoch), batch \(configuration.batchSize), seed \(configuration.seed), "
            + "tensors \(weights.names.count), parameters \(weights.names.reduce(0) { $0 + (weights.trainable[$1]?.size ?? 0) })"
    }

    /// Trains to the end and writes the result. Cancellation stops after the step at hand, with a checkpoint.
    public func run() async throws -> TrainingSummary {
        try FileManager.default.createDirectory(atPath: configuration.output, withIntermediateDirectories: true)
        let log = group.isFirst ? try MetricsLog(configuration.output + "/metrics.jsonl", steps: state.step) : nil
        if group.isFirst {
            try configuration.json().write(to: URL(fileURLWithPath: configuration.output + "/training.json"), options: .atomic)
        }
        report(
            .began(
                TrainingOverview(
                    samples: plan.samplesPerEpoch, steps: totalSteps, done: state.step,
                    trainableParameters: weights.names.reduce(0) { $0 + (weights.trainable[$1]?.size ?? 0) },
                    trainableTensors: weights.names.count)))
        let loader = BatchLoader(data, encoder, plan, deal: configuration.groupsByLength ? nil : StepDeal(weights.configuration, extractor: configuration.extractor))
        let batches = loader.batches(from: state.position, epochs: configuration.epochs).makeAsyncIterator()
        let clock = ContinuousClock()
        do {
            while state.step < totalSteps {
                let began = clock.now
                guard let batch = try await uninterrupted({ try await batches.next() }) else { break }
                for bad in batch.skipped { skip(bad.id ?? "\(bad.file)[\(bad.index)]", bad.localizedDescription) }
                var metrics = try take(batch)
                metrics.seconds = (clock.now - began) / .seconds(1)
                state.seconds += metrics.seconds
                if let every = configuration.validateEvery, state.step % every == 0 || state.step == totalSteps {
                    metrics.validation = try validate()
                }
                try log?.append(metrics)
                report(.step(metrics, of: totalSteps))
                if state.step % configuration.checkpointEvery == 0, state.step < totalSteps { try save() }
            }
        } catch is CancellationError {
            try save()
            throw CancellationError()
        }
        try save()
        var written = [configuration.output + "/metrics.jsonl"]
        if let log {
            let plot = configuration.output + "/losses.svg"
            try Data(LossPlot.svg(log.lines).utf8).write(to: URL(fileURLWithPath: plot), options: .atomic)
            written.append(plot)
            written += try writeResult()
        }
        return TrainingSummary(steps: state.step, last: log?.lines.last, skipped: state.skipped, written: written)
    }

    /// What `load` gives, unless the run is to stop. Then the other processes are told, who wait in the next step's sums.
    private func uninterrupted(_ load: () async throws -> LoadedBatch?) async throws -> LoadedBatch? {
        do {
            let batch = try await load()
            try Task.checkCancellation()
            return batch
        } catch let error as CancellationError {
            var totals = StepTotals()
            totals.stops = 1
            _ = try group.sum(totals)
            throw error
        }
    }

    private func skip(_ id: String, _ reason: String) {
        state.skipped += 1
        report(.skipped(id: id, reason: reason))
    }

    /// One step; `state` moves on only when it is done.
    private func take(_ batch: LoadedBatch) throws -> StepMetrics {
        let micro = try step.microBatches(batch.samples) { error in
            if case .badSample(let id, let reason) = error { skip(id, reason) } else { skip("?", error.localizedDescription) }
        }
        let outcome = try step.update(micro, step: state.step)
        let loss = outcome.losses.total
        if let recent = state.explosion(loss, factor: configuration.explosionFactor) {
            throw TrainingError.exploding(loss: loss, recent: recent, step: state.step + 1, samples: batch.samples.map(\.id))
        }
        state.step += 1
        state.position = batch.next
        state.tokens += outcome.tokens
        state.samples += outcome.samples
        return StepMetrics(
            step: state.step, epoch: batch.position.epoch, losses: outcome.losses, learningRate: outcome.learningRate,
            gradientNorm: outcome.gradientNorm, samples: outcome.samples, tokens: outcome.tokens, skipped: state.skipped,
            seconds: 0)
    }

    private func save() throws {
        let optimizer = try step.optimizer.state()
        guard group.isFirst else { return }
        try checkpoints.save(state, weights: weights.trainable, optimizer: optimizer)
        report(.checkpoint(step: state.step, path: checkpoints.folder))
    }

    /// Measures on the validation data, or where there is none on the training data: 1,000 of its samples, if it has more.
    public func validate() throws -> StepMetrics.Validation {
        let source = configuration.validation.isEmpty ? data : try TrainingData(configuration.validation)
        let count = configuration.validation.isEmpty ? min(source.count, 1_000) : source.count
        let samples = try (0..<count).compactMap { number in
            do { return try source.sample(number * source.count / count, encoder) } catch is BadSample { return nil }
        }
        return try step.evaluate(step.microBatches(samples) { _ in })
    }

    /// Adapters, projectors and other weights that trained, where `lyra ask` finds them.
    private func writeResult() throws -> [String] {
        try TrainingResult(configuration: configuration, weights: weights).write()
    }
}
