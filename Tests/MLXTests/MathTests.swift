// Operations element by element against the same on numbers.
import Foundation
import MLX
import Testing

/// Whether all numbers agree within `tolerance`, absolute below 1 and relative above.
func close(_ a: [Float], _ b: [Float], _ tolerance: Float = 1e-5) -> Bool {
    a.count == b.count && zip(a, b).allSatisfy { $0 == $1 || abs($0 - $1) <= tolerance * max(1, abs($1)) }
}

@Suite struct MathTests {
    let values: [Float] = [-2.5, -1, -0.3, 0, 0.5, 1, 3.25]

    @Test func arithmetic() {
        let a = MLXArray([7, -7, 9] as [Float])
        let b = MLXArray([2, 2, -4] as [Float])
        #expect((a + b).asArray(Float.self) == [9, -5, 5])
        #expect((a - b).asArray(Float.self) == [5, -9, 13])
        #expect((a * b).asArray(Float.self) == [14, -14, -36])
        #expect((a / b).asArray(Float.self) == [3.5, -3.5, -2.25])
        #expect((a % b).asArray(Float.self) == [1, 1, -3])
        #expect((b ** 2).asArray(Float.self) == [4, 4, 16])
        #expect((2 ** MLXArray([3, 4])).asArray(Int.self) == [8, 16])
        #expect((-a).asArray(Float.self) == [-7, 7, -9])
        #expect(a.floorDivide(b).asArray(Float.self) == [3, -4, -3])
        #expect((MLXArray([7, 8]) / 2).dtype == .float32)
        #expect(floorDivide(MLXArray([7, -7]), 2).asArray(Int.self) == [3, -4])
        var c = a
        c += 1
        c *= b
        #expect(c.asArray(Float.self) == [16, -12, -40])
        #expect(a.asArray(Float.self) == [7, -7, 9])
        #expect((MLXArray([1, 2], [2, 1]) + MLXArray([10, 20])).asArray(Int.self) == [11, 21, 12, 22])
    }

    @Test func numbersTakeTheTypeOfTheArray() {
        let half = MLXArray([1, 2]).asType(.bfloat16)
        #expect((half * 2.5).dtype == .bfloat16)
        #expect((1 - half).dtype == .bfloat16)
        #expect((half + Float(1)).dtype == .bfloat16)
        #expect(maximum(half, 0.5).dtype == .bfloat16)
        #expect(which(half .> 1, half, 0.0).dtype == .bfloat16)
        #expect((MLXArray([1, 2]) + 1).dtype == .int32)
        #expect((MLXArray([1, 2]) + 0.5).asArray(Float.self) == [1.5, 2.5])
        #expect((MLXArray([UInt8(250)]) + 10).item(Int.self) == 4)
        #expect((MLXArray([UInt8(3)]) + -1).item(Int.self) == 2)
        #expect((MLXArray([true]) + 1).dtype == .int32)
        #expect((half + MLXArray([1, 2] as [Float])).dtype == .float32)
    }

    @Test func comparisonAndLogic() {
        let a = MLXArray([1, 2, 3])
        #expect((a .== 2).asArray(Bool.self) == [false, true, false])
        #expect((a .!= 2).asArray(Bool.self) == [true, false, true])
        #expect((a .< 2).asArray(Bool.self) == [true, false, false])
        #expect((a .<= 2).asArray(Bool.self) == [true, true, false])
        #expect((a .> 2).asArray(Bool.self) == [false, false, true])
        #expect((2 .>= a).asArray(Bool.self) == [true, true, false])
        #expect(((a .> 1) .&& (a .< 3)).asArray(Bool.self) == [false, true, false])
        #expect(((a .== 1) .|| (a .== 3)).asArray(Bool.self) == [true, false, true])
        #expect((.!(a .== 1)).asArray(Bool.self) == [false, true, true])
        #expect((a & 1).asArray(Int.self) == [1, 0, 1])
        #expect((a | 4).asArray(Int.self) == [5, 6, 7])
        #expect((a ^ 1).asArray(Int.self) == [0, 3, 2])
        #expect((a << 2).asArray(Int.self) == [4, 8, 12])
        #expect((a >> 1).asArray(Int.self) == [0, 1, 1])
        #expect((~a).asArray(Int.self) == [-2, -3, -4])
    }

