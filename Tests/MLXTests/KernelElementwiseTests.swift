// Activations, SwiGLU, sums, conversion, norms and rotary positions against plain formulas.
import CMLX
import Foundation
import Testing

@testable import MLX

extension KernelTests {
    @Suite struct Elementwise {
        static let types = [DType.float32, .bfloat16]

        @Test(arguments: types) func activations(type: DType) {
            typealias Case = (name: String, kernel: (MLXArray) -> MLXArray, formula: (Double) -> Double)
            let cases: [Case] = [
                ("gelu", Kernel.gelu, { Reference.activate($0, .gelu) }),
                ("quickGelu", Kernel.quickGelu, { Reference.activate($0, .quickGelu) }),
                ("silu", Kernel.silu, { Reference.activate($0, .silu) }),
                ("leakyRelu", { Kernel.leakyRelu($0, slope: 0.1) }, { $0 > 0 ? $0 : 0.1 * $0 }),
            ]
            forEachInstructionSet { isa in
                for count in [1, 15, 16, 17, 1000] {
                    var numbers = Numbers(UInt64(count))
                    let x = numbers.array([count], type, scale: 6)
                    let upstream = numbers.array([count])
                    for c in cases {
                        let what = "\(c.name) \(isa) \(type) \(count)"
                        // exp is good to 2e-7 relative, the normal distribution function to 1.5e-7 absolute.
                        expectClose(floats(c.kernel(x)), doubles(x).map { Float(c.formula($0)) }, rounding(type), what)
                        let expected = Reference.gradients([doubles(x)], upstream: doubles(upstream)) {
                            $0[0].map(c.formula)
                        }
                        let actual = gradients([x], upstream: Kernel.convert(upstream, to: type)) { c.kernel($0[0]) }
                        expectClose(actual[0], expected[0], type == .float32 ? 3e-6 : 0.02, "gradient of " + what)
                    }
                }
            }
        }

        @Test(arguments: types) func dropout(type: DType) {
            forEachInstructionSet { isa in
                let ones = MLXArray.full([257, 129], values: 1, dtype: type)
                for rate in [Float(0.05), 0.5] {
                    let kept = floats(Kernel.dropout(ones, rate: rate, seed: 7))
                    let share = Float(kept.count { $0 == 0 }) / Float(kept.count)
                    // Four standard deviations.
                    #expect(abs(share - rate) < 4 * (rate * (1 - rate) / Float(kept.count)).squareRoot(), "\(isa) \(share)")
                    #expect(kept.allSatisfy { $0 == 0 || abs($0 - 1 / (1 - rate)) < 0.01 })
                    // Gradients are dropped where values are; another seed drops others, independently.
                    let slopes = gradients([ones], upstream: ones) { Kernel.dropout($0[0], rate: rate, seed: 7) }[0]
                    #expect(slopes == kept, "\(isa)")
                    let other = floats(Kernel.dropout(ones, rate: rate, seed: 8))
                    let both = Float(zip(kept, other).count { $0 == 0 && $1 == 0 }) / Float(kept.count)
                    #expect(abs(both - rate * rate) < 4 * rate / Float(kept.count).squareRoot(), "\(isa) \(both)")
                }
                // Rows of a larger array lose what a copy of them would.
                var numbers = Numbers(3)
                let wide = numbers.array([10, 64], type)
                let half = wide[0..., ..<32]
                #expect(floats(Kernel.dropout(half, rate: 0.3, seed: 1)) == floats(Kernel.dropout(half + MLXArray(Float(0)).asType(type), rate: 0.3, seed: 1)))
            }
        }

        @Test func extremesStayFiniteOrPassThrough() {
            forEachInstructionSet { isa in
                let x = array([-1e30, -200, -88, 0, 88, 200, 1e30, .nan, .infinity], [9])
                for kernel in [Kernel.gelu, Kernel.quickGelu, Kernel.silu] {
                    let y = floats(kernel(x))
                    #expect(y[7].isNaN && y[8] == .infinity, "\(isa)")
                    expectClose(Array(y[0..<7]), [0, 0, 0, 0, 88, 200, 1e30], 1e-6, isa)
                }
            }
        }

        @Test(arguments: types) func swiglu(type: DType) {
            forEachInstructionSet { isa in
                for (rows, width) in [(1, 1), (3, 5), (2, 16), (5, 33), (40, 257)] {
                    var numbers = Numbers(5)
                    let gate = numbers(rows * width, scale: 4)
                    let up = numbers(rows * width)
                    let upstream = numbers.array([rows, width], type)
                    let separate = [array(gate, [rows, width], type), array(up, [rows, width], type)]
                    let both: [Float] = (0..<rows).flatMap { (r: Int) -> [Float] in
                        let range = r * width..<(r + 1) * width
                        return Array(gate[range]) + Array(up[range])
                    }
                    let fused = array(both, [rows, 2 * width], type)
                    let values = separate.map(doubles)
                    let expected = zip(values[0], values[1]).map { Float(Reference.activate($0, .silu) * $1) }
                    expectClose(
                        floats(Kernel.swiglu(gate: separate[0], up: separate[1])), expected, rounding(type), isa)
                    expectClose(floats(Kernel.swiglu(fused)), expected, rounding(type), "fused \(isa)")
                    guard rows < 40 else { continue }
                    let slopes = Reference.gradients(values, upstream: doubles(upstream)) {
                        zip($0[0], $0[1]).map { Reference.activate($0, .silu) * $1 }
                    }
                    let tolerance: Float = type == .float32 ? 3e-6 : 0.01
                    let actual = gradients(separate, upstream: upstream) { Kernel.swiglu(gate: $0[0], up: $0[1]) }
                    expectClose(actual[0], slopes[0], tolerance, "gate \(isa)")
                    expectClose(actual[1], slopes[1], tolerance, "up \(isa)")
                    let whole = gradients([fused], upstream: upstream) { Kernel.swiglu($0[0]) }[0]
                    for part in 0..<2 {
                        let half: [Float] = (0..<rows * width).map { (i: Int) -> Float in
                            whole[(i / width * 2 + part) * width + i % width]
                        }
                        expectClose(half, slopes[part], tolerance, "half \(part) \(isa)")
                    }
                }
            }
        }

