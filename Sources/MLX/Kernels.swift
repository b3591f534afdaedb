// Fused kernels: the operations a transformer spends its time in, one call and one graph node each.
import CMLX

/// Fused operations with gradients. On a CPU they run on oneDNN and hand-vectorised code, several times faster than the
/// same formula in array operations; elsewhere they are composed of array operations.
///
/// Arrays are `float32` or `bfloat16`; sums are taken in `float32`. Arguments of wrong shapes are a programmer's error
/// and trap, as for every array operation.
public enum Kernel {
    /// What is applied to a result before it is stored.
    public enum Activation: UInt32, Sendable {
        case none = 0
        /// x (1 + erf(x / sqrt 2)) / 2
        case gelu
        /// x sigmoid(1.702 x)
        case quickGelu
        case relu
        /// x sigmoid(x)
        case silu

        var c: cmlx_activation { cmlx_activation(rawValue: rawValue) }
    }

    /// Product of the matrices in the last two axes, either taken transposed. Leading axes are equal, or absent in b.
    public static func matmul(
        _ a: MLXArray, _ b: MLXArray, transposeA: Bool = false, transposeB: Bool = false, outputType: DType? = nil
    ) -> MLXArray {
        .make { cmlx_kernel_matmul(a.handle, b.handle, transposeA, transposeB, (outputType ?? a.dtype).c, $0) }
    }

    /// softmax(scale q kᵀ) v, without ever holding the `[L, S]` matrix.
    ///
    /// - Parameters:
    ///   - q: `[B, L, Hq, D]`
    ///   - k: `[B, S, Hkv, D]`, Hkv divides Hq (grouped queries). Slices of a larger buffer are read in place.
    ///   - v: `[B, S, Hkv, D]`
    ///   - causal: query i sees keys j <= i + (S - L).
    ///   - int8: whether many queries and their keys in `bfloat16` may be rounded to 8-bit integers, each with a scale of its
    ///     own, which is faster. Has no gradient then.
    /// - Returns: `[B, L, Hq, D]` in the type of q.
    public static func attention(
        _ q: MLXArray, _ k: MLXArray, _ v: MLXArray, scale: Float, causal: Bool, int8: Bool = false
    ) -> MLXArray {
        .make { cmlx_kernel_attention(q.handle, k.handle, v.handle, scale, causal, int8, $0) }
    }

    /// How much the queries look at each key: softmax(scale q kᵀ) over all keys, averaged over heads and queries.
    ///
    /// - Parameters:
    ///   - q: `[Lq, Hq, D]`
    ///   - k: `[S, Hkv, D]`
    /// - Returns: `[S]` in `float32`; sums to one. Has no gradient.
    public static func attentionScores(_ q: MLXArray, _ k: MLXArray, scale: Float) -> MLXArray {
        .make { cmlx_kernel_attention_scores(q.handle, k.handle, scale, $0) }
    }

    /// x / sqrt(mean(x²) + eps) * weight over the last axis, statistics in `float32`.
    public static func rmsNorm(_ x: MLXArray, weight: MLXArray, eps: Float, outputType: DType? = nil) -> MLXArray {
        .make { cmlx_kernel_rms_norm(x.handle, weight.handle, eps, (outputType ?? x.dtype).c, $0) }
    }

    /// (x - mean) / sqrt(variance + eps) * weight + bias over the last axis, statistics in `float32`.
    public static func layerNorm(
        _ x: MLXArray, weight: MLXArray?, bias: MLXArray?, eps: Float, outputType: DType? = nil
    ) -> MLXArray {
        .make { cmlx_kernel_layer_norm(x.handle, weight?.handle, bias?.handle, eps, (outputType ?? x.dtype).c, $0) }
    }

    /// silu(gate) * up, arrays of one shape.
    public static func swiglu(gate: MLXArray, up: MLXArray) -> MLXArray {
        .make { cmlx_kernel_swiglu(gate.handle, up.handle, $0) }
    }

    /// silu(gate) * up, the gate in the first half of the last axis and up in the second: `[..., 2F]` -> `[..., F]`.
    public static func swiglu(_ fused: MLXArray) -> MLXArray {
        .make { cmlx_kernel_swiglu(fused.handle, nil, $0) }
    }