    @Test func functionsOfOneNumber() {
        let a = MLXArray(values)
        let positive = MLXArray(values.map { abs($0) + 0.1 })
        let table: [(String, MLXArray, (Float) -> Float, MLXArray)] = [
            ("abs", abs(a), { abs($0) }, a), ("square", square(a), { $0 * $0 }, a), ("exp", exp(a), { exp($0) }, a),
            ("expm1", expm1(a), { expm1($0) }, a), ("sin", sin(a), { sin($0) }, a), ("cos", cos(a), { cos($0) }, a),
            ("tan", tan(a), { tan($0) }, a), ("tanh", tanh(a), { tanh($0) }, a), ("erf", erf(a), { erf($0) }, a),
            ("sigmoid", sigmoid(a), { 1 / (1 + exp(-$0)) }, a), ("floor", floor(a), { floor($0) }, a),
            ("ceil", ceil(a), { ceil($0) }, a), ("sinh", sinh(a), { sinh($0) }, a), ("cosh", cosh(a), { cosh($0) }, a),
            ("atan", atan(a), { atan($0) }, a), ("negative", negative(a), { -$0 }, a),
            ("log", log(positive), { log($0) }, positive), ("log2", log2(positive), { log2($0) }, positive),
            ("log10", log10(positive), { log10($0) }, positive), ("log1p", log1p(positive), { log1p($0) }, positive),
            ("sqrt", sqrt(positive), { sqrt($0) }, positive), ("rsqrt", rsqrt(positive), { 1 / sqrt($0) }, positive),
            ("reciprocal", reciprocal(positive), { 1 / $0 }, positive),
        ]
        for (name, result, expected, input) in table {
            let numbers = input.asArray(Float.self).map(expected)
            #expect(close(result.asArray(Float.self), numbers, 1e-4), "\(name)")
        }
        #expect(sign(a).asArray(Float.self) == [-1, -1, -1, 0, 1, 1, 1])
        #expect(close(erfInverse(erf(MLXArray([0.3, -0.8]))).asArray(Float.self), [0.3, -0.8], 1e-4))
        #expect(round(MLXArray([0.5, 1.5, -2.5, 2.4])).asArray(Float.self) == [0, 2, -2, 2])
        #expect(close(round(MLXArray([1.2345]), decimals: 2).asArray(Float.self), [1.23]))
        #expect(close(exp(MLXArray([-1e4, 1e4])).asArray(Float.self), [0, .infinity]))
    }

    @Test func functionsOfTwoNumbers() {
        let (a, b) = (MLXArray([1, -2, .nan] as [Float]), MLXArray([-1, 2, 0] as [Float]))
        #expect(maximum(a, b).asArray(Float.self).prefix(2) == [1, 2])
        #expect(minimum(a, b).asArray(Float.self).prefix(2) == [-1, -2])
        #expect(maximum(a, b)[2].item(Float.self).isNaN)
        #expect(clip(MLXArray(values), min: -1, max: 1).asArray(Float.self) == [-1, -1, -0.3, 0, 0.5, 1, 1])
        #expect(clip(MLXArray([1, 5]), min: 2).asArray(Int.self) == [2, 5])
        #expect(clip(MLXArray([1, 5]), max: 2).asArray(Int.self) == [1, 2])
        #expect(close(logAddExp(MLXArray([1000.0]), 1000).asArray(Float.self), [1000 + log(Float(2))]))
        #expect(close(atan2(MLXArray([1.0]), MLXArray([-1.0])).asArray(Float.self), [2.3561945]))
        #expect(which(MLXArray([true, false]), MLXArray([1, 2]), 9).asArray(Int.self) == [1, 9])
        #expect(remainder(MLXArray([5]), 3).item(Int.self) == 2)
    }

    @Test func notANumber() {
        let a = MLXArray([1, .nan, .infinity, -.infinity] as [Float])
        #expect(isNaN(a).asArray(Bool.self) == [false, true, false, false])
        #expect(isInf(a).asArray(Bool.self) == [false, false, true, true])
        #expect(isFinite(a).asArray(Bool.self) == [true, false, false, false])
        #expect(nanToNum(a, nan: 7, posInf: 8, negInf: 9).asArray(Float.self) == [1, 7, 8, 9])
        #expect(!arrayEqual(a, a).item(Bool.self))
        #expect(arrayEqual(a, a, equalNaN: true).item(Bool.self))
        #expect(!arrayEqual(MLXArray([1, 2]), MLXArray([1, 2], [2, 1])).item(Bool.self))
        #expect(allClose(MLXArray([1.0]), MLXArray([1.000001])).item(Bool.self))
        #expect(!MLXArray([1.0]).allClose(MLXArray([1.1])).item(Bool.self))
        #expect(
            isClose(MLXArray([1.0, 2]), MLXArray([1.05, 3]), rtol: 0, atol: 0.1).asArray(Bool.self) == [true, false])
    }
}
