// How sure a score is: confidence intervals by drawing the items anew, with replacement, and significance of a difference
// between two runs over the same items.
import Foundation

/// A range that a score lies in with a given confidence.
public struct Interval: Sendable, Codable, Equatable {
    public var low: Double
    public var high: Double

    public init(low: Double, high: Double) { (self.low, self.high) = (low, high) }
}

/// Resampling of items.
public enum Bootstrap {
    public static let draws = 2_000
    private static let seed: UInt64 = 0x4C79_7261

    /// The 95 % interval of a score, by the percentiles of its values over draws of the items. The same items give the same
    /// interval.
    /// - Parameters:
    ///   - strata: items that are drawn apart from others, by their places; a single list where there are no groups.
    ///   - score: of the items drawn; nil where there is none.
    /// - Returns: nil for fewer than two items, or if a tenth of the draws have no score.
    public static func interval(strata: [[Int]], score: ([Int]) -> Double?) -> Interval? {
        guard strata.reduce(0, { $0 + $1.count }) > 1 else { return nil }
        let values = scores(strata, score).sorted()
        guard values.count > draws * 9 / 10 else { return nil }
        return Interval(low: quantile(values, 0.025), high: quantile(values, 0.975))
    }

    /// The difference of two runs over the same items.
    /// - Parameter difference: of the items drawn.
    /// - Returns: its 95 % interval, and how often a difference of no or the other sign comes up, twice (the two-sided p-value).
    public static func difference(strata: [[Int]], difference: ([Int]) -> Double?) -> (interval: Interval, p: Double)? {
        guard strata.reduce(0, { $0 + $1.count }) > 1 else { return nil }
        let values = scores(strata, difference).sorted()
        guard values.count > draws * 9 / 10 else { return nil }
        let notAbove = values.count { $0 <= 0 }, notBelow = values.count { $0 >= 0 }
        let p = min(1, 2 * Double(min(notAbove, notBelow) + 1) / Double(values.count + 1))
        return (Interval(low: quantile(values, 0.025), high: quantile(values, 0.975)), p)
    }

    private static func scores(_ strata: [[Int]], _ score: ([Int]) -> Double?) -> [Double] {
        var random = SplitMix(state: seed)
        return (0..<draws).compactMap { _ in
            score(strata.flatMap { places in places.map { _ in places[random.below(places.count)] } })
        }
    }

    /// Between the two nearest of sorted values, as NumPy does.
    static func quantile(_ sorted: [Double], _ share: Double) -> Double {
        let place = share * Double(sorted.count - 1), below = Int(place.rounded(.down))
        guard below + 1 < sorted.count else { return sorted[sorted.count - 1] }
        return sorted[below] + (place - Double(below)) * (sorted[below + 1] - sorted[below])
    }
}

/// A small generator with a fixed sequence (splitmix64).
public struct SplitMix: RandomNumberGenerator, Sendable {
    var state: UInt64

    public init(state: UInt64) { self.state = state }

    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    mutating func below(_ bound: Int) -> Int { Int(next().multipliedFullWidth(by: UInt64(bound)).high) }
}
