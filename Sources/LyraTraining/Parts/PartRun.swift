// The run of a stage that trains one network by itself: steps, checkpoints, metrics, resumption. Knows no network.
import Foundation
import LyraModel
import MLX

/// A network and its loss, as a run trains it. Used by one task at a time.
protocol PartTraining: AnyObject {
    /// What a step takes; made beside the steps, on threads of its own, from nothing but the step's number and who takes which samples.
    associatedtype Batch: Sendable
    /// Float32 weights to begin with, by name.
    var parameters: [String: MLXArray] { get }
    /// What must be equal for a resumed run to go on as the interrupted one would have.
    var fingerprint: String { get }
    var loader: @Sendable (_ step: Int, _ share: BatchShare) throws -> Batch { get }
    /// Parts of the loss, by name; the first is minimised, the others are told of.
    var lossNames: [String] { get }
    /// Changes weights before the first step of a run that begins.
    func begin(_ weights: inout [String: MLXArray]) throws
    func losses(_ batch: Batch, _ weights: [String: MLXArray]) throws -> [MLXArray]
    /// What is measured on the validation data.
    func validate(_ weights: [String: MLXArray]) throws -> [String: Double]
    /// Writes the result; gives what was written.
    func write(_ weights: [String: MLXArray], to output: String, steps: Int) throws -> [String]
}

/// The samples of every batch that one of several processes takes: each its own, in turns, so that those of about one length are spread.
struct BatchShare: Sendable {
    var rank = 0
    var size = 1

    func holds(_ sample: Int) -> Bool { sample % size == rank }
}

extension PartTraining {
    func begin(_ weights: inout [String: MLXArray]) throws {}
}

/// What a step of such a run did: a line of metrics.jsonl.
public struct PartMetrics: Sendable, Codable, Equatable {
    /// Counted from 1.
    public var step: Int
    public var losses: [String: Float]
    public var learningRate: Double
    /// Before clipping.
    public var gradientNorm: Double
    public var seconds: Double
    public var validation: [String: Double]?

    enum CodingKeys: String, CodingKey {
        case step, losses, seconds, validation
        case learningRate = "learning_rate"
        case gradientNorm = "gradient_norm"
    }
}

/// What a run tells while it goes on.
public enum PartEvent: Sendable {
    case began(parameters: Int, done: Int, steps: Int)
    case step(PartMetrics, of: Int)
}

/// Trains one part to the end, or until the task is cancelled; by several processes, of which the first measures and writes.
struct PartRun<Training: PartTraining> {
    let settings: PartSettings
    let group: ProcessGroup
    let training: Training
    /// The configuration as it is written into the output folder.
    let configuration: Data
    let report: (PartEvent) -> Void

    func run(resume: Bool) async throws -> [String] {
        let checkpoints = RunCheckpoints(output: settings.output, kept: settings.keepCheckpoints)
        if !resume, !checkpoints.all.isEmpty { throw TrainingError.outputInUse(settings.output) }
        var weights = training.parameters
        var optimizer = settings.optimizer.make(betas: settings.betas, epsilon: settings.epsilon)
        var state = RunState()
        state.fingerprint = "\(training.fingerprint), batch \(settings.batchSize), seed \(settings.seed)"
        if resume, let found = try checkpoints.load(into: &weights, &optimizer) {
            guard found.fingerprint == state.fingerprint else {
                throw TrainingError.unusableCheckpoint(
                    path: checkpoints.folder, reason: "it belongs to a run with other data, batches or sizes")
            }
            state = found
        } else {
            try training.begin(&weights)
        }
        try FileManager.default.createDirectory(atPath: settings.output, withIntermediateDirectories: true)
        let log = group.isFirst ? try PartLog(settings.output + "/metrics.jsonl", steps: state.step) : nil
        if group.isFirst { try configuration.write(to: URL(fileURLWithPath: settings.output + "/training.json"), options: .atomic) }
        func save() throws {
            if group.isFirst { try checkpoints.save(state, weights: weights, optimizer: optimizer.state()) }
        }
        report(
            .began(
                parameters: weights.values.reduce(0) { $0 + $1.size }, done: state.step, steps: settings.steps))

        let share = BatchShare(rank: group.rank, size: group.size)
        var batches = Prefetch(from: state.step, to: settings.steps, threads: settings.loadingThreads) { [loader = training.loader] step in
            try loader(step, share)
        }
        let clock = ContinuousClock()
        do {
            while state.step < settings.steps {
                let began = clock.now
                let batch = try await batches.next()
                try group.goOn()
                var metrics = try step(state.step, batch, &weights, &optimizer)
                state.step += 1
                metrics.seconds = (clock.now - began) / .seconds(1)
                state.seconds += metrics.seconds
                if let log {
                    if let every = settings.validateEvery, state.step % every == 0 || state.step == settings.steps {
                        // Where the run is to stop, the others wait to be told in the next step.
                        do { metrics.validation = try training.validate(weights) } catch is CancellationError {}
                    }
                    try log.append(metrics)
                }
                report(.step(metrics, of: settings.steps))
                if state.step % settings.checkpointEvery == 0, state.step < settings.steps { try save() }
            }
        } catch is CancellationError {
            try save()
            throw CancellationError()
        }
        try save()
        guard let log else { return [] }
        let plot = settings.output + "/losses.svg"
        try Data(log.svg(training.lossNames).utf8).write(to: URL(fileURLWithPath: plot), options: .atomic)
        return try [settings.output + "/metrics.jsonl", plot] + training.write(weights, to: settings.output, steps: state.step)
    }

