// Writes the data files of the small world: in shards, on several threads, each item once.
import Foundation
import LyraMedia
import Synchronization

/// Data that cannot be generated here.
public enum SynthesisError: Error, LocalizedError, Equatable {
    /// The folder holds data of another seed or format.
    case otherData(folder: String, holds: String, wanted: String)
    case cannotWrite(path: String, reason: String)
    case noDigits(folder: String)
    case noSuchFile(String)

    public var errorDescription: String? {
        switch self {
        case .otherData(let folder, let holds, let wanted):
            "\(folder) holds data made with \(holds), not \(wanted); choose another folder, or the same settings to go on"
        case .noSuchFile(let name): "there is no data file '\(name)' in what is to be made"
        case .noDigits(let folder):
            "\(folder) has no recordings of digits by several people (free-spoken-digits.tar.gz, or files like 7_jackson_12.wav)"
        case .cannotWrite(let path, let reason): "cannot write \(path): \(reason)"
        }
    }
}

/// How far the work is.
public struct SynthesisProgress: Sendable {
    /// Items, of all files.
    public var done, total: Int
    /// Items that were there already.
    public var kept: Int
    /// "train/spoken", the file of the last shard that was begun.
    public var file: String
}

/// Generates data sets.
public enum DataSet {
    /// Part of every folder's settings: a new version of the world is not mixed with an old one.
    static let version = 9

    /// What has been written.
    public struct Summary: Sendable {
        public var items = 0, kept = 0, pictures = 0, videos = 0, utterances = 0, recordings = 0
        public var seconds = 0.0
        public var soundSeconds = 0.0
        public var bytes = 0
        /// Data files, each with its number of items.
        public var files: [(path: String, count: Int)] = []
    }

    struct Shard: Sendable {
        var split: Split
        var file: DataFile
        var number: Int
        var range: Range<Int> { number * file.shardSize..<min((number + 1) * file.shardSize, file.count) }
    }

    /// Generates all that is not there yet. Shards are begun in order and written completely or not at all, so that a run that
    /// was ended is gone on with.
    public static func write(
        _ plan: SynthesisPlan, onProgress: @escaping @Sendable (SynthesisProgress) -> Void = { _ in }
    ) async throws -> Summary {
        let files = try plan.files()
        if !plan.isWritten, files.contains(where: { $0.files.contains { [.words, .voices].contains($0.sound) } }) {
            try SpeechSynthesiser.requireEngines(more: plan.hasMoreVoices)
        }
        try prepare(plan)
        var shards: [Shard] = [], kept = 0
        for (split, files) in files {
            for file in files {
                for number in 0..<file.shardCount {
                    let shard = Shard(split: split, file: file, number: number)
                    if ShardFiles(plan.folder, split, file, number).isComplete { kept += shard.range.count } else { shards.append(shard) }
                }
            }
        }
        let total = shards.reduce(kept) { $0 + $1.range.count }
        let queue = WorkQueue(shards, total: total, kept: kept)
        let began = ContinuousClock.now
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<max(1, min(plan.jobs, shards.count)) {
                group.addTask {
                    try await onThread(queue) {
                        let synthesiser = plan.isWritten ? nil : try SpeechSynthesiser()
                        while let shard = queue.next(onProgress) {
                            try ShardWriter(plan, shard, synthesiser).write {
                                try queue.advance($0, onProgress)
                            }
                        }
                    }
                }
            }
            try await group.waitForAll()
        }
        var summary = queue.summary
        summary.kept = kept
        summary.seconds = (ContinuousClock.now - began) / .seconds(1)
        for (split, files) in files { summary.files += try ShardFiles.join(plan.folder, split, files, areAll: plan.only == nil) }
        return summary
    }

    /// Makes the folder, or checks that what is in it goes with the plan.
    private static func prepare(_ plan: SynthesisPlan) throws(SynthesisError) {
        let settings = "version \(version), seed \(plan.seed), \(plan.isWritten ? "written" : "\(plan.audio)")\(plan.hasMoreVoices ? ", more voices" : "")"
        let path = plan.folder + "/settings.txt"
        do {
            try FileManager.default.createDirectory(atPath: plan.folder, withIntermediateDirectories: true)
            if let held = try? String(contentsOfFile: path, encoding: .utf8) {
                let holds = held.trimmingCharacters(in: .whitespacesAndNewlines)
                guard holds == settings else { throw SynthesisError.otherData(folder: plan.folder, holds: holds, wanted: settings) }
            } else {
                try Data((settings + "\n").utf8).write(to: URL(fileURLWithPath: path), options: .atomic)
            }
        } catch let error as SynthesisError {
            throw error
        } catch {
            throw .cannotWrite(path: path, reason: error.localizedDescription)
        }
    }

    /// Runs blocking work on a thread of its own; `queue` learns of cancellation.
    private static func onThread(_ queue: WorkQueue, _ body: @escaping @Sendable () throws -> Void) async throws {
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
                Thread.detachNewThread { continuation.resume(with: Result(catching: body)) }
            }
        } onCancel: {
            queue.cancel()
        }
    }
}

/// The shards that are left, and what has been done.
private final class WorkQueue: Sendable {
    private struct State {
        var shards: ArraySlice<DataSet.Shard>
        var file = ""
        var isCancelled = false
        var summary = DataSet.Summary()
    }
    private let state: Mutex<State>
    private let total, kept: Int

    init(_ shards: [DataSet.Shard], total: Int, kept: Int) {
        state = Mutex(State(shards: shards[...]))
        (self.total, self.kept) = (total, kept)
    }

    var summary: DataSet.Summary { state.withLock { $0.summary } }
    func cancel() { state.withLock { $0.isCancelled = true } }

    func next(_ report: (SynthesisProgress) -> Void) -> DataSet.Shard? {
        let (shard, done) = state.withLock { state in
            let shard = state.isCancelled ? nil : state.shards.popFirst()
            if let shard { state.file = "\(shard.split)/\(shard.file.name)" }
            return (shard, state.summary.items)
        }
        if let shard { report(SynthesisProgress(done: kept + done, total: total, kept: kept, file: "\(shard.split)/\(shard.file.name)")) }
        return shard
    }

    /// Adds what a worker has done. Throws where the work is to stop.
    func advance(_ more: DataSet.Summary, _ report: (SynthesisProgress) -> Void) throws {
        let progress = state.withLock { state -> SynthesisProgress? in
            state.summary.items += more.items
            state.summary.pictures += more.pictures
            state.summary.videos += more.videos
            state.summary.utterances += more.utterances
            state.summary.recordings += more.recordings
            state.summary.soundSeconds += more.soundSeconds
            state.summary.bytes += more.bytes
            if state.isCancelled { return nil }
            return SynthesisProgress(done: kept + state.summary.items, total: total, kept: kept, file: state.file)
        }
        guard let progress else { throw CancellationError() }
        report(progress)
    }
}
