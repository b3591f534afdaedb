// A decoder layer as one operation against the same layer of single operations.
import CMLX
import Testing

@testable import MLX

/// A layer with random weights of some form.
private struct Layer {
    let width = 128, inner = 192, heads = 4, keyValueHeads = 2
    var headDimension: Int { width / heads }
    var parts: Kernel.DecoderLayer
    let type: DType

    /// - Parameter adapted: whether every map has an adapter of rank 4.
    init(_ numbers: inout Numbers, type: DType, bits: Int?, adapted: Bool) {
        self.type = type
        let keyValue = keyValueHeads * width / heads
        func map(_ rows: Int, _ columns: Int, bias: Bool, _ numbers: inout Numbers) -> Kernel.AdaptedMap {
            let w = numbers.array([rows, columns], type, scale: 0.2)
            let weight = bits.map { Kernel.Weight.quantized(Kernel.quantize(w, groupSize: 64, bits: $0)) } ?? .dense(w)
            return Kernel.AdaptedMap(
                Kernel.LinearMap(weight, bias: bias ? numbers.array([rows], type, scale: 0.1) : nil),
                low: adapted ? (numbers.array([4, columns], type, scale: 0.2), numbers.array([rows, 4], type, scale: 0.2)) : nil)
        }
        parts = Kernel.DecoderLayer(
            query: map(width, width, bias: true, &numbers), key: map(keyValue, width, bias: true, &numbers),
            value: map(keyValue, width, bias: true, &numbers), output: map(width, width, bias: false, &numbers),
            gate: map(inner, width, bias: false, &numbers), up: map(inner, width, bias: false, &numbers),
            down: map(width, inner, bias: false, &numbers), inputNorm: numbers.array([width], type),
            postAttentionNorm: numbers.array([width], type), epsilon: 1e-6, queryHeads: heads,
            keyValueHeads: keyValueHeads, int8: false)
    }

    func buffer(_ rows: Int, _ numbers: inout Numbers) -> MLXArray {
        numbers.array([1, rows, keyValueHeads, headDimension], type, scale: 0.5)
    }

    /// x of single operations, and the keys and values of its tokens.
    func composed(
        _ x: MLXArray, cos: MLXArray, sin: MLXArray, tokens: [Int], past: [(keys: MLXArray, values: MLXArray)]
    ) -> (result: MLXArray, keys: MLXArray, values: MLXArray) {
        func linear(_ x: MLXArray, _ m: Kernel.AdaptedMap, residual: MLXArray? = nil, type: DType) -> MLXArray {
            var residual = residual
            if let low = m.low {
                residual = Kernel.linear(
                    Kernel.linear(x, weight: low.a), weight: low.b, residual: residual, outputType: .float32)
            }
            return Kernel.linear(x, m.map, residual: residual, outputType: type)
        }
        func heads(_ x: MLXArray, _ count: Int) -> MLXArray { x.reshaped([1, x.dim(1), count, headDimension]) }
        let n = Kernel.rmsNorm(x, weight: parts.inputNorm, eps: parts.epsilon, outputType: type)
        let q = Kernel.rotary(heads(linear(n, parts.query, type: type), self.heads), cos: cos, sin: sin)
        let k = Kernel.rotary(heads(linear(n, parts.key, type: type), keyValueHeads), cos: cos, sin: sin)
        let v = heads(linear(n, parts.value, type: type), keyValueHeads)
        var start = 0
        let attended = tokens.indices.map { i in
            let rows = start..<(start + tokens[i])
            start = rows.upperBound
            return Kernel.attention(
                q[0..., rows], concatenated([past[i].keys, k[0..., rows]], axis: 1),
                concatenated([past[i].values, v[0..., rows]], axis: 1), scale: 1 / Float(headDimension).squareRoot(),
                causal: true)
        }
        let h = linear(
            concatenated(attended, axis: 1).reshaped([1, x.dim(1), width]), parts.output, residual: x, type: .float32)
        let m = Kernel.rmsNorm(h, weight: parts.postAttentionNorm, eps: parts.epsilon, outputType: type)
        let inner =
            parts.gate.low != nil
            ? Kernel.swiglu(gate: linear(m, parts.gate, type: type), up: linear(m, parts.up, type: type))
            : Kernel.gatedLinear(m, gate: parts.gate.map, up: parts.up.map, outputType: type)
        return (linear(inner, parts.down, residual: h, type: .float32), k, v)
    }
}

@Suite(.serialized) struct KernelDecoderLayerTests {
    private static func address(_ array: MLXArray) -> UnsafeRawPointer? {
        var data: UnsafeRawPointer?
        return cmlx_array_data(array.handle, &data) == 0 ? data : nil
    }

