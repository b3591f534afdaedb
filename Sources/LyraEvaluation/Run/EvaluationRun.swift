// Asks a model all items of a benchmark, one after the other, and keeps what comes back.
import Foundation
import Lyra
import LyraMedia

/// How far a run is.
public struct RunProgress: Sendable {
    public var done: Int
    public var total: Int
    /// Items that were there already when this process began.
    public var resumed: Int
    public var failed: Int
    /// The item that was asked last, if it failed.
    public var failure: (id: String, error: String)?
}

/// A run that cannot go on.
public enum EvaluationError: Error, LocalizedError, Equatable {
    case noItems(String)
    case nothingWorks(count: Int, first: String)
    case unknownBenchmark(String, known: [String])
    case unreadable(path: String, reason: String)
    case invalid(String)

    public var errorDescription: String? {
        switch self {
        case .noItems(let place): "there is nothing to ask in \(place)"
        case .nothingWorks(let count, let first): "none of the first \(count) items can be asked. The first: \(first)"
        case .unknownBenchmark(let name, let known): "there is no benchmark '\(name)'; there are \(known.joined(separator: ", "))"
        case .unreadable(let path, let reason): "cannot read \(path): \(reason)"
        case .invalid(let message): message
        }
    }
}

/// A run over the items of a benchmark.
public struct EvaluationRun {
    let benchmark: any Benchmark
    let items: [EvaluationItem]
    let responder: any Responder
    let folder: RunFolder
    /// Listens to spoken replies; several may.
    let recognisers: [any Recogniser]
    let judge: (any Judge)?

    /// So many failures at the beginning, without a single success, mean that something is wrong with the set-up.
    static let patience = 20

    public init(
        _ benchmark: any Benchmark, items: [EvaluationItem], responder: any Responder, folder: RunFolder,
        recognisers: [any Recogniser] = [], judge: (any Judge)? = nil
    ) {
        (self.benchmark, self.items, self.responder, self.folder) = (benchmark, items, responder, folder)
        (self.recognisers, self.judge) = (recognisers, judge)
    }

    /// Asks what has not been asked. Writes the summary, and whatever files the benchmark hands in elsewhere.
    @discardableResult
    public func run(onProgress: (RunProgress) -> Void = { _ in }) async throws -> RunSummary {
        guard !items.isEmpty else { throw EvaluationError.noItems(folder.settings.data) }
        var progress = RunProgress(
            done: folder.records.count, total: items.count, resumed: folder.records.count,
            failed: folder.records.values.count { $0.error != nil })
        onProgress(progress)
        for (index, item) in items.enumerated() where isMine(index) && folder.records[index] == nil {
            try Task.checkCancellation()
            let record = try await ask(item, index)
            try folder.append(record)
            progress.done += 1
            if record.error != nil { progress.failed += 1 }
            progress.failure = record.error.map { (item.id, $0) }
            onProgress(progress)
            if progress.failed >= Self.patience, progress.failed == progress.done {
                let first = folder.records.values.min { $0.index < $1.index }
                throw EvaluationError.nothingWorks(count: progress.done, first: "\(first?.id ?? ""): \(first?.error ?? "")")
            }
        }
        progress.failure = nil
        try await judgeReplies(&progress, onProgress)
        return try finish()
    }

    /// Writes what is made of the items so far.
    @discardableResult
    public func finish() throws -> RunSummary {
        let records = RunFolder.items(of: folder.path)
        let summary = try RunSummary(folder.settings, records, total: items.count)
        for (name, data) in try benchmark.submissions(records) { try folder.write(data, to: name) }
        try folder.write(JSON.pretty(summary), to: RunFolder.summaryName)
        return summary
    }

    private func isMine(_ index: Int) -> Bool { folder.shard?.holds(index) ?? true }

