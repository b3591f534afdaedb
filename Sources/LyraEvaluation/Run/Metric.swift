// Numbers that a run is judged by, each computed from the items' records alone, so that reports, resumed runs and comparisons
// agree.
import Foundation

/// How a score is made of items.
public struct MetricDefinition: Sendable {
    public enum Unit: String, Codable, Sendable { case percent, points, share }

    /// For programs: "wer".
    public var key: String
    /// For people: "Word error rate".
    public var name: String
    public var unit: Unit
    public var isHigherBetter: Bool
    /// The score of items; nil where there is none.
    public var value: @Sendable ([ItemRecord]) -> Double?
    /// Items that it is about.
    public var applies: @Sendable (ItemRecord) -> Bool
    /// What is to be reached: at least, or at most where less is better.
    public var target: Double?
    /// Kinds of item that are drawn apart for confidence intervals, by a slice.
    public var stratum: String?

    public init(
        _ key: String, _ name: String, unit: Unit = .percent, isHigherBetter: Bool = true, stratum: String? = nil,
        applies: @escaping @Sendable (ItemRecord) -> Bool = { $0.score != nil },
        value: @escaping @Sendable ([ItemRecord]) -> Double?
    ) {
        (self.key, self.name, self.unit, self.isHigherBetter) = (key, name, unit, isHigherBetter)
        (self.value, self.applies, self.stratum) = (value, applies, stratum)
    }

    /// The average of the items' scores, or of one of their counts, in percent.
    public static func mean(_ key: String, _ name: String, of count: String? = nil) -> MetricDefinition {
        let pick: @Sendable (ItemRecord) -> Double? = { if let count { $0.counts[count] } else { $0.score } }
        return MetricDefinition(key, name, applies: { pick($0) != nil }) { records in
            let values = records.compactMap(pick)
            return values.isEmpty ? nil : 100 * values.reduce(0, +) / Double(values.count)
        }
    }

    /// A sum of counts by another, in percent: errors by words.
    public static func ratio(
        _ key: String, _ name: String, _ above: String, by below: String, isHigherBetter: Bool = false
    ) -> MetricDefinition {
        MetricDefinition(key, name, isHigherBetter: isHigherBetter, applies: { $0.counts[below] != nil }) { records in
            let (a, b) = records.reduce((0.0, 0.0)) { ($0.0 + ($1.counts[above] ?? 0), $0.1 + ($1.counts[below] ?? 0)) }
            return b > 0 ? 100 * a / b : nil
        }
    }
}

/// A metric's value in a run.
public struct MetricValue: Codable, Sendable, Equatable {
    public var key: String
    public var name: String
    public var unit: MetricDefinition.Unit
    public var isHigherBetter: Bool
    public var value: Double
    public var target: Double?
    /// 95 %, by bootstrap.
    public var interval: Interval?
    public var items: Int

    /// Whether the target is reached; nil without one.
    public var isReached: Bool? { target.map { isHigherBetter ? value >= $0 : value <= $0 } }
}

extension MetricDefinition {
    func aiming(at target: Double) -> MetricDefinition {
        var definition = self
        definition.target = target
        return definition
    }

    /// The average score of items of one kind.
    static func mean(_ key: String, _ name: String, where slice: String, is value: String) -> MetricDefinition {
        MetricDefinition(key, name, applies: { $0.score != nil && $0.slices[slice] == value }, value: Self.meanScore)
    }

    static let meanScore: @Sendable ([ItemRecord]) -> Double? = { records in
        records.isEmpty ? nil : 100 * records.reduce(0) { $0 + ($1.score ?? 0) } / Double(records.count)
    }

