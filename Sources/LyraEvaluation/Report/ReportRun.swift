// A finished run, read back from its folder: all that reports and comparisons are made of.
import Foundation

/// A run on disk.
public struct ReportRun: Sendable {
    public var path: String
    public var settings: RunSettings
    public var summary: RunSummary
    public var records: [ItemRecord]
    public var info: BenchmarkInfo

    /// Reads a run's folder. Scores are computed anew from the items.
    public init(_ path: String) throws {
        self.path = path
        settings = try RunFolder.settings(of: path)
        info = try Benchmarks.named(settings.benchmark)
        records = RunFolder.items(of: path)
        guard !records.isEmpty else { throw EvaluationError.noItems(path) }
        var summary = try RunSummary(settings, records, total: nil)
        if let data = FileManager.default.contents(atPath: "\(path)/\(RunFolder.summaryName)"),
            let written = try? JSON.decoder.decode(RunSummary.self, from: data)
        {
            summary.isComplete = written.isComplete && written.items == records.count
        } else {
            summary.isComplete = false
        }
        self.summary = summary
    }

    /// The run in a folder, or those in its subfolders.
    public static func all(in path: String) throws -> [ReportRun] {
        if Files.exists("\(path)/\(RunFolder.settingsName)") { return [try ReportRun(path)] }
        let folders = Files.names(in: path).map { "\(path)/\($0)" }.filter { Files.exists("\($0)/\(RunFolder.settingsName)") }
        guard !folders.isEmpty else { throw RunFolderError.notARun(path) }
        let order = Benchmarks.all.map(\.name)
        return try folders.map { try ReportRun($0) }.sorted {
            (order.firstIndex(of: $0.settings.benchmark) ?? 0) < (order.firstIndex(of: $1.settings.benchmark) ?? 0)
        }
    }

    /// Name of the model's folder.
    public var modelName: String { (settings.model as NSString).lastPathComponent }

    /// What two runs over the same benchmark differ in.
    /// - Throws: `EvaluationError` if they have nothing in common.
    public func compare(with other: ReportRun) throws -> [MetricComparison] {
        guard settings.benchmark == other.settings.benchmark else {
            throw EvaluationError.invalid("one is a run of \(settings.benchmark), the other of \(other.settings.benchmark)")
        }
        let comparisons = info.allMetrics.compactMap { $0.compare(records, other.records) }
        guard !comparisons.isEmpty else { throw EvaluationError.invalid("the two runs of \(settings.benchmark) share no items that can be compared") }
        return comparisons
    }

    /// Items that another run scores most differently, largest first.
    public func changes(to other: ReportRun, limit: Int) -> [(before: ItemRecord, after: ItemRecord)] {
        let others = Dictionary(other.records.map { ($0.id, $0) }) { $1 }
        let pairs = records.compactMap { record in others[record.id].map { (record, $0) } }
        func change(_ pair: (ItemRecord, ItemRecord)) -> Double { abs((pair.1.score ?? 0) - (pair.0.score ?? 0)) }
        return pairs.filter { change($0) > 0 }.sorted { (change($1), $0.0.index) < (change($0), $1.0.index) }.prefix(limit).map { ($0.0, $0.1) }
    }
}

extension MetricValue {
    /// "73.4 %"
    public var text: String { "\(number(value))\(unit == .percent ? " %" : "")" }
    /// "71.9 – 74.8"
    public var intervalText: String? { interval.map { "\(number($0.low)) – \(number($0.high))" } }

    func number(_ value: Double) -> String { NumberText.score(value, unit) }
}

extension NumberText {
    static func score(_ value: Double, _ unit: MetricDefinition.Unit) -> String {
        let digits = unit == .share ? 3 : abs(value) >= 1_000 ? 0 : abs(value) < 10 ? 2 : 1
        return fixed(value, digits)
    }

    static func fixed(_ value: Double, _ digits: Int) -> String {
        value.isFinite ? String(format: "%.\(digits)f", value) : "–"
    }

    /// "0.42 s", "3:07", "1:02:09"
    static func duration(_ seconds: Double) -> String {
        guard seconds >= 60 else { return fixed(seconds, seconds < 1 ? 3 : seconds < 10 ? 2 : 1) + " s" }
        let total = Int(seconds.rounded())
        return total >= 3_600
            ? String(format: "%d:%02d:%02d", total / 3_600, total / 60 % 60, total % 60) : String(format: "%d:%02d", total / 60, total % 60)
    }

    /// "1.9 GB"
    static func bytes(_ count: Int) -> String {
        count >= 1 << 30 ? fixed(Double(count) / 1e9, 2) + " GB" : fixed(Double(count) / 1e6, 0) + " MB"
    }
}
