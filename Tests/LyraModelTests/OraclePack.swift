// Reads a pack of reference numbers (expected.json + expected.safetensors) and keeps a table of what agrees with it.
import Foundation
import LyraMedia
@testable import LyraModel
import MLX
import Testing

/// A JSON value, read by paths.
struct JSON {
    let value: Any?
    init(_ value: Any?) { self.value = value is NSNull ? nil : value }
    subscript(key: String) -> JSON { JSON((value as? [String: Any])?[key]) }
    subscript(index: Int) -> JSON { JSON((value as? [Any]).flatMap { index < $0.count ? $0[index] : nil }) }
    var exists: Bool { value != nil }
    var object: [String: JSON] { (value as? [String: Any])?.mapValues(JSON.init) ?? [:] }
    var list: [JSON] { (value as? [Any])?.map(JSON.init) ?? [] }
    var string: String? { value as? String }
    var int: Int? { (value as? NSNumber)?.intValue }
    var double: Double? { (value as? NSNumber)?.doubleValue }
    var ints: [Int] { list.compactMap(\.int) }
    var ids: [Int32] { ints.map(Int32.init) }
}

final class OraclePack: CustomTestStringConvertible {
    let name: String
    let folder: String
    let json: JSON
    let tensors: SafetensorsFile
    private(set) var rows: [Row] = []
    var testDescription: String { name }

    struct Row {
        var group: String
        var checks = 0
        var failures: [String] = []
        /// Largest error over its tolerance.
        var worst = 0.0
    }

    init(_ name: String, folder: String) throws {
        (self.name, self.folder) = (name, folder)
        let data = try Data(contentsOf: URL(fileURLWithPath: folder + "/expected.json"))
        json = JSON(try JSONSerialization.jsonObject(with: data))
        tensors = try SafetensorsFile(URL(fileURLWithPath: folder + "/expected.safetensors"))
    }

    /// Packs present: the committed one and those beside the package.
    static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().path
    static let available: [(name: String, folder: String)] = [
        ("pack_c", root + "/Tests/Fixtures/pack_c"), ("pack_a", root + "/../shared/oracle/pack_a"),
    ].filter { FileManager.default.fileExists(atPath: $0.1 + "/expected.json") }

    func path(_ role: String) -> String { "\(folder)/\(json["paths"][role].string ?? role)" }

    // MARK: Checks

    private func note(_ group: String, _ what: String, error: Double, tolerance: Double) {
        if rows.last?.group != group {
            if let at = rows.firstIndex(where: { $0.group == group }) { rows.append(rows.remove(at: at)) } else { rows.append(Row(group: group)) }
        }
        let ratio = tolerance == 0 ? (error == 0 ? 0 : .infinity) : error / tolerance
        rows[rows.count - 1].checks += 1
        rows[rows.count - 1].worst = max(rows[rows.count - 1].worst, ratio.isNaN ? .infinity : ratio)
        if !(ratio <= 1) { rows[rows.count - 1].failures.append("\(what): error \(error), tolerance \(tolerance)") }
    }

    func equal<T: Equatable>(_ group: String, _ what: String, _ actual: T, _ expected: T) {
        note(group, what + (actual == expected ? "" : " is \(String(describing: actual).prefix(200)), expected \(String(describing: expected).prefix(200))"), error: actual == expected ? 0 : .infinity, tolerance: 0)
    }

    func close(_ group: String, _ what: String, _ actual: [Float], _ expected: [Float], tolerance: Double) {
        guard actual.count == expected.count else {
            return note(group, "\(what): \(actual.count) values, expected \(expected.count)", error: .infinity, tolerance: tolerance)
        }
        var worst = 0.0
        for (a, e) in zip(actual, expected) { worst = max(worst, a.isNaN ? .infinity : Double(Swift.abs(a - e))) }
        note(group, what, error: worst, tolerance: tolerance)
    }

    /// Compares with a tensor of the index: whole, or by first and last rows and sums.
    func close(_ group: String, _ what: String, _ actual: MLXArray, _ entry: JSON, tolerance: Double) throws {
        let shape = entry["shape"].ints, key = entry["key"].string ?? ""
        guard entry.exists else { return note(group, "\(what): no such entry", error: .infinity, tolerance: tolerance) }
        let values = actual.asArray(Float.self)
        guard values.count == shape.reduce(1, *) else {
            return note(group, "\(what): shape \(actual.shape), expected \(shape)", error: .infinity, tolerance: tolerance)
        }
        if entry["kind"].string == "full" {
            return close(group, what, values, try tensors.array(named: key).asArray(Float.self), tolerance: tolerance)
        }
        let kept = entry["rows_kept"].int ?? 0, rows = shape[0], columns = shape[1]
        close(
            group, "\(what) first rows", Array(values.prefix(kept * columns)),
            try tensors.array(named: key + ".first_rows").asArray(Float.self), tolerance: tolerance)
        close(
            group, "\(what) last rows", Array(values.suffix(kept * columns)),
            try tensors.array(named: key + ".last_rows").asArray(Float.self), tolerance: tolerance)
        var rowSums = [Double](repeating: 0, count: rows), columnSums = [Double](repeating: 0, count: columns), absolute = 0.0
        for r in 0..<rows {
            for c in 0..<columns {
                let value = Double(values[r * columns + c])
                rowSums[r] += value
                columnSums[c] += value
                absolute += Swift.abs(value)
            }
        }
        // Positive and negative parts cancel: 1e-5 of the absolute sum; rows and columns by their share of it.
        let sum = entry["sum"].double ?? .nan
        note(group, "\(what) sum", error: Swift.abs(rowSums.reduce(0, +) - sum), tolerance: 1e-5 * absolute + tolerance)
        close(
            group, "\(what) row sums", rowSums.map { Float($0) }, try tensors.array(named: key + ".row_sum").asArray(Float.self),
            tolerance: max(tolerance * Double(columns) / 8, 1e-4 * absolute / Double(rows)))
        close(
            group, "\(what) column sums", columnSums.map { Float($0) },
            try tensors.array(named: key + ".col_sum").asArray(Float.self),
            tolerance: max(tolerance * Double(rows) / 8, 1e-4 * absolute / Double(columns)))
    }

    /// The table for people; every failing row is an issue of the test.
    func report() {
        print("\noracle \(name): group                              checks  failed  worst error / tolerance")
        for row in rows {
            let name = row.group.padding(toLength: 44, withPad: " ", startingAt: 0)
            print("  \(name) \(String(format: "%7d %7d  %10.4f", row.checks, row.failures.count, row.worst))")
            for failure in row.failures { Issue.record("\(self.name) \(row.group): \(failure)") }
        }
        let checks = rows.reduce(0) { $0 + $1.checks }, failures = rows.reduce(0) { $0 + $1.failures.count }
        print("oracle \(name): \(checks - failures) of \(checks) checks pass\n")
    }
}
