// Batches in the plan's order, decoded ahead of the step that takes them.
import Foundation
import LyraMedia

/// A batch, ready to be trained on.
public struct LoadedBatch: Sendable {
    /// The step it belongs to.
    public var position: BatchPosition
    /// Which of the step's batches of this rank.
    public var accumulation: Int
    public var isLastOfStep: Bool
    /// Where to go on after this batch's step.
    public var next: BatchPosition
    /// In the plan's order. Without those in ``skipped``; empty if all are bad or the plan has none for this rank, so that
    /// all ranks take the same steps.
    public var samples: [TrainingSample]
    public var skipped: [BadSample]
}

/// Loads the batches of a plan. Decoding happens on threads of its own while earlier batches are being trained on.
public struct BatchLoader: Sendable {
    let data: TrainingData
    let encoder: SampleEncoder
    let plan: BatchPlan
    let ahead: Int
    let threads: Int
    /// nil: samples are dealt out to ranks as the plan has them.
    let deal: StepDeal?
    let onSkip: @Sendable (BadSample) -> Void

    /// - Parameters:
    ///   - deal: deals the samples of a step out to ranks by their work, whoever of them the plan gives them to. Reads the headers of all.
    ///   - ahead: how many batches may be decoded, or be in decoding, besides the one in use: what memory is spent on.
    ///   - threads: how many samples are decoded at a time.
    ///   - onSkip: told of every bad sample, in the order of batches, when its batch is handed out.
    public init(
        _ data: TrainingData, _ encoder: SampleEncoder, _ plan: BatchPlan, ahead: Int = 2,
        threads: Int = max(1, ProcessInfo.processInfo.activeProcessorCount / 2), deal: StepDeal? = nil,
        onSkip: @escaping @Sendable (BadSample) -> Void = { _ in }
    ) {
        (self.data, self.encoder, self.plan) = (data, encoder, plan)
        (self.ahead, self.threads, self.deal, self.onSkip) = (max(1, ahead), threads, plan.settings.worldSize > 1 ? deal : nil, onSkip)
    }

    /// All batches from a position to the end of epoch `epochs - 1`. The same position gives the same batches. Ends early by
    /// a ``DataFileError`` if a data file is gone, or by cancellation.
    public func batches(from position: BatchPosition = BatchPosition(), epochs: Int) -> Batches {
        Batches(loader: self, start: position, epochs: epochs)
    }

    public struct Batches: AsyncSequence, Sendable {
        public typealias Element = LoadedBatch
        let loader: BatchLoader
        let start: BatchPosition
        let epochs: Int

        public func makeAsyncIterator() -> Iterator { Iterator(loader, start, epochs) }
    }

    /// Not for use by several tasks. Decoding under way is cancelled when the iterator goes.
    public final class Iterator: AsyncIteratorProtocol {
        private let loader: BatchLoader
        private let epochs: Int
        private let executor: DecodingExecutor
        private var upcoming: BatchPosition
        private var accumulation = 0
        private var epoch: BatchPlan.Epoch?
        /// Batches being decoded, next first.
        private var running: [Task<LoadedBatch, any Error>] = []

        init(_ loader: BatchLoader, _ start: BatchPosition, _ epochs: Int) {
            (self.loader, self.epochs, upcoming) = (loader, epochs, start)
            executor = DecodingExecutor(threads: loader.threads)
        }

        deinit { for task in running { task.cancel() } }

        public func next() async throws -> LoadedBatch? {
            while running.count <= loader.ahead, let task = begin() { running.append(task) }
            guard !running.isEmpty else { return nil }
            let tasks = running
            do {
                let batch = try await withTaskCancellationHandler {
                    try await tasks[0].value
                } onCancel: {
                    for task in tasks { task.cancel() }
                }
                try Task.checkCancellation()
                running.removeFirst()
                for bad in batch.skipped { loader.onSkip(bad) }
                return batch
            } catch {
                for task in running { task.cancel() }
                running = []
                upcoming = BatchPosition(epoch: epochs)
                throw error
            }
        }

        /// Starts decoding the next batch; nil at the end.
        private func begin() -> Task<LoadedBatch, any Error>? {
            while epoch?.number != upcoming.epoch || upcoming.step >= epoch?.steps ?? 0 {
                if epoch?.number == upcoming.epoch { upcoming = BatchPosition(epoch: upcoming.epoch + 1) }
                guard upcoming.epoch < epochs else { return nil }
                epoch = loader.plan.epoch(upcoming.epoch)
            }
            guard let epoch else { return nil }
            let ranks = loader.deal == nil ? [loader.plan.settings.rank] : Array(0..<loader.plan.settings.worldSize)
            let indices = ranks.flatMap { epoch.batch(step: upcoming.step, accumulation: accumulation, rank: $0) }
            let isLast = accumulation + 1 == loader.plan.settings.accumulation
            let after =
                upcoming.step + 1 < epoch.steps
                ? BatchPosition(epoch: upcoming.epoch, step: upcoming.step + 1) : BatchPosition(epoch: upcoming.epoch + 1)
            let batch = LoadedBatch(
                position: upcoming, accumulation: accumulation, isLastOfStep: isLast, next: after, samples: [], skipped: [])
            accumulation = isLast ? 0 : accumulation + 1
            if isLast { upcoming = after }
            return loader.start(indices, batch, executor)
        }
    }

    private func start(
        _ indices: [Int], _ batch: LoadedBatch, _ executor: DecodingExecutor
    ) -> Task<LoadedBatch, any Error> {
        Task(executorPreference: executor) { try await load(indices, into: batch) }
    }

    /// This rank's of the samples of all.
    private func dealt(_ indices: [Int], _ deal: StepDeal) async throws -> [Int] {
        let work = try await withThrowingTaskGroup(of: (Int, Double).self) { group in
            for (place, index) in indices.enumerated() {
                group.addTask {
                    do { return (place, try data.work(index, encoder, deal)) } catch is BadSample { return (place, 1) }
                }
            }
            return try await group.reduce(into: [Double](repeating: 0, count: indices.count)) { $0[$1.0] = $1.1 }
        }
        return StepDeal.deal(work, ranks: plan.settings.worldSize)[plan.settings.rank].map { indices[$0] }
    }

    private func load(_ all: [Int], into empty: LoadedBatch) async throws -> LoadedBatch {
        let indices = if let deal { try await dealt(all, deal) } else { all }
        var loaded = [Result<TrainingSample, BadSample>?](repeating: nil, count: indices.count)
        // Child tasks run on the executor of their parent.
        try await withThrowingTaskGroup(of: (Int, Result<TrainingSample, BadSample>).self) { group in
            for (place, index) in indices.enumerated() {
                group.addTask {
                    try Task.checkCancellation()
                    var version = SeededRandom(plan.settings.seed, "version", empty.position.epoch, empty.position.step, empty.accumulation, place, index)
                    do { return (place, .success(try data.sample(index, encoder, version: version.next()))) } catch let bad as BadSample {
                        return (place, .failure(bad))
                    }
                }
            }
            while let (place, result) = try await group.next() { loaded[place] = result }
        }
        var batch = empty
        for case let result? in loaded {
            switch result {
            case .success(let sample): batch.samples.append(sample)
            case .failure(let bad): batch.skipped.append(bad)
            }
        }
        return batch
    }
}