    /// x (1 + erf(x / sqrt 2)) / 2
    public static func gelu(_ x: MLXArray) -> MLXArray { activation(x, CMLX_ACTIVATION_GELU) }

    /// x sigmoid(1.702 x)
    public static func quickGelu(_ x: MLXArray) -> MLXArray { activation(x, CMLX_ACTIVATION_QUICK_GELU) }

    /// x sigmoid(x)
    public static func silu(_ x: MLXArray) -> MLXArray { activation(x, CMLX_ACTIVATION_SILU) }

    /// x where positive, slope * x elsewhere.
    public static func leakyRelu(_ x: MLXArray, slope: Float) -> MLXArray {
        activation(x, CMLX_ACTIVATION_LEAKY_RELU, parameter: slope)
    }

    private static func activation(_ x: MLXArray, _ kind: cmlx_activation, parameter: Float = 0) -> MLXArray {
        .make { cmlx_kernel_activation(x.handle, kind, parameter, $0) }
    }

    /// A linear layer and the factors of what an adapter adds to it: `[rank, K]` and `[N, rank]`.
    public struct AdaptedMap {
        public var map: LinearMap
        public var low: (a: MLXArray, b: MLXArray)?

        public init(_ map: LinearMap, low: (a: MLXArray, b: MLXArray)? = nil) { (self.map, self.low) = (map, low) }

        var c: cmlx_adapted { cmlx_adapted(map: map.c, low_a: low?.a.handle, low_b: low?.b.handle) }
    }

    /// The parts of one layer of a Qwen2 decoder.
    public struct DecoderLayer {
        public var query, key, value, output, gate, up, down: AdaptedMap
        /// `[width]`
        public var inputNorm, postAttentionNorm: MLXArray
        public var epsilon: Float
        public var queryHeads, keyValueHeads: Int
        /// As of ``linear(_:_:activation:residual:outputType:int8:)``.
        public var int8: Bool

        public init(
            query: AdaptedMap, key: AdaptedMap, value: AdaptedMap, output: AdaptedMap, gate: AdaptedMap, up: AdaptedMap,
            down: AdaptedMap, inputNorm: MLXArray, postAttentionNorm: MLXArray, epsilon: Float, queryHeads: Int,
            keyValueHeads: Int, int8: Bool
        ) {
            (self.query, self.key, self.value, self.output) = (query, key, value, output)
            (self.gate, self.up, self.down) = (gate, up, down)
            (self.inputNorm, self.postAttentionNorm, self.epsilon) = (inputNorm, postAttentionNorm, epsilon)
            (self.queryHeads, self.keyValueHeads, self.int8) = (queryHeads, keyValueHeads, int8)
        }
    }

    /// New tokens of one conversation, for ``decoderLayer(_:cos:sin:_:runs:type:)``.
    public struct DecoderRun {
        /// How many are new, and how many came before.
        public var tokens, past: Int
        /// `[1, capacity, keyValueHeads, D]`, with room for the new rows. Whoever hands them over keeps no other reference:
        /// then they are written in place, and else copied.
        public var keys, values: MLXArray

        public init(tokens: Int, past: Int, keys: MLXArray, values: MLXArray) {
            (self.tokens, self.past, self.keys, self.values) = (tokens, past, keys, values)
        }
    }