        @Test func sumsAndConversions() {
            forEachInstructionSet { isa in
                for count in [1, 31, 5000] {
                    var numbers = Numbers(9)
                    let a = numbers.array([count])
                    let b = numbers.array([count], .bfloat16)
                    for type in [DType.float32, .bfloat16] {
                        let expected = zip(doubles(a), doubles(b)).map { Float($0 + $1) }
                        expectClose(floats(Kernel.add(a, b, outputType: type)), expected, rounding(type), isa)
                    }
                    for type in [DType.bfloat16, .float16] {
                        let there = Kernel.convert(a, to: type)
                        #expect(there.dtype == type)
                        expectClose(floats(there), floats(a), rounding(type) / 2, "\(isa) \(type)")
                        // What has been rounded once survives another trip unchanged.
                        #expect(floats(Kernel.convert(Kernel.convert(there, to: .float32), to: type)) == floats(there))
                    }
                }
                // Ties go to even; infinities and NaN stay.
                let special = array([1.001953125, 1.005859375, 3.4e38, -.infinity, .nan], [5], .bfloat16)
                let back = floats(special)
                #expect(back[0] == 1.0 && back[1] == 1.0078125 && back[2] == .infinity && back[3] == -.infinity)
                #expect(back[4].isNaN)
            }
        }

        @Test(arguments: types, types) func norms(type: DType, weightType: DType) {
            forEachInstructionSet { isa in
                for (rows, width) in [(1, 1), (2, 7), (3, 16), (4, 33), (50, 130)] {
                    var numbers = Numbers(11)
                    let x = numbers.array([rows, width], type, scale: 3)
                    let upstream = numbers.array([rows, width])
                    let w = numbers.array([width], weightType)
                    let b = numbers.array([width], weightType)
                    for centred in [false, true] {
                        let arguments = centred ? [x, w, b] : [x, w]
                        func reference(_ v: [[Double]]) -> [Double] {
                            Reference.norm(v[0], v[1], centred ? v[2] : nil, width: width, centred: centred, eps: 1e-5)
                        }
                        func kernel(_ v: [MLXArray]) -> MLXArray {
                            centred
                                ? Kernel.layerNorm(v[0], weight: v[1], bias: v[2], eps: 1e-5, outputType: .float32)
                                : Kernel.rmsNorm(v[0], weight: v[1], eps: 1e-5, outputType: .float32)
                        }
                        let what = "\(isa) \(type) \(weightType) \(rows)x\(width) \(centred)"
                        let expected = reference(arguments.map(doubles))
                        expectClose(floats(kernel(arguments)), expected.map { Float($0) }, 2e-6, what)
                        guard rows < 50 else { continue }
                        let slopes = Reference.gradients(arguments.map(doubles), upstream: doubles(upstream), reference)
                        for (i, (a, e)) in zip(gradients(arguments, upstream: upstream, kernel), slopes).enumerated() {
                            let rounded = i == 0 ? type : weightType
                            expectClose(a, e, rounded == .float32 ? 2e-5 : 0.01, "gradient \(i) \(what)")
                        }
                    }
                    let plain = Kernel.layerNorm(x, weight: nil, bias: nil, eps: 1e-5, outputType: .float32)
                    let expected = Reference.norm(doubles(x), nil, nil, width: width, centred: true, eps: 1e-5)
                    expectClose(floats(plain), expected.map { Float($0) }, 2e-6, "plain \(isa) \(rows)x\(width)")
                }
            }
        }

        @Test(arguments: types) func rotary(type: DType) {
            forEachInstructionSet { isa in
                for shape in [[1, 1, 1, 2], [2, 3, 2, 10], [1, 5, 3, 32], [2, 4, 2, 72]] {
                    var numbers = Numbers(13)
                    let x = numbers.array(shape, type)
                    let upstream = numbers.array(shape, type)
                    let angles = numbers(shape[1] * shape[3] / 2, scale: 3)
                    let cosines = array(angles.map { cosf($0) }, [shape[1], shape[3] / 2])
                    let sines = array(angles.map { sinf($0) }, [shape[1], shape[3] / 2])
                    func reference(_ v: [[Double]]) -> [Double] {
                        Reference.rotary(v[0], cos: doubles(cosines), sin: doubles(sines), shape: shape)
                    }
                    let y = Kernel.rotary(x, cos: cosines, sin: sines)
                    expectClose(floats(y), reference([doubles(x)]).map { Float($0) }, rounding(type), "\(isa) \(shape)")
                    let actual = gradients([x], upstream: upstream) { Kernel.rotary($0[0], cos: cosines, sin: sines) }
                    let expected = Reference.gradients([doubles(x)], upstream: doubles(upstream), reference)
                    expectClose(actual[0], expected[0], rounding(type) * 2, "gradient \(isa) \(shape)")
                }
            }
        }
    }
}