    private func step(
        _ step: Int, _ batch: Training.Batch, _ weights: inout [String: MLXArray], _ optimizer: inout any Optimizer
    ) throws -> PartMetrics {
        let names = weights.keys.sorted()
        let function = valueAndGrad(
            { [training] arrays in
                try training.losses(batch, Dictionary(uniqueKeysWithValues: zip(names, arrays)))
            }, argumentNumbers: Array(names.indices))
        var (values, gradients) = try function(names.compactMap { weights[$0] })
        if let processes = group.processes {
            let means = try GradientReduction(processes).mean(values + gradients)
            (values, gradients) = (Array(means[..<values.count]), Array(means[values.count...]))
        }
        try checkedEval(values + gradients)
        let losses = values.map { $0.item(Float.self) }
        guard losses[0].isFinite else { throw TrainingError.notFinite(what: "loss", step: step + 1, samples: []) }
        let named = Dictionary(uniqueKeysWithValues: zip(names, gradients))
        let norm = AdamW.norm(named)
        guard norm.isFinite else { throw TrainingError.notFinite(what: "gradient", step: step + 1, samples: []) }
        let clip = settings.gradientClip, rate = settings.learningRate * settings.rateFactor(step)
        try optimizer.update(&weights, named, scale: clip > 0 ? min(1, clip / (norm + 1e-6)) : 1) { name in
            // Vectors are biases and the scales of norms, which decay does not suit.
            (rate, training.parameters[name]?.ndim ?? 1 > 1 ? settings.weightDecay : 0)
        }
        return PartMetrics(
            step: step + 1, losses: Dictionary(uniqueKeysWithValues: zip(training.lossNames, losses)), learningRate: rate,
            gradientNorm: norm, seconds: 0)
    }
}

/// Batches in the order of their steps, made ahead of the step that takes them.
private struct Prefetch<Batch: Sendable> {
    private let executor: DecodingExecutor
    private let end: Int
    private let make: @Sendable (Int) throws -> Batch
    private var upcoming: Int
    private var running: [Task<Batch, any Error>] = []
    private let ahead: Int

    init(from start: Int, to end: Int, threads: Int, _ make: @escaping @Sendable (Int) throws -> Batch) {
        (upcoming, self.end, self.make, ahead) = (start, end, make, threads + 1)
        executor = DecodingExecutor(threads: threads)
    }

    mutating func next() async throws -> Batch {
        while running.count <= ahead, upcoming < end {
            let (make, step) = (make, upcoming)
            running.append(Task(executorPreference: executor) { try make(step) })
            upcoming += 1
        }
        return try await running.removeFirst().value
    }
}

/// metrics.jsonl and the curves drawn from it.
private final class PartLog {
    private let handle: FileHandle
    private var lines: [PartMetrics]

    /// Lines of later steps than `steps`, which a resumed run repeats, are dropped.
    init(_ path: String, steps: Int) throws {
        let url = URL(fileURLWithPath: path)
        let text = steps > 0 ? (try? String(contentsOf: url, encoding: .utf8)) ?? "" : ""
        lines = text.split(separator: "\n").compactMap { try? JSONDecoder().decode(PartMetrics.self, from: Data($0.utf8)) }
            .filter { $0.step <= steps }
        try Self.text(lines).write(to: url, options: .atomic)
        handle = try FileHandle(forWritingTo: url)
        try handle.seekToEnd()
    }

    func append(_ metrics: PartMetrics) throws {
        lines.append(metrics)
        try handle.write(contentsOf: Self.text([metrics]))
    }

    private static func text(_ lines: [PartMetrics]) throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        return try lines.reduce(into: Data()) { $0 += try encoder.encode($1) + Data("\n".utf8) }
    }

    func svg(_ names: [String]) -> String {
        let colors = ["#1f2937", "#2563eb", "#d97706", "#059669", "#7c3aed", "#0891b2"]
        let validation = Set(lines.flatMap { $0.validation.map { Array($0.keys) } ?? [] }).sorted()
        let parts = names.enumerated().map { place, name in
            LossPlot.Curve(name: name, color: colors[place % colors.count], points: lines.compactMap { line in
                line.losses[name].map { (Double(line.step), Double($0)) }
            })
        }
        return LossPlot.svg(parts + validation.map { name in
            LossPlot.Curve(name: "validation \(name)", color: "#dc2626", points: lines.compactMap { line in
                line.validation?[name].map { (Double(line.step), $0) }
            })
        })
    }
}
