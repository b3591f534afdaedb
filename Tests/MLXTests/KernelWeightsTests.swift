// Weights in integers against plain loops: quantising, products of every form, gradients with respect to x.
import CMLX
import Foundation
import Testing

@testable import MLX

/// MLX's affine format as documented: a group's integers, scale and bias.
private enum Affine {
    /// - Returns: `[n * k]` integers, `[n * k / group]` scales and biases, in float32 arithmetic.
    static func quantize(_ w: [Float], group: Int, bits: Int) -> (q: [Int], scales: [Float], biases: [Float]) {
        var result: (q: [Int], scales: [Float], biases: [Float]) = ([], [], [])
        let bins = Float((1 << bits) - 1)
        for start in stride(from: 0, to: w.count, by: group) {
            let part = w[start..<start + group]
            let (low, high) = (part.min() ?? 0, part.max() ?? 0)
            var scale = max((high - low) / bins, 1e-7)
            if abs(low) <= abs(high) { scale = -scale }
            let edge = abs(low) > abs(high) ? low : high
            let steps = (edge / scale).rounded(.toNearestOrEven)
            var bias: Float = 0
            if steps != 0 { (scale, bias) = (edge / steps, edge) }
            result.scales.append(scale)
            result.biases.append(bias)
            result.q += part.map { Int(min(max((($0 - bias) / scale).rounded(.toNearestOrEven), 0), bins)) }
        }
        return result
    }

    /// The integers of packed words.
    static func unpack(_ m: QuantizedMatrix) -> [Int] {
        m.weight.asArray(UInt32.self).flatMap { word in
            stride(from: 0, to: 32, by: m.bits).map { Int(word >> UInt32($0)) & ((1 << m.bits) - 1) }
        }
    }

    /// scale * q + bias in double precision: `[n * k]`.
    static func dequantize(_ m: QuantizedMatrix) -> [Double] {
        let (q, s, b) = (unpack(m), doubles(m.scales), doubles(m.biases))
        return q.indices.map { Double(q[$0]) * s[$0 / m.groupSize] + b[$0 / m.groupSize] }
    }
}

/// Runs `body` with each instruction set, then composed of MLX operations as on other devices.
private func forEachWay(_ body: (String) throws -> Void) rethrows {
    try forEachInstructionSet(body)
    cmlx_kernel_test_compose(true)
    defer { cmlx_kernel_test_compose(false) }
    try body("composed")
}

extension KernelTests {
    @Suite struct Weights {
        static let formats = [32, 64, 128].flatMap { group in [4, 8].map { (group, $0) } }
        static let types = [DType.float32, .bfloat16]
        /// Rows of x, rows of the weight, groups in a row of it.
        static let shapes = [(1, 1, 1), (1, 70, 2), (2, 3, 1), (3, 33, 5), (4, 65, 3), (5, 2, 9), (8, 20, 4), (9, 64, 1), (37, 130, 3)]

        @Test(arguments: formats, [DType.float32, .bfloat16, .float16])
        func quantizesAsMLXDoes(format: (Int, Int), type: DType) {
            let (group, bits) = format
            forEachInstructionSet { isa in
                var numbers = Numbers(51)
                var values = numbers(5 * 3 * group, scale: 0.1)
                for i in 0..<group {  // groups of zeros, of one number, all positive, one outlier
                    values[i] = 0
                    values[group + i] = 0.25
                    values[2 * group + i] = abs(values[2 * group + i]) + 1
                }
                values[4 * group + 5] = -30
                let w = array(values, [5, 3 * group], type)
                let m = Kernel.quantize(w, groupSize: group, bits: bits)
                #expect(m.shape == (5, 3 * group) && m.scales.dtype == type && m.scales.shape == [5, 3])
                var plain = [cmlx_array?](repeating: nil, count: 3)
                #expect(cmlx_kernel_test_plain_quantize(w.handle, Int32(group), Int32(bits), &plain) == 0)
                let mlx = plain.map { MLXArray(owning: $0!) }
                #expect(m.weight.asArray(UInt32.self) == mlx[0].asArray(UInt32.self), "\(isa)")
                #expect(floats(m.scales) == floats(mlx[1]) && floats(m.biases) == floats(mlx[2]), "\(isa)")
                let formula = Affine.quantize(floats(w), group: group, bits: bits)
                #expect(Affine.unpack(m) == formula.q, "\(isa)")
                expectClose(floats(m.scales), formula.scales, rounding(type), isa)
                expectClose(floats(m.biases), formula.biases, rounding(type), isa)
            }
        }