    private func ask(_ item: EvaluationItem, _ index: Int) async throws -> ItemRecord {
        var record = ItemRecord(item, index: index)
        if let fault = item.fault {
            record.error = fault
            return record
        }
        do {
            let response = try await responder.respond(to: item)
            record.answer = response.replies.last ?? ""
            if response.replies.count > 1 { record.earlier = Array(response.replies.dropLast()) }
            (record.finishReason, record.adapter) = (response.finishReason, response.adapter)
            (record.timings, record.usage, record.evidence) = (response.timings, response.usage, response.evidence)
            if item.speaks { try await listen(response, &record) }
            let score = benchmark.score(record, item)
            record.score = score.score
            record.counts.merge(score.counts) { $1 }
        } catch let error as CancellationError {
            throw error
        } catch {
            try Task.checkCancellation()
            record.error = error.localizedDescription
        }
        record.peakMemory = ProcessMemory.peak
        return record
    }

    /// Keeps the sound of a reply, and counts how much of its text is heard in it.
    private func listen(_ response: ItemResponse, _ record: inout ItemRecord) async throws {
        var heard: [String: String] = [:]
        if !response.sound.isEmpty {
            let name = "spoken/\(record.index).mp3"
            try FileManager.default.createDirectory(atPath: "\(folder.path)/spoken", withIntermediateDirectories: true)
            let path = "\(folder.path)/\(name)"
            try AudioFile.write(response.sound, sampleRate: response.sampleRate, to: path, bitRate: 64_000)
            record.spoken = name
            if let text = try await responder.transcribe(path) { heard["model"] = text }
            for recogniser in recognisers { heard[recogniser.name] = try await recogniser.transcribe(path) }
        } else {
            // Silence says nothing.
            for name in ["model"] + recognisers.map(\.name) { heard[name] = "" }
        }
        record.heard = heard
        for (name, text) in heard {
            let said = EnglishNormalizer.normalise(record.answer), heard = EnglishNormalizer.normalise(text)
            let words = TextErrors.words(said, heard).counts, characters = TextErrors.characters(said, heard).counts
            guard words.length > 0 else { continue }
            // More errors than words would count other replies down.
            record.counts["\(name)_word_errors"] = Double(min(words.errors, words.length))
            record.counts["\(name)_words"] = Double(words.length)
            record.counts["\(name)_character_errors"] = Double(min(characters.errors, characters.length))
            record.counts["\(name)_characters"] = Double(characters.length)
        }
    }

    /// Has replies judged that only a judge can score, also those of an earlier run.
    private func judgeReplies(_ progress: inout RunProgress, _ onProgress: (RunProgress) -> Void) async throws {
        guard let judge else { return }
        for (index, item) in items.enumerated() where isMine(index) {
            guard var record = folder.records[index], record.error == nil, record.score == nil, !record.truth.isEmpty else { continue }
            try Task.checkCancellation()
            do {
                record.score = try await judge.score(record.answer, item)
            } catch let error as CancellationError {
                throw error
            } catch {
                progress.failure = (item.id, "no judgement: \(error.localizedDescription)")
                onProgress(progress)
                progress.failure = nil
                continue
            }
            try folder.append(record)
            onProgress(progress)
        }
    }
}

/// Gives free answers a score.
public protocol Judge: Sendable {
    /// 0...1
    func score(_ answer: String, _ item: EvaluationItem) async throws -> Double
}

/// Writes down what is said in a sound file.
public protocol Recogniser: Sendable {
    var name: String { get }
    func transcribe(_ path: String) async throws -> String
}

enum ProcessMemory {
    /// Most memory that the process has held so far, in bytes.
    static var peak: Int? {
        guard let text = try? String(contentsOfFile: "/proc/self/status", encoding: .utf8),
            let line = text.split(separator: "\n").first(where: { $0.hasPrefix("VmHWM:") }),
            let kilobytes = line.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap({ Int($0) })
        else { return nil }
        return kilobytes << 10
    }
}
