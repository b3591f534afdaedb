// C interface to the fused kernels: what a transformer needs and MLX does slowly or not at all on a CPU.
//
// Same conventions as cmlx.h. Every function records one lazy operation with gradients. On a CPU it runs on oneDNN and
// hand-vectorised code; on another device it is composed of MLX operations. Types are float32 or bfloat16 unless said
// otherwise, sums are taken in float32. A handle documented as optional may be NULL.
#pragma once
#include "cmlx.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
    CMLX_ACTIVATION_NONE = 0,
    CMLX_ACTIVATION_GELU,       // x * (1 + erf(x / sqrt 2)) / 2
    CMLX_ACTIVATION_QUICK_GELU, // x * sigmoid(1.702 x)
    CMLX_ACTIVATION_RELU,
    CMLX_ACTIVATION_SILU,       // x * sigmoid(x)
    CMLX_ACTIVATION_LEAKY_RELU, // x > 0 ? x : parameter * x
} cmlx_activation;

/// activation(x W^T + bias) + residual; x [..., K], weight [N, K], optional bias [N], optional residual [..., N].
int cmlx_kernel_linear(cmlx_array x, cmlx_array weight, cmlx_array bias, cmlx_activation activation,
                       cmlx_array residual, cmlx_dtype output, cmlx_array *out);
/// a b of matrices in the last two axes, each optionally transposed; leading axes equal, or absent in b.
int cmlx_kernel_matmul(cmlx_array a, cmlx_array b, bool transpose_a, bool transpose_b, cmlx_dtype output,
                       cmlx_array *out);
/// softmax(scale q k^T) v; q [B, L, Hq, D], k and v [B, S, Hkv, D]. causal: query i sees keys j <= i + (S - L).
int cmlx_kernel_attention(cmlx_array q, cmlx_array k, cmlx_array v, float scale, bool causal, cmlx_array *out);
/// [S] float32: softmax(scale q k^T) over all keys, averaged over heads and queries; q [Lq, Hq, D], k [S, Hkv, D].
int cmlx_kernel_attention_scores(cmlx_array q, cmlx_array k, float scale, cmlx_array *out);
/// x / rms(x) * weight over the last axis.
int cmlx_kernel_rms_norm(cmlx_array x, cmlx_array weight, float eps, cmlx_dtype output, cmlx_array *out);
/// (x - mean) / std * weight + bias over the last axis; weight and bias optional.
int cmlx_kernel_layer_norm(cmlx_array x, cmlx_array weight, cmlx_array bias, float eps, cmlx_dtype output,
                           cmlx_array *out);
/// silu(gate) * up; with up NULL, gate holds both as halves of its last axis.
int cmlx_kernel_swiglu(cmlx_array gate, cmlx_array up, cmlx_array *out);
/// An elementwise activation; `parameter` is the slope of a leaky ReLU.
int cmlx_kernel_activation(cmlx_array x, cmlx_activation activation, float parameter, cmlx_array *out);
/// Half rotation: with x1, x2 the halves of D, x1 cos - x2 sin and x2 cos + x1 sin; x [B, L, H, D], cos, sin [L, D/2].
int cmlx_kernel_rotary(cmlx_array x, cmlx_array cos, cmlx_array sin, cmlx_array *out);
/// x [N, L, Cin], weight [Cout, Cin, k], optional bias [Cout] -> activation(conv) [N, Lout, Cout].
int cmlx_kernel_conv1d(cmlx_array x, cmlx_array weight, cmlx_array bias, int stride, int padding, int dilation,
                       cmlx_activation activation, cmlx_array *out);
/// x [N, L, Cin], weight [Cin, Cout, k], optional bias [Cout] -> [N, (L - 1) stride - 2 padding + k, Cout].
int cmlx_kernel_conv_transposed1d(cmlx_array x, cmlx_array weight, cmlx_array bias, int stride, int padding,
                                  cmlx_array *out);
/// a + b of one shape.
int cmlx_kernel_add(cmlx_array a, cmlx_array b, cmlx_dtype output, cmlx_array *out);
/// Conversion between float32, bfloat16 and float16.
int cmlx_kernel_convert(cmlx_array x, cmlx_dtype output, cmlx_array *out);

/// The instruction set in use: 0 portable, 1 AVX2, 2 AVX-512, 3 AVX-512 with bfloat16. Limited by the environment
/// variable LYRA_ISA (portable, avx2, avx512, avx512bf16) and, for tests, by the second function.
int cmlx_kernel_isa(void);
void cmlx_kernel_limit_isa(int level);
/// Bytes a second, in 10^9, that all threads together read from a buffer of this size; 0 where memory is lacking.
double cmlx_bench_read_bandwidth(size_t bytes);
/// Floating-point operations a second, in 10^9, of a product [rows, depth] x [columns, depth]^T of float32 or bfloat16.
double cmlx_bench_matmul(cmlx_dtype type, int rows, int columns, int depth);

/// How often MLX has multiplied float32 matrices through our cblas_sgemm: zero if the library's own was linked first.
int64_t cmlx_kernel_blas_calls(void);
/// For tests: MLX's own product.
int cmlx_kernel_test_plain_matmul(cmlx_array a, cmlx_array b, cmlx_array *out);
/// For tests: gradients of sum(upstream * function(inputs)) with respect to each input.
int cmlx_kernel_test_vjp(int (*function)(void *context, const cmlx_array *inputs, size_t count, cmlx_array *out),
                         void *context, const cmlx_array *inputs, size_t count, cmlx_array upstream,
                         cmlx_array *gradients);
/// For tests: the part at `index` of an axis, as a view.
int cmlx_kernel_test_slice(cmlx_array array, int axis, int index, cmlx_array *out);

#ifdef __cplusplus
}
#endif