        @Test(arguments: formats, [DType.float32, .bfloat16, .float16])
        func dequantizesAndEmbeds(format: (Int, Int), type: DType) {
            forEachWay { way in
                var numbers = Numbers(53)
                let m = Kernel.quantize(numbers.array([7, format.0 * 3], type), groupSize: format.0, bits: format.1)
                let expected = Affine.dequantize(m)
                for output in [DType.float32, .bfloat16] {
                    let y = Kernel.dequantize(m, to: output)
                    #expect(y.shape == [7, format.0 * 3] && y.dtype == output)
                    expectClose(floats(y), expected.map { Float($0) }, rounding(output), way)
                    let ids = MLXArray([Int32(6), 0, -2, 6], [2, 2])
                    let rows = Kernel.embed(ids, m, outputType: output)
                    #expect(rows.shape == [2, 2, format.0 * 3] && rows.dtype == output)
                    let chosen = [6, 0, 5, 6].flatMap { expected[$0 * format.0 * 3..<($0 + 1) * format.0 * 3] }
                    expectClose(floats(rows), chosen.map { Float($0) }, rounding(output), way)
                }
                guard way != "composed" else { return }
                let beyond = floats(Kernel.embed(MLXArray([Int32(7), -8], [2]), m, outputType: .float32))
                #expect(beyond.filter { !$0.isNaN }.isEmpty, "\(way)")
            }
        }

        @Test(arguments: formats, types) func productsMatchLoops(format: (Int, Int), type: DType) {
            forEachWay { way in
                for (seed, (m, n, groups)) in Self.shapes.enumerated() {
                    let k = groups * format.0
                    var numbers = Numbers(UInt64(seed) + 57)
                    let scaleType = [DType.float32, .bfloat16, .float16][seed % 3]
                    let w = Kernel.quantize(numbers.array([n, k], scaleType), groupSize: format.0, bits: format.1)
                    let x = numbers.array([m, k], type)
                    let bias = seed % 2 == 0 ? nil : numbers.array([n], seed % 3 == 0 ? .bfloat16 : .float32)
                    let residual = seed % 3 == 1 ? nil : numbers.array([m, n])
                    for activation in [Kernel.Activation.none, .gelu] {
                        let y = Kernel.linear(
                            x, weight: w, bias: bias, activation: activation, residual: residual, outputType: .float32)
                        #expect(y.shape == [m, n] && y.dtype == .float32)
                        let expected = Reference.linear(
                            doubles(x), Affine.dequantize(w), bias.map(doubles), residual.map(doubles), m: m, n: n, k: k,
                            activation)
                        // Few rows: x keeps 16 bits of its group's range. Many rows of bfloat16: the weight is rounded to it.
                        // Composed: MLX multiplies and adds in the type of the scales, sums included.
                        let tolerance: Float =
                            way == "composed" && scaleType == .bfloat16 ? 0.05
                            : way == "composed" ? 0.01 : type == .bfloat16 && m > 8 ? 4e-3 : 5e-5
                        expectClose(
                            floats(y), expected.map { Float($0) }, tolerance,
                            "\(way) \(m)x\(n)x\(k) \(format) \(type) \(scaleType)")
                    }
                }
            }
        }

        @Test(arguments: formats, types) func gradientsReachTheInput(format: (Int, Int), type: DType) {
            forEachWay { way in
                for (m, n, groups) in [(1, 5, 1), (3, 4, 2), (12, 6, 1)] {
                    let k = groups * format.0
                    var numbers = Numbers(61)
                    let w = Kernel.quantize(numbers.array([n, k]), groupSize: format.0, bits: format.1)
                    let arguments = [numbers.array([m, k], type), numbers.array([n]), numbers.array([m, n])]
                    let upstream = numbers.array([m, n])
                    let actual = gradients(arguments, upstream: upstream) {
                        Kernel.linear(
                            $0[0], weight: w, bias: $0[1], activation: .silu, residual: $0[2], outputType: .float32)
                    }
                    let expected = Reference.gradients(arguments.map(doubles), upstream: doubles(upstream)) {
                        Reference.linear($0[0], Affine.dequantize(w), $0[1], $0[2], m: m, n: n, k: k, .silu)
                    }
                    for (part, (a, e)) in zip(actual, expected).enumerated() {
                        expectClose(a, e, type == .bfloat16 ? 0.01 : 2e-5, "\(way) \(part) \(m)x\(n)x\(k)")
                    }
                }
            }
        }

