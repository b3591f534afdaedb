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
            var testDescription: String { "B\(batch) L\(queries) S\(keys) H\(heads)/\(kvHeads) D\(width)\(causal ? " causal" : "")" }
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
        ]

        @Test(arguments: cases, [(DType.float32, DType.float32), (.bfloat16, .bfloat16), (.float32, .bfloat16)])
        func matchesLoops(c: Case, types: (DType, DType)) {
            forEachInstructionSet { isa in
                var numbers = Numbers(17)
                let q = numbers.array(c.q, types.0, scale: 2), k = numbers.array(c.kv, types.1, scale: 2)
                let v = numbers.array(c.kv, types.1)
                let y = Kernel.attention(q, k, v, scale: c.scale, causal: c.causal)
                #expect(y.shape == c.q && y.dtype == types.0)
                let expected = c.reference([q, k, v].map(doubles)).map { Float($0) }
                // bfloat16 rounds queries (2^-9 of scores of a few units) and weights before they are multiplied.
                expectClose(floats(y), expected, types.1 == .float32 ? 2e-6 : 0.008, "\(isa) \(types)")
            }
        }

        @Test(arguments: cases.filter { $0.keys < 100 && $0.width < 64 }, [DType.float32, .bfloat16])
        func gradientsMatchDifferences(c: Case, type: DType) {
            forEachInstructionSet { isa in
                var numbers = Numbers(19)
                let arguments = [
                    numbers.array(c.q, type), numbers.array(c.kv, type), numbers.array(c.kv, type),
                ]
                let upstream = numbers.array(c.q, type)
                let actual = gradients(arguments, upstream: upstream) {
                    Kernel.attention($0[0], $0[1], $0[2], scale: c.scale, causal: c.causal)
                }
                let expected = Reference.gradients(arguments.map(doubles), upstream: doubles(upstream), c.reference)
                for (part, (a, e)) in zip(actual, expected).enumerated() {
                    expectClose(a, e, type == .float32 ? 5e-6 : 0.01, "\(isa) \(type) \(part)")
                }
            }
        }
    }
}
