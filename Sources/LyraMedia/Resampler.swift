// Samples at one rate -> samples at another, piece by piece as they come. For sound in memory; files are resampled as they are read.
import Foundation

/// A polyphase filter: a sinc, cut off below the lower rate's limit, under a Kaiser window.
public struct Resampler: Sendable {
    public let inputRate: Int
    public let outputRate: Int
    /// Output samples for every `step` input samples.
    private let phases: Int
    private let step: Int
    /// Input samples on either side that an output sample is made of.
    private let reach: Int
    /// [phases, 2 * reach]
    private let taps: [Float]
    /// Input that is still needed; `origin` is the number of its first sample.
    private var input: [Float]
    private var origin: Int
    private var produced = 0
    private var received = 0

    /// - Parameters: rates in Hz.
    public init(from inputRate: Int, to outputRate: Int) {
        (self.inputRate, self.outputRate) = (max(1, inputRate), max(1, outputRate))
        var (a, b) = (self.inputRate, self.outputRate)
        while b != 0 { (a, b) = (b, a % b) }
        (phases, step) = (self.outputRate / a, self.inputRate / a)
        // 32 zero crossings of the lower rate's sinc on either side: flat up to 0.85 of its limit, -80 dB from the limit on.
        let cutoff = 0.92 * min(1, Double(self.outputRate) / Double(self.inputRate))
        let reach = phases == step ? 1 : Int((32 / cutoff).rounded(.up)), phases = phases
        self.reach = reach
        var taps: [Float] = []
        for phase in 0..<phases where phases != step {
            let row = (0..<(2 * reach)).map { k -> Double in
                let t = Double(k - reach + 1) - Double(phase) / Double(phases), x = t / Double(reach)
                let window = abs(x) < 1 ? Self.bessel(8 * (1 - x * x).squareRoot()) / Self.bessel(8) : 0
                return window * cutoff * (t == 0 ? 1 : sin(.pi * cutoff * t) / (.pi * cutoff * t))
            }
            let sum = row.reduce(0, +)
            taps += row.map { Float($0 / sum) }  // a constant stays what it is
        }
        self.taps = taps
        input = Array(repeating: 0, count: reach)
        origin = -reach
    }

    /// Adds samples; returns those that no later sample can change.
    public mutating func append(_ samples: [Float]) -> [Float] {
        guard phases != step else { return samples }
        input += samples
        received += samples.count
        return produce(upTo: .max)
    }

    /// The rest, once no more samples come.
    public mutating func finish() -> [Float] {
        guard phases != step else { return [] }
        input += Array(repeating: 0, count: reach)
        return produce(upTo: (received * phases + step - 1) / step)
    }

    private mutating func produce(upTo limit: Int) -> [Float] {
        var output: [Float] = []
        output.reserveCapacity(input.count * phases / step + 1)
        input.withUnsafeBufferPointer { input in
            taps.withUnsafeBufferPointer { taps in
                while produced < limit {
                    let (base, phase) = (produced * step).quotientAndRemainder(dividingBy: phases)
                    let first = base - reach + 1 - origin
                    guard first + 2 * reach <= input.count else { break }
                    var sum: Float = 0
                    for k in 0..<(2 * reach) { sum += input[first + k] * taps[phase * 2 * reach + k] }
                    output.append(sum)
                    produced += 1
                }
            }
        }
        let unneeded = min(input.count, produced * step / phases - reach + 1 - origin)
        if unneeded > 0 {
            input.removeFirst(unneeded)
            origin += unneeded
        }
        return output
    }

    /// The modified Bessel function of order 0.
    private static func bessel(_ x: Double) -> Double {
        var sum = 1.0, term = 1.0
        for k in 1..<40 {
            term *= (x / 2 / Double(k)) * (x / 2 / Double(k))
            sum += term
        }
        return sum
    }
}
