// Convolutions and transposed convolutions against plain loops.
import CMLX
import Testing

@testable import MLX

extension KernelTests {
    @Suite struct Convolution {
        struct Case: CustomTestStringConvertible, Sendable {
            var batch: Int
            var length: Int
            var input: Int
            var output: Int
            var kernel: Int
            var stride = 1
            var padding = 0
            var dilation = 1
            var testDescription: String {
                "N\(batch) L\(length) \(input)->\(output) k\(kernel) s\(stride) p\(padding) d\(dilation)"
            }
        }

        static let cases = [
            Case(batch: 1, length: 1, input: 1, output: 1, kernel: 1),
            Case(batch: 2, length: 10, input: 3, output: 5, kernel: 3, stride: 4),
            Case(batch: 1, length: 30, input: 16, output: 32, kernel: 3, padding: 1),
            Case(batch: 2, length: 31, input: 20, output: 17, kernel: 3, stride: 2, padding: 1),
            Case(batch: 1, length: 40, input: 8, output: 4, kernel: 7, padding: 9, dilation: 3),
            Case(batch: 1, length: 12, input: 33, output: 1, kernel: 4, stride: 3, padding: 2),
        ]

        @Test(arguments: cases, [DType.float32, .bfloat16]) func forwards(c: Case, type: DType) {
            forEachInstructionSet { isa in
                for activation in [Kernel.Activation.none, .gelu] {
                    var numbers = Numbers(41)
                    let arguments = [
                        numbers.array([c.batch, c.length, c.input], type),
                        numbers.array([c.output, c.input, c.kernel], type), numbers.array([c.output]),
                    ]
                    func reference(_ v: [[Double]]) -> [Double] {
                        Reference.conv1d(
                            v[0], v[1], v[2], batch: c.batch, length: c.length, input: c.input, output: c.output,
                            kernel: c.kernel, stride: c.stride, padding: c.padding, dilation: c.dilation, activation)
                    }
                    check(arguments, type: type, "\(isa) \(activation)", reference) {
                        Kernel.conv1d(
                            $0[0], weight: $0[1], bias: $0[2], stride: c.stride, padding: c.padding,
                            dilation: c.dilation,
                            activation: activation)
                    }
                }
            }
        }

        @Test(arguments: cases.filter { $0.dilation == 1 }, [DType.float32, .bfloat16])
        func transposed(c: Case, type: DType) {
            guard (c.length - 1) * c.stride + c.kernel > 2 * c.padding else { return }
            forEachInstructionSet { isa in
                var numbers = Numbers(43)
                let arguments = [
                    numbers.array([c.batch, c.length, c.input], type),
                    numbers.array([c.input, c.output, c.kernel], type),
                    numbers.array([c.output]),
                ]
                func reference(_ v: [[Double]]) -> [Double] {
                    Reference.convTransposed1d(
                        v[0], v[1], v[2], batch: c.batch, length: c.length, input: c.input, output: c.output,
                        kernel: c.kernel, stride: c.stride, padding: c.padding)
                }
                check(arguments, type: type, isa, reference) {
                    Kernel.convTransposed1d($0[0], weight: $0[1], bias: $0[2], stride: c.stride, padding: c.padding)
                }
            }
        }

        func check(
            _ arguments: [MLXArray], type: DType, _ what: String, _ reference: ([[Double]]) -> [Double],
            _ kernel: @escaping ([MLXArray]) -> MLXArray
        ) {
            let values = arguments.map(doubles)
            let expected = reference(values)
            let y = kernel(arguments)
            expectClose(floats(y), expected.map { Float($0) }, type == .float32 ? 2e-6 : rounding(type), what)
            var numbers = Numbers(47)
            let upstream = numbers.array(y.shape, type)
            // The formula is linear but for the activation, so differences are exact enough on a few hundred weights.
            guard values.reduce(0, { $0 + $1.count }) < 1200 else { return }
            let slopes = Reference.gradients(values, upstream: doubles(upstream), reference)
            for (part, (a, e)) in zip(gradients(arguments, upstream: upstream, kernel), slopes).enumerated() {
                expectClose(a, e, type == .float32 ? 5e-6 : 0.01, "gradient \(part) \(what)")
            }
        }
    }
}
