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
    /// - Returns: `[B, L, Hq, D]` in the type of q.
    public static func attention(
        _ q: MLXArray, _ k: MLXArray, _ v: MLXArray, scale: Float, causal: Bool
    ) -> MLXArray {
        .make { cmlx_kernel_attention(q.handle, k.handle, v.handle, scale, causal, $0) }
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
