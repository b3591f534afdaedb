// Attention and its scores against plain loops.
import CMLX
import Testing

@testable import MLX

extension KernelTests {
    @Suite struct Attention {
        struct Case: CustomTestStringConvertible, Sendable {
            var batch = 1
            var queries: Int
            var keys: Int
            var heads = 1
            var kvHeads = 1
            var width = 8
            var causal = false
            var testDescription: String {
                "B\(batch) L\(queries) S\(keys) H\(heads)/\(kvHeads) D\(width)\(causal ? " causal" : "")"
            }
            var q: [Int] { [batch, queries, heads, width] }
            var kv: [Int] { [batch, keys, kvHeads, width] }
            var scale: Float { 1.5 / Float(width).squareRoot() }
            func reference(_ v: [[Double]]) -> [Double] {
                Reference.attention(
                    v[0], v[1], v[2], batch: batch, queries: queries, keys: keys, heads: heads, kvHeads: kvHeads,
                    width: width, scale: Double(scale), causal: causal)
            }
        }

        static let cases = [
            Case(queries: 1, keys: 1, width: 5), Case(queries: 1, keys: 7, width: 24),
            Case(queries: 3, keys: 70, heads: 4, kvHeads: 2, width: 12, causal: true),
            Case(batch: 2, queries: 9, keys: 9, heads: 2, kvHeads: 2, width: 8, causal: true),
            Case(queries: 130, keys: 131, heads: 3, kvHeads: 1, width: 64, causal: true),
            Case(batch: 2, queries: 121, keys: 65, heads: 2, kvHeads: 2, width: 80),
            Case(queries: 1, keys: 2500, heads: 6, kvHeads: 2, width: 128, causal: true),
            Case(queries: 2, keys: 1025, heads: 7, kvHeads: 1, width: 33, causal: true),
            Case(queries: 5, keys: 64, width: 256),
            Case(queries: 1, keys: 700, heads: 6, kvHeads: 3, width: 96, causal: true),
            Case(batch: 2, queries: 4, keys: 300, heads: 12, kvHeads: 2, width: 128, causal: true),
            Case(queries: 3, keys: 129, heads: 7, kvHeads: 1, width: 64),
            Case(queries: 9, keys: 9, heads: 5, kvHeads: 1, width: 32, causal: true),
        ]

        @Test(arguments: cases, [(DType.float32, DType.float32), (.bfloat16, .bfloat16), (.float32, .bfloat16)])
        func matchesLoops(c: Case, types: (DType, DType)) {
            forEachInstructionSet { isa in
                var numbers = Numbers(17)
                let q = numbers.array(c.q, types.0, scale: 2)
                let k = numbers.array(c.kv, types.1, scale: 2)
                let v = numbers.array(c.kv, types.1)
                let y = Kernel.attention(q, k, v, scale: c.scale, causal: c.causal)
                #expect(y.shape == c.q && y.dtype == types.0)
                let expected = c.reference([q, k, v].map(doubles)).map { Float($0) }
                // bfloat16 rounds queries (2^-9 of scores of a few units) and weights before they are multiplied.
                expectClose(floats(y), expected, types.1 == .float32 ? 2e-6 : 0.008, "\(isa) \(types)")
            }
        }

        /// Each query and key is rounded with a scale of its own, where the processor has instructions for it and rows are many.
        @Test(arguments: cases, [DType.float32, .bfloat16]) func roundsQueriesAndKeysTo8Bits(c: Case, type: DType) {
            forEachInstructionSet { isa in
                var numbers = Numbers(23)
                let q = numbers.array(c.q, type, scale: 2), k = numbers.array(c.kv, type, scale: 2), v = numbers.array(c.kv, type)
                let y = Kernel.attention(q, k, v, scale: c.scale, causal: c.causal, int8: true)
                let exact = floats(Kernel.attention(q, k, v, scale: c.scale, causal: c.causal))
                // Decoding has few queries, and takes keys as they are.
                guard type == .bfloat16, isa == "avx512bf16", c.queries * c.heads / c.kvHeads > 120 else {
                    #expect(floats(y) == exact)
                    return
                }
                func rounded(_ a: MLXArray) -> [Double] {
                    let values = doubles(a)
                    return stride(from: 0, to: values.count, by: c.width).flatMap { at in
                        let row = values[at..<at + c.width], unit = row.map(abs).max()! / 127
                        return row.map { ($0 / unit).rounded(.toNearestOrEven) * unit }
                    }
                }
                let expected = c.reference([rounded(q), rounded(k), doubles(v)]).map { Float($0) }
                expectClose(floats(y), expected, 0.004, "\(isa)")
                #expect(floats(y) != exact)
            }
        }

