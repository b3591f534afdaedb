// Lengths of all samples, found out once before training and kept in a file.
import Foundation
import LyraText

/// How many tokens each sample has, by number; what ``BatchPlan`` groups by. A sample that could not be measured has 1.
public struct SampleLengths: Sendable, Equatable {
    public var values: [Int32]
    public init(_ values: [Int32]) { self.values = values }

    /// Measures all samples by their text and the headers of their media files, on `workers` threads; or reads what an
    /// earlier run left in `cache`, a folder, if neither data nor settings have changed.
    /// - Parameter progress: samples done, from any thread.
    /// - Throws: ``DataFileError``, `CancellationError`. Bad samples are no error here; they come up when they are loaded.
    public static func measure(
        _ data: TrainingData, _ encoder: SampleEncoder, cache: String? = nil,
        workers: Int = ProcessInfo.processInfo.activeProcessorCount, progress: @Sendable (Int) -> Void = { _ in }
    ) async throws -> SampleLengths {
        let key = Self.key(data, encoder)
        let file = cache.map { $0 + "/lengths-" + String(hash(key), radix: 16) + ".bin" }
        if let file, let kept = read(file, key: key, count: data.count) { return SampleLengths(kept) }
        let values = try await SampleWork.map(data.count, workers: workers, progress: progress) { index -> Int32 in
            do {
                return Int32(clamping: max(1, try data.length(index, encoder)))
            } catch is BadSample {
                return 1
            }
        }
        if let cache, let file {
            // The lengths are there; that they cannot be kept is no reason to stop.
            try? FileManager.default.createDirectory(atPath: cache, withIntermediateDirectories: true)
            try? contents(values, key: key).write(to: URL(fileURLWithPath: file), options: .atomic)
        }
        return SampleLengths(values)
    }

    // MARK: Cache

    /// All that lengths depend on, save the media files themselves.
    private static func key(_ data: TrainingData, _ encoder: SampleEncoder) -> String {
        let files = data.parts.map {
            "\($0.file.path) \($0.file.fingerprint) \($0.folders) \($0.source.independentTurns) \($0.count)"
        }
        let rules = "\(encoder.media.preparation) \(encoder.mediaTokens) \(encoder.settings)"
        // Stands for the vocabulary: what it makes of some text.
        let text = encoder.tokenizer.encode("The five boxing wizards jump quickly. 0123 你好 déjà vu!\n\n    return x_1;")
        return (files + [rules, "\(encoder.tokenizer.vocabularySize) \(text)"]).joined(separator: "\n")
    }

    /// FNV-1a.
    private static func hash(_ text: String) -> UInt64 {
        text.utf8.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
    }

    private static func contents(_ values: [Int32], key: String) -> Data {
        var data = Data("lyra lengths 1\n\(key.utf8.count)\n\(key)\n".utf8)
        values.withUnsafeBytes { data.append(contentsOf: $0) }
        return data
    }

    private static func read(_ path: String, key: String, count: Int) -> [Int32]? {
        let empty = contents([], key: key)
        guard let data = try? Data(contentsOf: URL(fileURLWithPath: path)), data.count == empty.count + 4 * count,
            data.starts(with: empty)
        else { return nil }
        let values = [Int32](unsafeUninitializedCapacity: count) { buffer, filled in
            filled = data.copyBytes(to: UnsafeMutableRawBufferPointer(buffer), from: empty.count..<data.count) / 4
        }
        return values.allSatisfy { $0 >= 1 } ? values : nil
    }
}

/// Work on many samples on threads of its own: decoding blocks its thread, which the cooperative pool must not.
enum SampleWork {
    /// Calls `body` for 0..<count; results in order.
    static func map<Result: Sendable>(
        _ count: Int, workers: Int, progress: @Sendable (Int) -> Void, _ body: @escaping @Sendable (Int) throws -> Result
    ) async throws -> [Result] {
        let executor = DecodingExecutor(threads: workers)
        let piece = max(1, min(64, count / (4 * max(1, workers))))
        return try await withThrowingTaskGroup(of: (Int, [Result]).self) { group in
            var next = 0, done = 0
            var results = [[Result]](repeating: [], count: (count + piece - 1) / piece)
            func add() {
                guard next < count else { return }
                let range = next..<min(count, next + piece)
                next = range.upperBound
                group.addTask(executorPreference: executor) {
                    (range.lowerBound / piece, try range.map { index in
                        try Task.checkCancellation()
                        return try body(index)
                    })
                }
            }
            for _ in 0..<max(1, workers) { add() }
            while let (number, part) = try await group.next() {
                results[number] = part
                done += part.count
                progress(done)
                add()
            }
            return results.flatMap { $0 }
        }
    }
}

/// A fixed number of threads for decoding.
final class DecodingExecutor: TaskExecutor {
    private let queue: OperationQueue

    init(threads: Int) {
        queue = OperationQueue()
        queue.name = "lyra.decoding"
        queue.maxConcurrentOperationCount = max(1, threads)
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        queue.addOperation { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}
