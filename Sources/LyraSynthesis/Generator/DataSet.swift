// Writes the data files of the small world: in shards, on several threads, each item once.
import Foundation
import LyraMedia
import Synchronization

/// What is to be generated.
public struct SynthesisPlan: Sendable {
    public var folder: String
    public var splits: [Split]
    public var seed: UInt64 = 0
    public var jobs = 2
    /// FLAC or Opus.
    public var audio = AudioFormat.flac
    /// Items of each file of training, by the file's name.
    public var counts: [String: Int] = [:]
    /// Items of each file of validation and test.
    public var heldOut = 200
    /// Questions about one picture in `pictures`.
    public var questionsPerPicture = 4

    public init(folder: String, splits: [Split]) { (self.folder, self.splits) = (folder, splits) }

    /// Names of the files of training, with their usual counts.
    public static let files: [(name: String, count: Int)] = [
        ("pictures", 20_000), ("spoken", 20_000), ("transcription", 20_000),
    ]

    func files(of split: Split) -> [DataFile] {
        switch split {
        case .train:
            let make: [String: @Sendable (inout Item) -> Void] = [
                "pictures": Recipes.pictures(questions: questionsPerPicture), "spoken": Recipes.spokenPicture(.train),
                "transcription": Recipes.transcription(.train),
            ]
            return Self.files.compactMap { file in
                make[file.name].map { DataFile(name: file.name, count: counts[file.name] ?? file.count, make: $0) }
            }
        case .validation:
            return [
                DataFile(name: "pictures", count: heldOut, make: Recipes.pictures(questions: 1, ability: "picture_text")),
                DataFile(name: "spoken", count: heldOut, make: Recipes.spokenPicture(.validation, ability: "picture_speech")),
                DataFile(name: "transcription", count: heldOut, make: Recipes.transcription(.validation, ability: "transcription")),
            ]
        case .test:
            return [
                DataFile(name: "picture_text", count: heldOut, make: Recipes.pictures(questions: 1, ability: "picture_text")),
                DataFile(name: "picture_speech_seen", count: heldOut, make: Recipes.spokenPicture(.train, ability: "picture_speech_seen")),
                DataFile(
                    name: "picture_speech_heldout", count: heldOut,
                    make: Recipes.spokenPicture(.test, ability: "picture_speech_heldout")),
                DataFile(name: "transcription", count: heldOut, make: Recipes.transcription(.test, ability: "transcription")),
            ]
        }
    }
}

/// Data that cannot be generated here.
public enum SynthesisError: Error, LocalizedError, Equatable {
    /// The folder holds data of another seed or format.
    case otherData(folder: String, holds: String, wanted: String)
    case cannotWrite(path: String, reason: String)

    public var errorDescription: String? {
        switch self {
        case .otherData(let folder, let holds, let wanted):
            "\(folder) holds data made with \(holds), not \(wanted); choose another folder, or the same settings to go on"
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
    static let shardSize = 200
    /// Part of every folder's settings: a new version of the world is not mixed with an old one.
    static let version = 1

    /// What has been written.
    public struct Summary: Sendable {
        public var items = 0, kept = 0, pictures = 0, utterances = 0
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
        var range: Range<Int> { number * shardSize..<min((number + 1) * shardSize, file.count) }
    }

    /// Generates all that is not there yet. Shards are begun in order and written completely or not at all, so that a run that
    /// was ended is gone on with.
    public static func write(
        _ plan: SynthesisPlan, onProgress: @escaping @Sendable (SynthesisProgress) -> Void = { _ in }
    ) async throws -> Summary {
        try SpeechSynthesiser.requireEngines()
        try prepare(plan)
        var shards: [Shard] = [], kept = 0
        for split in plan.splits {
            for file in plan.files(of: split) where file.count > 0 {
                for number in 0..<((file.count + shardSize - 1) / shardSize) {
                    let shard = Shard(split: split, file: file, number: number)
                    if ShardFiles(plan.folder, shard).isComplete { kept += shard.range.count } else { shards.append(shard) }
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
                        let synthesiser = try SpeechSynthesiser()
                        while let shard = queue.next(onProgress) {
                            try ShardWriter(plan: plan, shard: shard, synthesiser: synthesiser).write {
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
        for split in plan.splits { summary.files += try ShardFiles.join(plan, split) }
        return summary
    }

    /// Makes the folder, or checks that what is in it goes with the plan.
    private static func prepare(_ plan: SynthesisPlan) throws(SynthesisError) {
        let settings = "version \(version), seed \(plan.seed), \(plan.audio)"
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
            state.summary.utterances += more.utterances
            state.summary.soundSeconds += more.soundSeconds
            state.summary.bytes += more.bytes
            if state.isCancelled { return nil }
            return SynthesisProgress(done: kept + state.summary.items, total: total, kept: kept, file: state.file)
        }
        guard let progress else { throw CancellationError() }
        report(progress)
    }
}
