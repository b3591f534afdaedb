// Kernel.linear and Kernel.matmul against plain loops.
import CMLX
import Testing

@testable import MLX

/// Every kernel test runs inside this suite, one at a time: they switch the process-wide instruction set.
@Suite(.serialized) struct KernelTests {}

extension KernelTests {
    @Suite struct Linear {
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
                            let x = numbers.array([m, k], inputType)
                            let w = numbers.array([n, k], weightType)
                            let extra = activation == .none ? seed % 4 : 3
                            let b = extra & 1 == 0 ? nil : numbers.array([n], seed % 2 == 0 ? weightType : .float32)
                            let r = extra & 2 == 0 ? nil : numbers.array([m, n], seed % 3 == 0 ? .bfloat16 : .float32)
                            let y = Kernel.linear(
                                x, weight: w, bias: b, activation: activation, residual: r, outputType: output)
                            #expect(y.shape == [m, n] && y.dtype == output)
                            // x in float32 with a bfloat16 weight is rounded to bfloat16 first.
                            let rounded = doubles(weightType == .bfloat16 ? Kernel.convert(x, to: .bfloat16) : x)
                            let expected = Reference.linear(
                                rounded, doubles(w), b.map(doubles), r.map(doubles), m: m, n: n, k: k, activation)
                            // Up to 257 float32 additions: about sqrt(257) roundings of 6e-8 of the largest.
                            expectClose(
                                floats(y), expected.map { Float($0) },
                                2e-6 + (output == .bfloat16 ? rounding(output) : 0),
                                "\(isa) \(m)x\(n)x\(k) \(inputType) \(weightType) -> \(output) \(activation)")
                        }
                    }
                }
            }
        }

        @Test(arguments: [DType.float32, .bfloat16]) func gradientsMatchDifferences(type: DType) {
            for (m, n, k) in [(1, 5, 7), (3, 4, 17), (9, 6, 20)] {
                for activation in [Kernel.Activation.none, .gelu, .quickGelu, .silu] {
                    var numbers = Numbers(7)
                    let arguments = [
                        numbers.array([m, k], type), numbers.array([n, k], type), numbers.array([n]),
                        numbers.array([m, n]),
                    ]
                    let upstream = numbers.array([m, n])
                    let actual = gradients(arguments, upstream: upstream) {
                        Kernel.linear(
                            $0[0], weight: $0[1], bias: $0[2], activation: activation, residual: $0[3],
                            outputType: .float32)
                    }
                    let expected = Reference.gradients(arguments.map(doubles), upstream: doubles(upstream)) {
                        Reference.linear($0[0], $0[1], $0[2], $0[3], m: m, n: n, k: k, activation)
                    }
                    for (part, (a, e)) in zip(actual, expected).enumerated() {
                        // In bfloat16 the upstream gradient and the results are rounded.
                        expectClose(
                            a, e, type == .bfloat16 ? 0.01 : 3e-6, "\(part) \(type) \(activation) \(m)x\(n)x\(k)")
                    }
                }
            }
        }

        @Test(arguments: [DType.float32, .bfloat16], [(false, false), (false, true), (true, false), (true, true)])
        func productsAndGradients(type: DType, transposed: (Bool, Bool)) {
            forEachInstructionSet { isa in
                for (batch, m, n, k) in [(0, 3, 4, 5), (0, 17, 1, 33), (2, 6, 7, 9), (3, 1, 16, 32)] {
                    var numbers = Numbers(3)
                    let lead = batch == 0 ? [] : [batch]
                    let a = numbers.array(lead + (transposed.0 ? [k, m] : [m, k]), type)
                    let b = numbers.array(lead + (transposed.1 ? [n, k] : [k, n]), type)
                    let upstream = numbers.array(lead + [m, n])
                    func reference(_ v: [[Double]]) -> [Double] {
                        (0..<max(1, batch)).flatMap { i in
                            (0..<m * n).map { cell in
                                (0..<k).reduce(0.0) { sum, l in
                                    let x = i * m * k + (transposed.0 ? l * m + cell / n : cell / n * k + l)
                                    let y = i * n * k + (transposed.1 ? cell % n * k + l : l * n + cell % n)
                                    return sum + v[0][x] * v[1][y]
                                }
                            }
                        }
                    }
                    func product(_ v: [MLXArray]) -> MLXArray {
                        Kernel.matmul(
                            v[0], v[1], transposeA: transposed.0, transposeB: transposed.1, outputType: .float32)
                    }
                    let values = [doubles(a), doubles(b)]
                    let what = "\(isa) \(type) \(transposed) \(batch) \(m)x\(n)x\(k)"
                    expectClose(floats(product([a, b])), reference(values).map { Float($0) }, 2e-6, what)
                    let expected = Reference.gradients(values, upstream: doubles(upstream), reference)
                    for (x, y) in zip(gradients([a, b], upstream: upstream, product), expected) {
                        expectClose(x, y, type == .bfloat16 ? 0.01 : 3e-6, "gradient " + what)
                    }
                }
            }
        }

        @Test func mlxMultipliesThroughOneDNN() {
            var numbers = Numbers(5)
            let (m, n, k) = (33, 20, 47)
            let a = numbers.array([m, k])
            let b = numbers.array([k, n])
            let before = cmlx_kernel_blas_calls()
            let y = floats(MLXArray.make { cmlx_kernel_test_plain_matmul(a.handle, b.handle, $0) })
            #expect(cmlx_kernel_blas_calls() > before)
            let (x, z) = (doubles(a), doubles(b))
            let expected = (0..<m * n).map { i in
                Float((0..<k).reduce(0.0) { $0 + x[i / n * k + $1] * z[$1 * n + i % n] })
            }
            expectClose(y, expected, 2e-6)
        }

        @Test func infinitiesAndNaNsPassThrough() {
            forEachInstructionSet { isa in
                for m in [1, 12] {
                    for type in [DType.float32, .bfloat16] {
                        let x = array([.nan] + [Float](repeating: 1, count: m * 20 - 1), [m, 20], type)
                        let w = array([.infinity] + [Float](repeating: 1, count: 59), [3, 20], type)
                        let y = floats(Kernel.linear(x, weight: w, outputType: .float32))
                        #expect(y[0].isNaN && y[2].isNaN, "\(isa)")
                        if m > 1 { #expect(y[3] == .infinity && y[4] == 20, "\(isa)") }
                    }
                }
            }
        }
    }
}