        @Test(arguments: cases, [DType.float32, .bfloat16]) func gradientsMatchLoops(c: Case, type: DType) {
            forEachInstructionSet { isa in
                var numbers = Numbers(19)
                let arguments = [
                    numbers.array(c.q, type), numbers.array(c.kv, type), numbers.array(c.kv, type),
                ]
                let upstream = numbers.array(c.q, type)
                let actual = gradients(arguments, upstream: upstream) {
                    Kernel.attention($0[0], $0[1], $0[2], scale: c.scale, causal: c.causal)
                }
                let v = arguments.map(doubles)
                let expected = Reference.attentionGradients(
                    v[0], v[1], v[2], upstream: doubles(upstream), batch: c.batch, queries: c.queries, keys: c.keys,
                    heads: c.heads, kvHeads: c.kvHeads, width: c.width, scale: Double(c.scale), causal: c.causal)
                for (part, (a, e)) in zip(actual, expected).enumerated() {
                    // bfloat16 rounds weights and slopes before they are multiplied, and the result itself.
                    expectClose(a, e.map { Float($0) }, type == .float32 ? 3e-6 : 0.01, "\(isa) \(type) \(part)")
                }
            }
        }

        @Test func gradientFormulaMatchesDifferences() {
            let c = Case(batch: 2, queries: 3, keys: 5, heads: 4, kvHeads: 2, width: 3, causal: true)
            var numbers = Numbers(23)
            let v = [c.q, c.kv, c.kv].map { shape in numbers(shape.reduce(1, *)).map(Double.init) }
            let upstream = numbers(v[0].count).map(Double.init)
            let expected = Reference.gradients(v, upstream: upstream, c.reference)
            let actual = Reference.attentionGradients(
                v[0], v[1], v[2], upstream: upstream, batch: 2, queries: 3, keys: 5, heads: 4, kvHeads: 2, width: 3,
                scale: Double(c.scale), causal: true)
            for (a, e) in zip(actual, expected) { expectClose(a.map { Float($0) }, e, 1e-7) }
        }

        @Test(arguments: [(1, 1, 1, 1, 4), (3, 65, 2, 2, 24), (8, 1100, 6, 2, 64), (19, 130, 4, 1, 128)])
        func scoresMatchLoops(queries: Int, keys: Int, heads: Int, kvHeads: Int, width: Int) {
            forEachInstructionSet { isa in
                for type in [DType.float32, .bfloat16] {
                    var numbers = Numbers(29)
                    let q = numbers.array([queries, heads, width], type, scale: 3)
                    let k = numbers.array([keys, kvHeads, width], type)
                    let scale = 1 / Float(width).squareRoot()
                    let expected = Reference.attentionScores(
                        doubles(q), doubles(k), queries: queries, keys: keys, heads: heads, kvHeads: kvHeads,
                        width: width,
                        scale: Double(scale))
                    let y = Kernel.attentionScores(q, k, scale: scale)
                    #expect(y.shape == [keys] && y.dtype == .float32)
                    // Products of bfloat16 are exact in float32, so the type makes no difference.
                    let norm = Float(keys)  // the average score becomes 1
                    expectClose(floats(y).map { $0 * norm }, expected.map { Float($0) * norm }, 2e-6, "\(isa) \(type)")
                    #expect(abs(floats(y).reduce(0, +) - 1) < 1e-5)
                }
            }
        }

        @Test func readsSlicesInPlace() {
            // Keys and values as the halves of one buffer [B, S, 2, Hkv, D], queries from a fused [B, L, 3, H, D].
            forEachInstructionSet { isa in
                for type in [DType.float32, .bfloat16] {
                    var numbers = Numbers(31)
                    let cache = numbers.array([2, 90, 2, 2, 24], type)
                    let fused = numbers.array([2, 40, 3, 4, 24], type)
                    let q = slice(fused, axis: 2, 1)
                    let k = slice(cache, axis: 2, 0)
                    let v = slice(cache, axis: 2, 1)
                    let c = Case(batch: 2, queries: 40, keys: 90, heads: 4, kvHeads: 2, width: 24, causal: true)
                    let expected = c.reference([q, k, v].map(doubles))
                    let y = Kernel.attention(q, k, v, scale: c.scale, causal: true)
                    expectClose(floats(y), expected.map { Float($0) }, type == .float32 ? 2e-6 : 0.008, isa)
                }
            }
        }

        @Test func infinitiesAndNaNsPassThrough() {
            forEachInstructionSet { isa in
                for type in [DType.float32, .bfloat16] {
                    var numbers = Numbers(37)
                    var values = numbers(70 * 8)
                    values[3] = .nan
                    values[20] = .infinity
                    let bad = array(values, [1, 70, 1, 8], type)
                    let good = numbers.array([1, 70, 1, 8], type)
                    for (q, k, v) in [(bad, good, good), (good, bad, good), (good, good, bad)] {
                        let y = floats(Kernel.attention(q, k, v, scale: 1, causal: false))
                        #expect(y.count == 560 && y[3].isNaN, "\(isa)")
                    }
                    #expect(
                        floats(
                            Kernel.attentionScores(
                                array(Array(values[0..<16]), [2, 1, 8], type), array(values, [70, 1, 8], type), scale: 1
                            )
                        ).count == 70)
                }
            }
        }
    }
}