        @Test(arguments: types) func severalMapsOfOneInput(type: DType) {
            forEachWay { way in
                for m in [1, 3, 11] {
                    var numbers = Numbers(67)
                    let dense = numbers.array([70, 128], type)
                    let other = numbers.array([9, 128], type == .float32 ? .bfloat16 : .float32)
                    let q = Kernel.quantize(numbers.array([33, 128]), groupSize: 64, bits: 4)
                    let p = Kernel.quantize(numbers.array([33, 128]), groupSize: 32, bits: 8)
                    let (x, bias) = (numbers.array([m, 128], type), numbers.array([33]))
                    let maps: [Kernel.LinearMap] = [
                        .init(.quantized(q), bias: bias), .init(.dense(dense)), .init(.quantized(p)), .init(.dense(other)),
                    ]
                    let together = Kernel.linears(x, maps, outputType: .float32)
                    for (y, map) in zip(together, maps) {
                        #expect(floats(y) == floats(Kernel.linear(x, map, outputType: .float32)), "\(way) \(m)")
                    }
                    let gated = Kernel.gatedLinear(x, gate: maps[0], up: maps[2], outputType: .float32)
                    let (g, u) = (floats(together[0]), floats(together[2]))
                    #expect(gated.shape == [m, 33])
                    expectClose(floats(gated), zip(g, u).map { $0 / (1 + exp(-$0)) * $1 }, 2e-6, "\(way) \(m)")
                    let actual = gradients([x], upstream: numbers.array([m, 33])) {
                        Kernel.gatedLinear($0[0], gate: maps[0], up: maps[2], outputType: .float32)
                    }
                    var again = Numbers(67)  // the same upstream gradient
                    _ = (again.array([70, 128]), again.array([9, 128]), again.array([33, 128]), again.array([33, 128]))
                    _ = (again.array([m, 128]), again.array([33]))
                    let expected = Reference.gradients([doubles(x)], upstream: doubles(again.array([m, 33]))) {
                        let a = Reference.linear($0[0], Affine.dequantize(q), doubles(bias), nil, m: m, n: 33, k: 128, .silu)
                        let b = Reference.linear($0[0], Affine.dequantize(p), nil, nil, m: m, n: 33, k: 128, .none)
                        return zip(a, b).map(*)
                    }
                    // The gates are recomputed with x in 16 bits of its group's range.
                    expectClose(actual[0], expected[0], type == .bfloat16 ? 0.01 : 5e-5, "\(way) gradient \(m)")
                }
            }
        }

        @Test(arguments: types) func packedIntegersMatchLoops(type: DType) {
            forEachWay { way in
                for (seed, (m, n, k)) in [(1, 1, 1), (1, 40, 64), (3, 17, 515), (9, 33, 130), (40, 100, 1100)].enumerated() {
                    var numbers = Numbers(UInt64(seed) + 71)
                    let w = numbers.array([n, k], type)
                    let x = numbers.array([m, k], type)
                    let residual = numbers.array([m, n])
                    let packed = Int8Matrix(w)
                    #expect(packed.shape == (n, k))
                    let y = Kernel.linear(x, weight: packed, residual: residual, outputType: .float32)
                    let expected = Reference.linear(
                        doubles(x), doubles(w), nil, doubles(residual), m: m, n: n, k: k, .none)
                    // Each product is off by up to 1/127 of a block's largest number; uniform ones average out.
                    expectClose(
                        floats(y), expected.map { Float($0) }, 0.012 * Float(k).squareRoot() / (Float(k).squareRoot() / 2 + 1),
                        "\(way) \(m)x\(n)x\(k)")
                }
            }
        }

        @Test(arguments: formats, types) func integersInEightBits(format: (Int, Int), type: DType) {
            forEachWay { way in
                for (m, n, groups) in [(9, 1, 1), (14, 70, 9), (40, 130, 5), (12, 16, 20)] {
                    let k = groups * format.0
                    var numbers = Numbers(73)
                    let w = Kernel.quantize(numbers.array([n, k]), groupSize: format.0, bits: format.1)
                    let x = numbers.array([m, k], type)
                    let expected = Reference.linear(doubles(x), Affine.dequantize(w), nil, nil, m: m, n: n, k: k, .none)
                    let packed = Int8Matrix(w)
                    for y in [
                        Kernel.linear(x, weight: w, outputType: .float32, int8: true),
                        Kernel.linear(x, weight: packed, outputType: .float32),
                    ] {
                        // Rounding errors of 1/254 of the largest, of two uniform factors, add up as the root of K does.
                        expectClose(floats(y), expected.map { Float($0) }, 0.012, "\(way) \(m)x\(n)x\(k) \(format)")
                    }
                }
            }
        }

