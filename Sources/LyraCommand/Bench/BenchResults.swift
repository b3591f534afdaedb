// What was measured, as a table for people and one line for programs.
import Foundation
import LyraModel

struct BenchResults {
    private struct Row {
        var name: String
        var value: String
        var work = ""
        var rate = ""
        var note = ""
        /// What is compared with the machine: FLOPs or bytes a second.
        var operationRate: Double?
        var byteRate: Double?
        var stem = ""
    }
    private let model: String
    private let precision: Precision
    private let adapter: Adapter?
    private var rows: [Row] = []
    private(set) var values: [String: Any] = [:]
    /// Rows of the table of contexts.
    var contexts: [ContextRow] = []
    /// What the machine can do: bytes read a second, FLOPs a second in the precision measured.
    var bandwidth = 0.0
    var product = 0.0
    /// Bytes.
    var peakMemory = 0

    init(model: String, precision: Precision, adapter: Adapter?, runs: Int) {
        (self.model, self.precision, self.adapter) = (model, precision, adapter)
        values = [
            "model": model, "precision": precision.rawValue, "adapter": adapter?.rawValue ?? "off", "repeat": runs,
            "processor": Machine.processor, "threads": Machine.threads,
        ]
    }

    /// - Parameters:
    ///   - operations: FLOPs done in `seconds`, for a rate against the machine's.
    ///   - bytes: weight bytes read in `seconds`, likewise.
    mutating func add(
        _ name: String, key: String, _ value: Double, unit: String, operations: Double? = nil, bytes: Double? = nil,
        seconds: Double = 0, note: String = ""
    ) {
        var row = Row(name: name, value: "\(Self.number(value)) \(unit)", note: note)
        values[key] = Self.rounded(value)
        let stem = key.replacingOccurrences(of: "_tokens_per_second", with: "").replacingOccurrences(of: "_seconds", with: "")
        if let operations, seconds > 0 {
            let rate = operations / seconds
            row.work = "\(Self.number(operations / 1e9)) GFLOP"
            row.rate = "\(Self.number(rate / 1e9)) GFLOP/s"
            values["\(stem)_gflops"] = Self.rounded(rate / 1e9)
            (row.operationRate, row.stem) = (rate, stem)
        }
        if let bytes, seconds > 0 {
            let rate = bytes / seconds
            row.work = Bytes.text(bytes)
            row.rate = "\(Self.number(rate / 1e9)) GB/s"
            values["\(stem)_gb_per_second"] = Self.rounded(rate / 1e9)
            (row.byteRate, row.stem) = (rate, stem)
        }
        rows.append(row)
    }

    /// A number for programs alone.
    mutating func note(_ key: String, _ value: Double) { values[key] = Self.rounded(value) }

    mutating func skip(_ name: String, _ reason: String) { rows.append(Row(name: name, value: "-", note: reason)) }

    /// Adds what is known at the end.
    mutating func finish() {
        rows.append(Row(name: "peak memory", value: Bytes.text(peakMemory)))
        values["peak_memory_bytes"] = peakMemory
        for row in rows {
            if let rate = row.operationRate, product > 0 { values["\(row.stem)_share_of_product"] = Self.rounded(rate / product) }
            if let rate = row.byteRate, bandwidth > 0 { values["\(row.stem)_share_of_bandwidth"] = Self.rounded(rate / bandwidth) }
        }
        values["read_gb_per_second"] = Self.rounded(bandwidth / 1e9)
        values["product_gflops"] = Self.rounded(product / 1e9)
    }

    var text: String {
        let head = [
            "model      \(model)",
            "precision  \(precision.rawValue)\(adapter.map { ", adapter \($0.rawValue)" } ?? "")",
            "machine    \(Machine.processor), \(Machine.threads) threads",
            "can do     reads \(Self.number(bandwidth / 1e9)) GB/s, multiplies matrices at \(Self.number(product / 1e9)) GFLOP/s (\(precision.rawValue))",
            "",
        ]
        let table = [["stage", "measured", "work", "rate", "of peak", ""]] + rows.map { [$0.name, $0.value, $0.work, $0.rate, share($0), $0.note] }
        return (head + Columns.lines(table, right: [1, 2, 3, 4]) + contextTable).joined(separator: "\n") + "\n"
    }

    /// One line, keys sorted.
    static func json(_ values: [String: Any]) throws -> String {
        String(decoding: try JSONSerialization.data(withJSONObject: values, options: [.sortedKeys, .withoutEscapingSlashes]), as: UTF8.self)
    }

    private func share(_ row: Row) -> String {
        let share = row.operationRate.map { $0 / product } ?? row.byteRate.map { $0 / bandwidth }
        guard let share, share.isFinite else { return "" }
        return String(format: "%.0f %%", share * 100)
    }

    /// Three significant digits.
    static func number(_ value: Double) -> String {
        let digits = value >= 99.5 ? 0 : value >= 9.95 ? 1 : value >= 0.995 ? 2 : value >= 0.0995 ? 3 : 4
        return String(format: "%.\(digits)f", value)
    }

    /// Enough digits for programs, without noise.
    private static func rounded(_ value: Double) -> NSDecimalNumber { NSDecimalNumber(string: String(format: "%.6g", value)) }
}
