// Plain formulas that the kernels are checked against, on Swift numbers in double precision, and their gradients by
// central differences.
import Foundation

@testable import MLX

enum Reference {
    static func activate(_ x: Double, _ kind: Kernel.Activation) -> Double {
        switch kind {
        case .none: x
        case .gelu: x * 0.5 * erfc(-x / 2.0.squareRoot())
        case .quickGelu: x / (1 + exp(-1.702 * x))
        case .relu: max(0, x)
        case .silu: x / (1 + exp(-x))
        }
    }

    /// activation(x Wᵀ + bias) + residual; x [m, k], w [n, k].
    static func linear(
        _ x: [Double], _ w: [Double], _ b: [Double]?, _ r: [Double]?, m: Int, n: Int, k: Int,
        _ activation: Kernel.Activation
    ) -> [Double] {
        var y = [Double](repeating: 0, count: m * n)
        for i in 0..<m {
            for j in 0..<n {
                var sum = b?[j] ?? 0
                for l in 0..<k { sum += x[i * k + l] * w[j * k + l] }
                y[i * n + j] = activate(sum, activation) + (r?[i * n + j] ?? 0)
            }
        }
        return y
    }

    /// Rows of `width`: (x - mean) / sqrt(variance + eps) * weight + bias; the mean only where `centred`.
    static func norm(
        _ x: [Double], _ weight: [Double]?, _ bias: [Double]?, width: Int, centred: Bool, eps: Double
    ) -> [Double] {
        stride(from: 0, to: x.count, by: width).flatMap { start in
            let row = x[start..<start + width]
            let mean = centred ? row.reduce(0, +) / Double(width) : 0
            let variance = row.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(width)
            return row.enumerated().map { j, v in
                (v - mean) / (variance + eps).squareRoot() * (weight?[j] ?? 1) + (bias?[j] ?? 0)
            }
        }
    }

    /// x [B, L, H, D] rotated by the tables [L, D/2].
    static func rotary(_ x: [Double], cos: [Double], sin: [Double], shape: [Int]) -> [Double] {
        let (length, heads, half) = (shape[1], shape[2], shape[3] / 2)
        var y = x
        for row in 0..<(x.count / max(1, 2 * half)) {
            let table = (row / heads % length) * half
            let at = row * 2 * half
            for j in 0..<half {
                let (x1, x2, c, s) = (x[at + j], x[at + half + j], cos[table + j], sin[table + j])
                y[at + j] = x1 * c - x2 * s
                y[at + half + j] = x2 * c + x1 * s
            }
        }
        return y
    }

    /// softmax(scale q kᵀ) v; q [B, L, Hq, D], k and v [B, S, Hkv, D].
    static func attention(
        _ q: [Double], _ k: [Double], _ v: [Double], batch: Int, queries: Int, keys: Int, heads: Int, kvHeads: Int,
        width: Int, scale: Double, causal: Bool
    ) -> [Double] {
        var y = [Double](repeating: 0, count: q.count)
        for b in 0..<batch {
            for i in 0..<queries {
                for h in 0..<heads {
                    let at = ((b * queries + i) * heads + h) * width
                    let visible = causal ? i + keys - queries + 1 : keys
                    func row(_ j: Int) -> Int { ((b * keys + j) * kvHeads + h * kvHeads / heads) * width }
                    let scores = (0..<visible).map { j in
                        (0..<width).reduce(0.0) { $0 + q[at + $1] * k[row(j) + $1] } * scale
                    }
                    let top = scores.max() ?? 0
                    let weights = scores.map { exp($0 - top) }
                    let total = weights.reduce(0, +)
                    for j in 0..<visible { for d in 0..<width { y[at + d] += weights[j] / total * v[row(j) + d] } }
                }
            }
        }
        return y
    }