        /// Factors of 8 bits that are exact show what the activation alone costs: no more than a bfloat16 of 0.01 is off.
        @Test(arguments: types) func activationsOfEightBits(type: DType) {
            forEachInstructionSet { isa in
                let m = 640, k = 128
                // Around zero finely, and far from it.
                let fine: [Float] = (0..<320).map { Float($0) / 20 - 8 }, values = (fine + fine.map { $0 * 20 }).map { $0.rounded(toBits: 8) }
                let x = array((0..<m).flatMap { row in (0..<k).map { $0 == row % k ? values[row] : 0 } }, [m, k]).asType(type)
                let w = Int8Matrix(MLXArray.ones([3, k]))
                let y = floats(Kernel.linear(x, weight: w, activation: .gelu, outputType: .float32))
                let worst = (0..<m * 3).map { abs(Double(y[$0]) - Reference.activate(Double(values[$0 / 3]), .gelu)) }.max() ?? 1
                #expect(worst < 5e-5, "\(isa): \(worst)")
            }
        }

        /// What lets speculative decoding give the tokens of plain decoding.
        @Test(arguments: types) func fewRowsDoNotDependOnEachOther(type: DType) {
            forEachInstructionSet { isa in
                var numbers = Numbers(79)
                let (n, k) = (70, 2304)
                let x = numbers.array([8, k], type)
                let q = numbers.array([n, k])
                let maps: [Kernel.LinearMap] =
                    Self.formats.map { .init(.quantized(Kernel.quantize(q, groupSize: $0.0, bits: $0.1))) } + [
                        .init(.int8(Int8Matrix(q))), .init(.dense(q)), .init(.dense(Kernel.convert(q, to: .bfloat16))),
                    ]
                for map in maps {
                    let alone = (0..<8).flatMap { floats(Kernel.linear(slice(x, axis: 0, $0), map, outputType: .float32)) }
                    for m in 2...8 {
                        let part = MLXArray.make {
                            cmlx_slice(x.handle, [0, 0], [Int32(m), Int32(k)], [1, 1], $0)
                        }
                        #expect(floats(Kernel.linear(part, map, outputType: .float32)) == Array(alone[0..<m * n]), "\(isa) \(m)")
                    }
                }
            }
        }

        @Test func infinitiesAndNaNsShow() {
            forEachInstructionSet { isa in
                var numbers = Numbers(83)
                let w = Kernel.quantize(numbers.array([20, 128]), groupSize: 64, bits: 4)
                for (m, bad) in [(1, Float.nan), (3, .infinity), (12, .nan)] {
                    var values = numbers(m * 128)
                    values[70] = bad
                    for weight in [Kernel.Weight.quantized(w), .int8(Int8Matrix(w))] {
                        let y = floats(Kernel.linear(array(values, [m, 128]), .init(weight), outputType: .float32))
                        #expect(y[0..<20].allSatisfy { !$0.isFinite } && y[20...].allSatisfy(\.isFinite), "\(isa) \(m)")
                    }
                }
            }
        }

        @Test func wrongShapesAreTold() {
            let w = MLXArray.zeros([4, 8], dtype: .uint32)
            let s = MLXArray.zeros([4, 1])
            func problem(_ scales: MLXArray, _ group: Int, _ bits: Int) -> String? {
                QuantizedMatrix.problem(weight: w, scales: scales, biases: scales, groupSize: group, bits: bits)
            }
            #expect(problem(s, 64, 4) == nil)
            #expect(problem(s, 64, 3)?.contains("3 bits") == true)
            #expect(problem(s, 16, 4)?.contains("groups of 16") == true)
            #expect(problem(s, 32, 4)?.contains("[4, 1]") == true)
            #expect(problem(s.asType(.int32), 64, 4)?.contains("int32") == true)
            #expect(QuantizedMatrix.problem(weight: s, scales: s, biases: s, groupSize: 64, bits: 4)?.contains("uint32") == true)
        }
    }
}

extension Float {
    /// With so many bits of its significand.
    fileprivate func rounded(toBits bits: Int) -> Float { Float(bitPattern: bitPattern & ~((1 << (24 - UInt32(bits))) - 1)) }
}
