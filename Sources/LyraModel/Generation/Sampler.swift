// Choosing the next token from logits: greedy, or temperature, top-k and top-p in that order (as transformers does).
import Foundation

/// How tokens are drawn.
public struct SamplingOptions: Sendable, Equatable, Codable {
    /// 0 takes the most likely token.
    public var temperature: Float
    /// Only the k most likely tokens; 0 for all.
    public var topK: Int
    /// Only the most likely tokens that together reach this probability; 1 for all.
    public var topP: Float
    /// Seed of the random draws; the same seed gives the same answer.
    public var seed: UInt64

    public init(temperature: Float = 0, topK: Int = 0, topP: Float = 1, seed: UInt64 = 0) {
        (self.temperature, self.topK, self.topP, self.seed) = (temperature, topK, topP, seed)
    }
    public static let greedy = SamplingOptions()
}

/// Logits that are not numbers: broken weights or input.
public struct NonFiniteLogits: Error, LocalizedError {
    public let step: Int
    public init(step: Int) { self.step = step }
    public var errorDescription: String? {
        "the model's output is not a number (NaN) at generated token \(step): its weights or the input are damaged; "
            + "`lyra inspect --check` lists tensors that hold such values"
    }
}

/// SplitMix64: small, seedable, the same everywhere.
package struct SplitMix64: RandomNumberGenerator {
    package var state: UInt64

    package init(state: UInt64) { self.state = state }

    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

/// Draws tokens one after another.
public struct Sampler: Sendable {
    public let options: SamplingOptions
    private var random: SplitMix64

    public init(_ options: SamplingOptions) {
        self.options = options
        random = SplitMix64(state: options.seed)
    }

    /// The next token for one position's logits.
    public mutating func callAsFunction(_ logits: [Float]) -> Int32 {
        guard options.temperature > 0 else { return Self.argMax(logits) }
        let candidates = Self.candidates(logits, options)
        var remaining = Float.random(in: 0..<1, using: &random)
        for candidate in candidates {
            remaining -= candidate.probability
            if remaining < 0 { return candidate.token }
        }
        return candidates.last?.token ?? Self.argMax(logits)
    }

    static func argMax(_ logits: [Float]) -> Int32 {
        var best = 0
        for i in logits.indices where logits[i] > logits[best] { best = i }
        return Int32(best)
    }

    /// Tokens that survive the options, by decreasing probability, with their renormalised probabilities.
    static func candidates(_ logits: [Float], _ options: SamplingOptions) -> [(token: Int32, probability: Float)] {
        let scaled = logits.map { $0 / options.temperature }
        var order: [Int]
        if options.topK > 0, options.topK < scaled.count {
            // Ties with the k-th value survive too.
            let threshold = kthLargest(scaled, options.topK)
            order = scaled.indices.filter { scaled[$0] >= threshold }
        } else {
            order = Array(scaled.indices)
        }
        order.sort { scaled[$0] != scaled[$1] ? scaled[$0] > scaled[$1] : $0 < $1 }
        guard let first = order.first else { return [] }
        let top = scaled[first]
        var weights = order.map { Foundation.exp(scaled[$0] - top) }
        let total = weights.reduce(0, +)
        if options.topP < 1 {
            // A token goes when what it and all less likely ones hold is at most 1 - p; the best always stays.
            var tail: Float = 0
            var kept = order.count
            while kept > 1 {
                tail += weights[kept - 1] / total
                if tail > 1 - options.topP { break }
                kept -= 1
            }
            order.removeLast(order.count - kept)
            weights.removeLast(weights.count - kept)
        }
        let sum = weights.reduce(0, +)
        return zip(order, weights).map { (Int32($0), $1 / sum) }
    }

    private static func kthLargest(_ values: [Float], _ k: Int) -> Float {
        // A bounded heap would be faster for tiny k; sorting 150,000 floats takes a few milliseconds.
        values.sorted(by: >)[k - 1]
    }
}
