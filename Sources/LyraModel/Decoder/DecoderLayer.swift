// One layer of a Qwen2 decoder: grouped-query attention with rotary positions, gated feed-forward, RMS norms.
import MLX

/// Sizes of one decoder layer.
package struct DecoderLayerShape {
    var width, intermediateSize, queryHeads, keyValueHeads: Int
    var epsilon: Float
    var headDimension: Int { width / queryHeads }
}

extension DecoderLayerShape {
    init(_ configuration: LyraConfiguration) {
        self.init(
            width: configuration.hiddenSize, intermediateSize: configuration.intermediateSize,
            queryHeads: configuration.queryHeads, keyValueHeads: configuration.keyValueHeads,
            epsilon: configuration.rmsNormEpsilon)
    }
}

/// h = x + Attention(RMSNorm(x)); y = h + Down(SiLU(Gate(n)) * Up(n)), n = RMSNorm(h)
package struct DecoderLayer {
    let shape: DecoderLayerShape
    var query, key, value, output: Linear
    var gate, up, down: Linear
    let inputNorm, postAttentionNorm: RMSNorm

    init(_ parameters: Parameters, _ name: String, _ shape: DecoderLayerShape) {
        self.shape = shape
        let width = shape.width, keyValue = shape.keyValueHeads * shape.headDimension
        query = Linear(parameters, "\(name).self_attn.q_proj", in: width, out: width, bias: true)
        key = Linear(parameters, "\(name).self_attn.k_proj", in: width, out: keyValue, bias: true)
        value = Linear(parameters, "\(name).self_attn.v_proj", in: width, out: keyValue, bias: true)
        output = Linear(parameters, "\(name).self_attn.o_proj", in: width, out: width, bias: false)
        gate = Linear(parameters, "\(name).mlp.gate_proj", in: width, out: shape.intermediateSize, bias: false)
        up = Linear(parameters, "\(name).mlp.up_proj", in: width, out: shape.intermediateSize, bias: false)
        down = Linear(parameters, "\(name).mlp.down_proj", in: shape.intermediateSize, out: width, bias: false)
        inputNorm = RMSNorm(parameters, "\(name).input_layernorm", width, epsilon: shape.epsilon)
        postAttentionNorm = RMSNorm(parameters, "\(name).post_attention_layernorm", width, epsilon: shape.epsilon)
    }

    package mutating func attach(
        _ adapter: Adapter, _ parameters: Parameters, prefix: String, rank: Int, scale: Float, dropout: Dropout? = nil
    ) {
        for map in [\Self.query, \.key, \.value, \.output, \.gate, \.up, \.down] {
            self[keyPath: map].attach(adapter, parameters, prefix: prefix, rank: rank, scale: scale, dropout: dropout)
        }
    }

    /// Bytes that one pass reads of its matrices.
    var weightBytes: Int { [query, key, value, output, gate, up, down].reduce(0) { $0 + $1.nbytes } }

    private func heads(_ x: MLXArray, _ count: Int) -> MLXArray {
        x.reshaped([x.dim(0), x.dim(1), count, shape.headDimension])
    }

    /// Rotated keys of rows of the residual stream: [1, n, keyValueHeads, headDim].
    func keys(_ x: MLXArray, _ rotation: (cosine: MLXArray, sine: MLXArray), adapter: Adapter?) -> MLXArray {
        Kernel.rotary(
            heads(key(inputNorm(x), adapter: adapter), shape.keyValueHeads), cos: rotation.cosine, sin: rotation.sine)
    }

    /// Rotated queries of rows of the residual stream: [1, n, queryHeads, headDim].
    func queries(_ x: MLXArray, _ rotation: (cosine: MLXArray, sine: MLXArray), adapter: Adapter?) -> MLXArray {
        Kernel.rotary(
            heads(query(inputNorm(x), adapter: adapter), shape.queryHeads), cos: rotation.cosine, sin: rotation.sine)
    }

    /// x: [1, n, width] float32, the residual stream. The new tokens see all that the cache holds.
    func callAsFunction(
        _ x: MLXArray, _ rotation: (cosine: MLXArray, sine: MLXArray), cache: inout KVCache, adapter: Adapter? = nil
    ) -> MLXArray {
        var caches = [cache.take()]
        defer { cache = caches.removeLast() }
        return self(x, rotation, lengths: [x.dim(1)], caches: &caches, adapter: adapter)
    }

    /// The new tokens of several conversations end to end, `lengths` of each; they see what their own cache holds.
    func callAsFunction(
        _ x: MLXArray, _ rotation: (cosine: MLXArray, sine: MLXArray), lengths: [Int], caches: inout [KVCache],
        adapter: Adapter?
    ) -> MLXArray {
        if let whole = whole(x, rotation, lengths: lengths, caches: &caches, adapter: adapter) { return whole }
        return self(x, rotation, adapter: adapter) { q, k, v in
            var start = 0
            let attended = lengths.indices.map { i in
                let rows = start..<(start + lengths[i])
                start = rows.upperBound
                func part(_ x: MLXArray) -> MLXArray { lengths.count == 1 ? x : x[0..., rows] }
                let (keys, values) = caches[i].append(part(k), part(v))
                return Kernel.attention(part(q), keys, values, scale: scale, causal: true)
            }
            return attended.count == 1 ? attended[0] : concatenated(attended, axis: 1)
        }
    }

    /// All as one operation, where the kernels have one for it.
    private func whole(
        _ x: MLXArray, _ rotation: (cosine: MLXArray, sine: MLXArray), lengths: [Int], caches: inout [KVCache],
        adapter: Adapter?
    ) -> MLXArray? {
        let parts = [query, key, value, output, gate, up, down].compactMap { $0.parts(adapter) }
        guard parts.count == 7, caches.allSatisfy({ $0.storesRows(shape.headDimension) }) else { return nil }
        let layer = Kernel.DecoderLayer(
            query: parts[0], key: parts[1], value: parts[2], output: parts[3], gate: parts[4], up: parts[5], down: parts[6],
            inputNorm: inputNorm.weight, postAttentionNorm: postAttentionNorm.weight, epsilon: shape.epsilon,
            queryHeads: shape.queryHeads, keyValueHeads: shape.keyValueHeads, int8: query.usesInt8)
        var runs = lengths.indices.map {
            caches[$0].lend(
                lengths[$0], heads: shape.keyValueHeads, headDimension: shape.headDimension, type: inputNorm.outputType)
        }
        let result = Kernel.decoderLayer(
            x, cos: rotation.cosine, sin: rotation.sine, layer, runs: &runs, type: inputNorm.outputType)
        for i in runs.indices.reversed() { caches[i].giveBack(runs.removeLast(), written: result != nil) }
        return result
    }

    /// What scores are multiplied with.
    var scale: Float { 1 / Float(shape.headDimension).squareRoot() }

    /// `attend`: from queries, keys and values, [1, n, heads, headDim], to what the queries gather. `rows`: those that go on
    /// after attention, [m]; nil: all.
    func callAsFunction(
        _ x: MLXArray, _ rotation: (cosine: MLXArray, sine: MLXArray), adapter: Adapter?, rows: MLXArray? = nil,
        attend: (MLXArray, MLXArray, MLXArray) -> MLXArray
    ) -> MLXArray {
        let maps = [query, key, value](inputNorm(x), adapter: adapter)
        let q = Kernel.rotary(heads(maps[0], shape.queryHeads), cos: rotation.cosine, sin: rotation.sine)
        let k = Kernel.rotary(heads(maps[1], shape.keyValueHeads), cos: rotation.cosine, sin: rotation.sine)
        let v = heads(maps[2], shape.keyValueHeads)
        var attended = attend(q, k, v).reshaped(x.shape), x = x
        if let rows { (attended, x) = (attended[0][rows].expandedDimensions(axis: 0), x[0][rows].expandedDimensions(axis: 0)) }
        let h = output(attended, adapter: adapter, residual: x, outputType: .float32)
        let n = postAttentionNorm(h)
        let inner =
            gate.isAdapted(adapter) || up.isAdapted(adapter)
            ? Kernel.swiglu(gate: gate(n, adapter: adapter), up: up(n, adapter: adapter))
            : Kernel.gatedLinear(n, gate: gate.map, up: up.map, outputType: n.dtype, int8: gate.usesInt8)
        return down(inner, adapter: adapter, residual: h, outputType: .float32)
    }
}