    /// A whole decoder layer as one operation: h = x + output(attention(norm(x))), then h + down(silu(gate(m)) * up(m)) with
    /// m = norm(h). Saves recording and scheduling some twenty operations for every new token.
    ///
    /// - Parameters:
    ///   - x: `[1, N, width]` in `float32`, the tokens of all runs end to end.
    ///   - cos, sin: `[N, D / 2]` in `float32`.
    ///   - runs: their keys and values become those with the new rows.
    ///   - type: what products are taken in.
    /// - Returns: `[1, N, width]` in `float32`; nil, with nothing done, where a layer is no single operation: with gradients,
    ///   on other devices than a CPU, with weights of another type.
    public static func decoderLayer(
        _ x: MLXArray, cos: MLXArray, sin: MLXArray, _ layer: DecoderLayer, runs: inout [DecoderRun], type: DType
    ) -> MLXArray? {
        var parts = cmlx_decoder_layer(
            query: layer.query.c, key: layer.key.c, value: layer.value.c, output: layer.output.c, gate: layer.gate.c,
            up: layer.up.c, down: layer.down.c, input_norm: layer.inputNorm.handle,
            post_attention_norm: layer.postAttentionNorm.handle, eps: layer.epsilon, query_heads: int32(layer.queryHeads),
            kv_heads: int32(layer.keyValueHeads), int8: layer.int8)
        defer { withExtendedLifetime(layer) {} }
        let caches: [cmlx_array?] = runs.flatMap { [$0.keys.handle, $0.values.handle] }
        var results = [cmlx_array?](repeating: nil, count: 1 + caches.count)
        unfailing {
            try MLXError.check(
                cmlx_kernel_decoder_layer(
                    x.handle, cos.handle, sin.handle, &parts, runs.map { int32($0.tokens) }, runs.map { int32($0.past) },
                    runs.count, caches, type.c, &results))
        }
        let arrays = results.compactMap { $0.map(MLXArray.init(owning:)) }
        guard arrays.count == results.count else { return nil }
        for i in runs.indices { (runs[i].keys, runs[i].values) = (arrays[1 + 2 * i], arrays[2 + 2 * i]) }
        return arrays[0]
    }

    /// Rotary position embedding by half rotation: with x1, x2 the halves of D, (x1 cos - x2 sin, x2 cos + x1 sin).
    ///
    /// - Parameters:
    ///   - x: `[B, L, H, D]`
    ///   - cos: `[L, D/2]` in `float32`, for the positions of x.
    ///   - sin: `[L, D/2]` in `float32`.
    /// - Returns: `[B, L, H, D]` in the type of x.
    public static func rotary(_ x: MLXArray, cos: MLXArray, sin: MLXArray) -> MLXArray {
        .make { cmlx_kernel_rotary(x.handle, cos.handle, sin.handle, $0) }
    }

    /// activation(convolution of x along L + bias).
    ///
    /// - Parameters:
    ///   - x: `[N, L, Cin]`
    ///   - weight: `[Cout, Cin, k]` as it lies in a checkpoint.
    ///   - bias: `[Cout]`
    /// - Returns: `[N, (L + 2 padding - dilation (k - 1) - 1) / stride + 1, Cout]` in the type of x.
    public static func conv1d(
        _ x: MLXArray, weight: MLXArray, bias: MLXArray? = nil, stride: Int = 1, padding: Int = 0, dilation: Int = 1,
        activation: Activation = .none
    ) -> MLXArray {
        .make {
            cmlx_kernel_conv1d(
                x.handle, weight.handle, bias?.handle, Int32(stride), Int32(padding), Int32(dilation), activation.c, $0)
        }
    }

    /// Transposed convolution (upsampling by `stride`) of x along L + bias.
    ///
    /// - Parameters:
    ///   - x: `[N, L, Cin]`
    ///   - weight: `[Cin, Cout, k]` as it lies in a checkpoint.
    ///   - bias: `[Cout]`
    /// - Returns: `[N, (L - 1) stride - 2 padding + k, Cout]` in the type of x.
    public static func convTransposed1d(
        _ x: MLXArray, weight: MLXArray, bias: MLXArray? = nil, stride: Int = 1, padding: Int = 0
    ) -> MLXArray {
        .make {
            cmlx_kernel_conv_transposed1d(x.handle, weight.handle, bias?.handle, Int32(stride), Int32(padding), $0)
        }
    }

    /// Sets a share of the elements to zero, chosen by `seed` and their places, and divides the others by `1 - rate`.
    public static func dropout(_ x: MLXArray, rate: Float, seed: UInt64) -> MLXArray {
        .make { cmlx_kernel_dropout(x.handle, rate, seed, $0) }
    }

    /// a + b of one shape; the types may differ, the result has the type of a unless given.
    public static func add(_ a: MLXArray, _ b: MLXArray, outputType: DType? = nil) -> MLXArray {
        .make { cmlx_kernel_add(a.handle, b.handle, (outputType ?? a.dtype).c, $0) }
    }

    /// Conversion between `float32`, `bfloat16` and `float16`.
    public static func convert(_ x: MLXArray, to type: DType) -> MLXArray {
        .make { cmlx_kernel_convert(x.handle, type.c, $0) }
    }
}