    @Test(arguments: [[1], [3], [1, 2], [40]], [(DType.float32, Int?.none), (.bfloat16, nil), (.bfloat16, 4), (.float32, 8)])
    func isThatOfSingleOperations(tokens: [Int], form: (type: DType, bits: Int?)) {
        for adapted in [false, true] {
            var numbers = Numbers(UInt64(tokens.reduce(7, +)))
            let layer = Layer(&numbers, type: form.type, bits: form.bits, adapted: adapted)
            let count = tokens.reduce(0, +), half = layer.headDimension / 2
            let x = numbers.array([1, count, layer.width])
            let cos = numbers.array([count, half]), sin = numbers.array([count, half])
            let past = tokens.indices.map { 5 + 70 * $0 }
            let buffers = past.map { _ in (keys: layer.buffer(128, &numbers), values: layer.buffer(128, &numbers)) }
            forEachInstructionSet { set in
                let before = past.indices.map { (buffers[$0].keys[0..., ..<past[$0]], buffers[$0].values[0..., ..<past[$0]]) }
                let expected = layer.composed(x, cos: cos, sin: sin, tokens: tokens, past: before)
                var runs = past.indices.map {
                    Kernel.DecoderRun(tokens: tokens[$0], past: past[$0], keys: buffers[$0].keys, values: buffers[$0].values)
                }
                guard let result = Kernel.decoderLayer(x, cos: cos, sin: sin, layer.parts, runs: &runs, type: form.type) else {
                    Issue.record("no single operation")
                    return
                }
                let name = "\(set) \(form) \(tokens) adapted \(adapted)"
                expectClose(floats(result), floats(expected.result), 0, name)
                var start = 0
                for (i, run) in runs.enumerated() {
                    let rows = start..<(start + tokens[i]), written = past[i]..<(past[i] + tokens[i])
                    start = rows.upperBound
                    expectClose(floats(run.keys[0..., written].contiguous()), floats(expected.keys[0..., rows].contiguous()), 0, name)
                    expectClose(floats(run.values[0..., written].contiguous()), floats(expected.values[0..., rows].contiguous()), 0, name)
                    expectClose(floats(run.keys[0..., ..<past[i]].contiguous()), floats(before[i].0.contiguous()), 0, name)
                    // The buffers were held here too, so those are as they were.
                    #expect(Self.address(run.keys) != Self.address(buffers[i].keys))
                }
            }
        }
    }

    @Test func buffersOfOneOwnerAreWrittenInPlace() {
        var numbers = Numbers(3)
        let layer = Layer(&numbers, type: .float32, bits: nil, adapted: false)
        let half = layer.headDimension / 2
        func step(_ runs: inout [Kernel.DecoderRun]) {
            let result = Kernel.decoderLayer(
                numbers.array([1, 1, layer.width]), cos: numbers.array([1, half]), sin: numbers.array([1, half]), layer.parts,
                runs: &runs, type: .float32)
            result?.eval()
            runs[0].past += 1
        }
        var runs = [Kernel.DecoderRun(tokens: 1, past: 0, keys: layer.buffer(8, &numbers), values: layer.buffer(8, &numbers))]
        let first = (Self.address(runs[0].keys), Self.address(runs[0].values))
        for _ in 0..<3 { step(&runs) }
        #expect(Self.address(runs[0].keys) == first.0)
        #expect(Self.address(runs[0].values) == first.1)
        // Whoever keeps the buffer keeps what was in it.
        let kept = runs[0].keys, rows = floats(kept)
        step(&runs)
        #expect(floats(kept) == rows)
        #expect(floats(runs[0].keys) != rows)
    }

    @Test func elsewhereThereIsNone() {
        var numbers = Numbers(4)
        let layer = Layer(&numbers, type: .float32, bits: nil, adapted: false)
        let half = layer.headDimension / 2
        let x = numbers.array([1, 1, layer.width]), table = numbers.array([1, half])
        var runs = [Kernel.DecoderRun(tokens: 1, past: 2, keys: layer.buffer(8, &numbers), values: layer.buffer(8, &numbers))]
        let keys = floats(runs[0].keys)
        cmlx_kernel_test_compose(true)
        #expect(Kernel.decoderLayer(x, cos: table, sin: table, layer.parts, runs: &runs, type: .float32) == nil)
        cmlx_kernel_test_compose(false)
        // Weights in another type than products are taken in.
        var mixed = [Kernel.DecoderRun(
            tokens: 1, past: 2, keys: layer.buffer(8, &numbers).asType(.bfloat16), values: layer.buffer(8, &numbers).asType(.bfloat16))]
        #expect(Kernel.decoderLayer(x, cos: table, sin: table, layer.parts, runs: &mixed, type: .bfloat16) == nil)
        #expect(floats(runs[0].keys) == keys)
    }
}