    /// Gradients of ``attention`` with respect to q, k and v.
    static func attentionGradients(
        _ q: [Double], _ k: [Double], _ v: [Double], upstream: [Double], batch: Int, queries: Int, keys: Int,
        heads: Int,
        kvHeads: Int, width: Int, scale: Double, causal: Bool
    ) -> [[Double]] {
        var dq = q.map { _ in 0.0 }
        var dk = k.map { _ in 0.0 }
        var dv = v.map { _ in 0.0 }
        for b in 0..<batch {
            for i in 0..<queries {
                for h in 0..<heads {
                    let at = ((b * queries + i) * heads + h) * width
                    let visible = causal ? i + keys - queries + 1 : keys
                    func row(_ j: Int) -> Int { ((b * keys + j) * kvHeads + h * kvHeads / heads) * width }
                    func dot(_ x: [Double], _ y: [Double], _ j: Int) -> Double {
                        (0..<width).reduce(0.0) { $0 + x[at + $1] * y[row(j) + $1] }
                    }
                    let scores = (0..<visible).map { dot(q, k, $0) * scale }
                    let top = scores.max() ?? 0
                    let weights = scores.map { exp($0 - top) }
                    let total = weights.reduce(0, +)
                    let gains = (0..<visible).map { dot(upstream, v, $0) }
                    let mean = zip(weights, gains).reduce(0) { $0 + $1.0 * $1.1 } / total
                    for j in 0..<visible {
                        let weight = weights[j] / total
                        let slope = weight * (gains[j] - mean) * scale
                        for d in 0..<width {
                            dv[row(j) + d] += weight * upstream[at + d]
                            dq[at + d] += slope * k[row(j) + d]
                            dk[row(j) + d] += slope * q[at + d]
                        }
                    }
                }
            }
        }
        return [dq, dk, dv]
    }

    /// softmax(scale q kᵀ) averaged over heads and queries; q [Lq, Hq, D], k [S, Hkv, D].
    static func attentionScores(
        _ q: [Double], _ k: [Double], queries: Int, keys: Int, heads: Int, kvHeads: Int, width: Int, scale: Double
    ) -> [Double] {
        var result = [Double](repeating: 0, count: keys)
        for row in 0..<queries * heads {
            let kvHead = row % heads * kvHeads / heads
            let scores = (0..<keys).map { j in
                (0..<width).reduce(0.0) { $0 + q[row * width + $1] * k[(j * kvHeads + kvHead) * width + $1] } * scale
            }
            let top = scores.max() ?? 0
            let weights = scores.map { exp($0 - top) }
            let total = weights.reduce(0, +)
            for j in 0..<keys { result[j] += weights[j] / total / Double(queries * heads) }
        }
        return result
    }

    /// Convolution of x [N, L, Cin] with w [Cout, Cin, k]: [N, Lout, Cout].
    static func conv1d(
        _ x: [Double], _ w: [Double], _ b: [Double]?, batch: Int, length: Int, input: Int, output: Int, kernel: Int,
        stride: Int, padding: Int, dilation: Int, _ activation: Kernel.Activation
    ) -> [Double] {
        let out = (length + 2 * padding - dilation * (kernel - 1) - 1) / stride + 1
        var y = [Double]()
        for n in 0..<batch {
            for t in 0..<out {
                for o in 0..<output {
                    var sum = b?[o] ?? 0
                    for tap in 0..<kernel {
                        let at = t * stride - padding + tap * dilation
                        guard at >= 0, at < length else { continue }
                        for c in 0..<input {
                            sum += x[(n * length + at) * input + c] * w[(o * input + c) * kernel + tap]
                        }
                    }
                    y.append(activate(sum, activation))
                }
            }
        }
        return y
    }

    /// Transposed convolution of x [N, L, Cin] with w [Cin, Cout, k]: [N, (L - 1) stride - 2 padding + k, Cout].
    static func convTransposed1d(
        _ x: [Double], _ w: [Double], _ b: [Double]?, batch: Int, length: Int, input: Int, output: Int, kernel: Int,
        stride: Int, padding: Int
    ) -> [Double] {
        let out = (length - 1) * stride - 2 * padding + kernel
        var y = [Double](repeating: 0, count: batch * out * output)
        for n in 0..<batch {
            for t in 0..<out { for o in 0..<output { y[(n * out + t) * output + o] = b?[o] ?? 0 } }
            for t in 0..<length {
                for tap in 0..<kernel {
                    let at = t * stride - padding + tap
                    guard at >= 0, at < out else { continue }
                    for o in 0..<output {
                        for c in 0..<input {
                            y[(n * out + at) * output + o] +=
                                x[(n * length + t) * input + c] * w[(c * output + o) * kernel + tap]
                        }
                    }
                }
            }
        }
        return y
    }

    /// d sum(upstream * function(arguments)) / d arguments by central differences; good to about 1e-8.
    static func gradients(
        _ arguments: [[Double]], upstream: [Double], _ function: ([[Double]]) -> [Double]
    ) -> [[Float]] {
        let h = 1e-5
        func loss(_ values: [[Double]]) -> Double { zip(function(values), upstream).reduce(0) { $0 + $1.0 * $1.1 } }
        return arguments.indices.map { a in
            arguments[a].indices.map { i in
                var moved = arguments
                moved[a][i] += h
                let above = loss(moved)
                moved[a][i] -= 2 * h
                return Float((above - loss(moved)) / (2 * h))
            }
        }
    }
}

func doubles(_ array: MLXArray) -> [Double] { floats(array).map(Double.init) }