    /// Share of words, or characters, of spoken replies that a listener hears.
    static func heard(_ listener: String, _ unit: String, _ name: String) -> MetricDefinition {
        let (errors, all) = ("\(listener)_\(unit)_errors", "\(listener)_\(unit)s")
        return MetricDefinition("\(listener)_\(unit)_accuracy", name, applies: { $0.counts[all] != nil }) { records in
            let (a, b) = records.reduce((0.0, 0.0)) { ($0.0 + ($1.counts[errors] ?? 0), $0.1 + ($1.counts[all] ?? 0)) }
            return b > 0 ? 100 * (1 - a / b) : nil
        }
    }

    /// Of any benchmark, where replies are spoken or media extracted.
    static let universal = [
        heard("model", "word", "Words of spoken replies that the model itself hears"),
        heard("model", "character", "Characters of spoken replies that the model itself hears"),
        heard("recogniser", "word", "Words of spoken replies that the recogniser hears"),
        heard("recogniser", "character", "Characters of spoken replies that the recogniser hears"), retention,
    ]

    /// The items that count, apart by stratum, and within each the items that belong together.
    private func units(_ records: [ItemRecord]) -> (units: [[ItemRecord]], strata: [[Int]]) {
        var units: [[ItemRecord]] = [], places: [String: Int] = [:], strata: [String: [Int]] = [:]
        for record in records where record.error == nil && applies(record) {
            let layer = stratum.flatMap { record.slices[$0] } ?? ""
            if let group = record.group, let place = places["\(layer)/\(group)"] {
                units[place].append(record)
                continue
            }
            if let group = record.group { places["\(layer)/\(group)"] = units.count }
            strata[layer, default: []].append(units.count)
            units.append([record])
        }
        return (units, strata.sorted { $0.key < $1.key }.map(\.value))
    }

    /// The value over records, with its interval; nil where no item counts.
    public func measure(_ records: [ItemRecord]) -> MetricValue? {
        let (units, strata) = units(records)
        let all = units.flatMap { $0 }
        guard !all.isEmpty, let value = value(all) else { return nil }
        let interval = Bootstrap.interval(strata: strata) { places in self.value(places.flatMap { units[$0] }) }
        return MetricValue(
            key: key, name: name, unit: unit, isHigherBetter: isHigherBetter, value: value, target: target, interval: interval, items: all.count)
    }

    /// Two runs over the items that both have.
    func compare(_ a: [ItemRecord], _ b: [ItemRecord]) -> MetricComparison? {
        let others = Dictionary(b.filter { $0.error == nil && applies($0) }.map { ($0.id, $0) }) { $1 }
        let (units, strata) = units(a.filter { others[$0.id] != nil })
        let pairs = units.map { unit in (unit, unit.compactMap { others[$0.id] }) }
        guard let before = value(pairs.flatMap(\.0)), let after = value(pairs.flatMap(\.1)) else { return nil }
        let drawn = Bootstrap.difference(strata: strata) { places in
            guard let x = value(places.flatMap { pairs[$0].0 }), let y = value(places.flatMap { pairs[$0].1 }) else { return nil }
            return y - x
        }
        let scores = pairs.flatMap { zip($0.0, $0.1) }
        return MetricComparison(
            key: key, name: name, unit: unit, isHigherBetter: isHigherBetter, a: before, b: after, difference: after - before,
            interval: drawn?.interval, p: drawn?.p, items: scores.count,
            better: scores.count { ($0.score ?? 0) < ($1.score ?? 0) }, worse: scores.count { ($0.score ?? 0) > ($1.score ?? 0) })
    }
}

/// A metric in two runs over the same items.
public struct MetricComparison: Codable, Sendable, Equatable {
    public var key: String
    public var name: String
    public var unit: MetricDefinition.Unit
    public var isHigherBetter: Bool
    public var a: Double
    public var b: Double
    /// b less a.
    public var difference: Double
    public var interval: Interval?
    /// Two-sided, by paired bootstrap.
    public var p: Double?
    public var items: Int
    /// Items that b scores higher, and lower, than a.
    public var better: Int
    public var worse: Int
}
