// Kernel.linear and Kernel.matmul against naive loops.
import CMLX
import Foundation
import Testing

@testable import MLX

/// Every kernel test runs inside this suite, one at a time: they switch the process-wide instruction set.
@Suite(.serialized) struct KernelTests {}

extension KernelTests {
    @Suite struct Linear {
        func reference(
            _ x: [Float], _ w: [Float], _ b: [Float]?, _ r: [Float]?, m: Int, n: Int, k: Int,
            _ activation: Kernel.Activation
        ) -> [Float] {
            var y = [Float](repeating: 0, count: m * n)
            for i in 0..<m {
                for j in 0..<n {
                    var sum = 0.0
                    for l in 0..<k { sum += Double(x[i * k + l]) * Double(w[j * k + l]) }
                    sum = Reference.activate(sum + Double(b?[j] ?? 0), activation)
                    y[i * n + j] = Float(sum + Double(r?[i * n + j] ?? 0))
                }
            }
            return y
        }

        static let shapes = [
            (1, 1, 1), (1, 7, 5), (2, 3, 33), (3, 64, 31), (4, 65, 64), (5, 130, 100), (8, 17, 257), (9, 16, 48),
            (20, 33, 70), (33, 129, 96),
        ]

        @Test(arguments: [DType.float32, .bfloat16], [DType.float32, .bfloat16])
        func matchesLoops(inputType: DType, weightType: DType) {
            forEachInstructionSet { isa in
                for (seed, (m, n, k)) in Self.shapes.enumerated() {
                    for activation in [Kernel.Activation.none, .gelu, .quickGelu, .relu, .silu] {
                        for output in [DType.float32, .bfloat16] {
                            var numbers = Numbers(UInt64(seed) + 1)
                            let x = numbers.array([m, k], inputType), w = numbers.array([n, k], weightType)
                            let extra = activation == .none ? seed % 4 : 3
                            let b = extra & 1 == 0 ? nil : numbers.array([n], seed % 2 == 0 ? weightType : .float32)
                            let r = extra & 2 == 0 ? nil : numbers.array([m, n], seed % 3 == 0 ? .bfloat16 : .float32)
                            let y = Kernel.linear(x, weight: w, bias: b, activation: activation, residual: r, outputType: output)
                            #expect(y.shape == [m, n] && y.dtype == output)
                            // x in float32 with a bfloat16 weight is rounded to bfloat16 first.
                            let rounded = weightType == .bfloat16 ? floats(Kernel.convert(x, to: .bfloat16)) : floats(x)
                            let expected = reference(
                                rounded, floats(w), b.map(floats), r.map(floats), m: m, n: n, k: k, activation)
                            // Sums of up to 257 products in float32: about sqrt(257) roundings of 6e-8, relative to the largest.
                            expectClose(
                                floats(y), expected, 2e-6 + (output == .bfloat16 ? rounding(output) : 0),
                                "\(isa) \(m)x\(n)x\(k) \(inputType) \(weightType) -> \(output) \(activation)")
                        }
                    }
                }
            }
        }

        @Test(arguments: [DType.float32, .bfloat16]) func gradientsMatchLoops(type: DType) {
            for (m, n, k) in [(1, 5, 7), (6, 9, 33), (17, 20, 40)] {
                for activation in [Kernel.Activation.none, .gelu, .quickGelu, .silu] {
                    var numbers = Numbers(7)
                    let x = numbers.array([m, k], type), w = numbers.array([n, k], type), b = numbers.array([n])
                    let r = numbers.array([m, n]), up = numbers.array([m, n])
                    let actual = gradients([x, w, b, r], upstream: up) {
                        Kernel.linear($0[0], weight: $0[1], bias: $0[2], activation: activation, residual: $0[3], outputType: .float32)
                    }
                    let (xs, ws, bs, ups) = (floats(x), floats(w), floats(b), floats(up))
                    var dx = [Float](repeating: 0, count: m * k), dw = [Float](repeating: 0, count: n * k)
                    var db = [Float](repeating: 0, count: n)
                    for i in 0..<m {
                        for j in 0..<n {
                            let z = (0..<k).reduce(bs[j]) { $0 + xs[i * k + $1] * ws[j * k + $1] }
                            let delta = ups[i * n + j] * Reference.slope(z, activation)
                            db[j] += delta
                            for l in 0..<k {
                                dx[i * k + l] += delta * ws[j * k + l]
                                dw[j * k + l] += delta * xs[i * k + l]
                            }
                        }
                    }
                    // In bfloat16 the upstream gradient and the results are rounded.
                    let tolerance: Float = type == .bfloat16 ? 0.01 : 3e-6
                    expectClose(actual[0], dx, tolerance, "dx \(type) \(activation)")
                    expectClose(actual[1], dw, tolerance, "dw \(type) \(activation)")
                    expectClose(actual[2], db, 3e-6, "db \(type) \(activation)")
                    expectClose(actual[3], ups, 0, "dresidual")
                }
            }
        }
    }
}

/// Scalar formulas the kernels are checked against, in double precision.
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
    /// Derivative by central differences, good to about 1e-9.
    static func slope(_ x: Float, _ kind: Kernel.Activation) -> Float {
        let h = 1e-5, x = Double(x)
        return Float((activate(x + h, kind) - activate(x - h, kind)) / (2 * h))
    }
}
