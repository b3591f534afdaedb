// What a run comes to: scores, what failed, and what it cost.
import Foundation
import Lyra

/// The summary of a run; `summary.json`.
public struct RunSummary: Codable, Sendable {
    public struct Failure: Codable, Sendable, Equatable {
        public var id: String
        public var error: String
    }
    public struct Slice: Codable, Sendable, Equatable {
        /// "duration"
        public var of: String
        /// "short"
        public var name: String
        public var metric: MetricValue
    }
    /// Of one number over all items.
    public struct Spread: Codable, Sendable, Equatable {
        public var median: Double
        public var percentile95: Double
        public var largest: Double

        init?(_ values: [Double]) {
            guard !values.isEmpty else { return nil }
            let sorted = values.sorted()
            (median, percentile95) = (Bootstrap.quantile(sorted, 0.5), Bootstrap.quantile(sorted, 0.95))
            largest = sorted[sorted.count - 1]
        }
    }
    public struct Cost: Codable, Sendable, Equatable {
        public var firstTextSeconds: Spread?
        public var firstSoundSeconds: Spread?
        public var replySeconds: Spread?
        public var prefillTokensPerSecond: Spread?
        public var newTokensPerSecond: Spread?
        public var promptTokens: Spread?
        public var newTokens: Spread?
        public var totalSeconds = 0.0
        public var peakMemoryBytes: Int?
    }

    public var benchmark: String
    public var model: String
    public var precision: String
    public var extractor: String?
    /// The first is the one the benchmark is known by.
    public var metrics: [MetricValue]
    public var items: Int
    public var failed: Int
    /// Items that have been answered but cannot be scored, such as those of a test whose answers are secret.
    public var unscored: Int
    /// Whether all items of the benchmark have been asked.
    public var isComplete: Bool
    public var failures: [Failure]
    public var slices: [Slice]
    public var cost: Cost

    static let mostFailures = 50

    /// - Parameter total: items of the benchmark; nil if that is not known.
    public init(_ settings: RunSettings, _ records: [ItemRecord], total: Int?) throws {
        let info = try Benchmarks.named(settings.benchmark)
        (benchmark, model, precision) = (settings.benchmark, settings.model, settings.precision)
        extractor = settings.extractor
        let definitions = info.allMetrics
        metrics = definitions.compactMap { $0.measure(records) }
        items = records.count
        failed = records.count { $0.error != nil }
        unscored = records.count { $0.error == nil && $0.score == nil }
        isComplete = total.map { records.count == $0 } ?? true
        failures = records.compactMap { record in record.error.map { Failure(id: record.id, error: $0) } }
        failures = Array(failures.prefix(Self.mostFailures))
        slices = definitions.first.map { Self.slices(records, $0) } ?? []
        let timings = records.compactMap(\.timings), usage = records.compactMap(\.usage)
        cost = Cost(
            firstTextSeconds: Spread(timings.compactMap(\.firstText)), firstSoundSeconds: Spread(timings.compactMap(\.firstAudio)),
            replySeconds: Spread(timings.map(\.total)), prefillTokensPerSecond: Spread(timings.map(\.prefillTokensPerSecond)),
            newTokensPerSecond: Spread(timings.map(\.tokensPerSecond)),
            promptTokens: Spread(usage.map { Double($0.promptTokens) }), newTokens: Spread(usage.map { Double($0.completionTokens) }),
            totalSeconds: timings.reduce(0) { $0 + $1.total }, peakMemoryBytes: records.compactMap(\.peakMemory).max())
    }

    private static func slices(_ records: [ItemRecord], _ metric: MetricDefinition) -> [Slice] {
        var values: [String: Set<String>] = [:]
        for record in records { for (key, value) in record.slices { values[key, default: []].insert(value) } }
        return values.sorted { $0.key < $1.key }.flatMap { key, names -> [Slice] in
            // A single value says nothing, and one for each item is no kind.
            guard names.count > 1, names.count <= max(40, records.count / 5) else { return [] }
            return names.sorted { $0.compare($1, options: .numeric) == .orderedAscending }.compactMap { name in
                metric.measure(records.filter { $0.slices[key] == name }).map { Slice(of: key, name: name, metric: $0) }
            }
        }
    }
}
