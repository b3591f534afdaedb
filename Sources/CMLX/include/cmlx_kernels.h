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

typedef enum {
    CMLX_WEIGHT_DENSE = 0, // [N, K] float32 or bfloat16
    CMLX_WEIGHT_AFFINE,    // parts: uint32 [N, K bits / 32], scales and biases [N, K / group]; w = scale q + bias
    CMLX_WEIGHT_INT8,      // parts as cmlx_kernel_pack_int8 makes them; rows and columns are the matrix's
} cmlx_weight_form;

/// A matrix of weights [N, K]; unused parts are NULL.
typedef struct {
    cmlx_weight_form form;
    cmlx_array parts[3];
    int group_size, bits; // affine: 32, 64 or 128; 4 or 8
    int rows, columns;    // int8
} cmlx_weight;

/// A linear layer: weight [N, K] and optional bias [N].
typedef struct {
    cmlx_weight weight;
    cmlx_array bias;
} cmlx_linear;

/// A linear layer and the factors of an adapter of it, [rank, K] and [N, rank]; NULL without one.
typedef struct {
    cmlx_linear map;
    cmlx_array low_a, low_b;
} cmlx_adapted;

typedef struct {
    cmlx_adapted query, key, value, output, gate, up, down;
    cmlx_array input_norm, post_attention_norm;
    float eps;
    int query_heads, kv_heads;
    bool int8; // as in cmlx_kernel_linear
} cmlx_decoder_layer;

/// activation(x W^T + bias) + residual; x [..., K], optional residual [..., N]. Weights in integers are not rounded further
/// for few rows of x; for many, `int8` rounds them and x to 8 bits, which is faster.
int cmlx_kernel_linear(cmlx_array x, const cmlx_linear *layer, cmlx_activation activation, cmlx_array residual, bool int8,
                       cmlx_dtype output, cmlx_array *out);
/// The results of `count` layers with one input, in one operation.
int cmlx_kernel_linears(cmlx_array x, const cmlx_linear *layers, size_t count, bool int8, cmlx_dtype output,
                        cmlx_array *out);
/// silu(gate(x)) * up(x), in one operation.
int cmlx_kernel_gated_linear(cmlx_array x, const cmlx_linear *gate, const cmlx_linear *up, bool int8, cmlx_dtype output,
                             cmlx_array *out);
/// w [..., K] in MLX's affine format, the numbers of mlx.core.quantize: out gets integers, scales, biases.
int cmlx_kernel_quantize(cmlx_array w, int group_size, int bits, cmlx_array out[3]);
/// An affine matrix as floats [N, K].
int cmlx_kernel_dequantize(const cmlx_weight *weight, cmlx_dtype output, cmlx_array *out);
/// Rows `ids` of an affine matrix as floats [..., K]; negative ids count from the end, rows that do not exist are NaN.
int cmlx_kernel_embed(cmlx_array ids, const cmlx_weight *weight, cmlx_dtype output, cmlx_array *out);
/// A dense or affine matrix as 8-bit integers in the order in which the processor multiplies them; where it has no
/// instructions for that, and on other devices, the matrix as it is. `packed` says which; its parts are new handles.
int cmlx_kernel_pack_int8(const cmlx_weight *weight, cmlx_weight *packed);
/// a b of matrices in the last two axes, each optionally transposed; leading axes equal, or absent in b.
int cmlx_kernel_matmul(cmlx_array a, cmlx_array b, bool transpose_a, bool transpose_b, cmlx_dtype output,
                       cmlx_array *out);
/// softmax(scale q k^T) v; q [B, L, Hq, D], k and v [B, S, Hkv, D]. causal: query i sees keys j <= i + (S - L).
/// int8: where the processor multiplies 8-bit integers and there are many queries in bfloat16, each query and key is
/// rounded to integers with a scale of its own; there is no gradient.
int cmlx_kernel_attention(cmlx_array q, cmlx_array k, cmlx_array v, float scale, bool causal, bool int8,
                          cmlx_array *out);
/// The same within each of several sequences laid end to end: q [1, T, Hq, D], k and v [1, T, Hkv, D]. `offsets` holds
/// `count` + 1 rising numbers from 0 to T; sequence i is offsets[i] ..< offsets[i + 1] and sees only itself. `turns`:
/// tokens at which turns of a sequence begin, rising; causal alone. A turn goes on to the next one or the sequence's end,
/// and sees what stands before the sequence's first turn, and itself.
int cmlx_kernel_attention_packed(cmlx_array q, cmlx_array k, cmlx_array v, float scale, bool causal,
                                 const int32_t *offsets, size_t count, const int32_t *turns, size_t turn_count,
                                 cmlx_array *out);
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
/// One layer of a Qwen2 decoder: h = x + output(attention(RMSNorm(x))), then h + down(silu(gate(m)) * up(m)), m =
/// RMSNorm(h). x [1, N, width] float32: the new tokens of `runs` conversations, tokens[i] of each after past[i] others. cos,
/// sin [N, D / 2]. caches: keys and values of each run, [1, capacity, kv_heads, D] with room for the new rows. out: the
/// result, then the caches with the new rows, in place where nobody else holds them. `type`: that products are taken in. NULL
/// in out[0] where it is no single operation: with gradients, on other devices, with parts of other types.
int cmlx_kernel_decoder_layer(cmlx_array x, cmlx_array cos, cmlx_array sin, const cmlx_decoder_layer *layer,
                              const int32_t *tokens, const int32_t *past, size_t runs, const cmlx_array *caches,
                              cmlx_dtype type, cmlx_array *out);
/// Half rotation: with x1, x2 the halves of D, x1 cos - x2 sin and x2 cos + x1 sin; x [B, L, H, D], cos, sin [L, D/2].
int cmlx_kernel_rotary(cmlx_array x, cmlx_array cos, cmlx_array sin, cmlx_array *out);
/// x [N, L, Cin], weight [Cout, Cin, k], optional bias [Cout] -> activation(conv) [N, Lout, Cout].
int cmlx_kernel_conv1d(cmlx_array x, cmlx_array weight, cmlx_array bias, int stride, int padding, int dilation,
                       cmlx_activation activation, cmlx_array *out);
/// x [N, L, Cin], weight [Cin, Cout, k], optional bias [Cout] -> [N, (L - 1) stride - 2 padding + k, Cout].
int cmlx_kernel_conv_transposed1d(cmlx_array x, cmlx_array weight, cmlx_array bias, int stride, int padding,
                                  cmlx_array *out);
/// A share `rate` of the elements of x, 0 to below 1, becomes zero; the others are divided by 1 - rate. A seed always
/// drops the same.
int cmlx_kernel_dropout(cmlx_array x, float rate, uint64_t seed, cmlx_array *out);
/// a + b of one shape.
int cmlx_kernel_add(cmlx_array a, cmlx_array b, cmlx_dtype output, cmlx_array *out);
/// Conversion between float32, bfloat16 and float16.
int cmlx_kernel_convert(cmlx_array x, cmlx_dtype output, cmlx_array *out);

/// [N] float32: log sum exp(row) - row[target] of each row; logits [N, classes], targets [N] int32. A negative target
/// gives 0 and no gradient, one beyond the classes NaN.
int cmlx_kernel_cross_entropy(cmlx_array logits, cmlx_array targets, cmlx_array *out);
/// [B] float32: soft-DTW values D[rows - 1, columns - 1] of cost [B, L, S], of which sample b uses the first rows[b] and
/// columns[b], both at least 1. D[l, s] = cost[l, s] + softmin(D[l, s - 1], D[l - 1, s], D[l - 1, s - 1]) with
/// softmin(x) = -gamma log sum exp(-x / gamma).
int cmlx_kernel_soft_dtw(cmlx_array cost, const int32_t *rows, const int32_t *columns, float gamma, cmlx_array *out);
/// [B] float32: -log of the probability that frames spell the targets once repeats are merged and blanks dropped. logits
/// [N, C] are not normalised; sample b has the rows from starts[b] on, frames[b] of them, one sample after the other; it has
/// the first lengths[b] of its targets [B, U] int32. Where that is impossible: infinity with a gradient of NaN, or with
/// `zero_infinity` 0 without one. A target beyond the classes gives NaN.
int cmlx_kernel_ctc_loss(cmlx_array logits, cmlx_array targets, const int32_t *starts, const int32_t *frames,
                         const int32_t *lengths, int blank, bool zero_infinity, cmlx_array *out);
typedef struct {
    double learning_rate, beta1, beta2, epsilon, weight_decay, gradient_scale;
    int64_t step; // of this update, from 1
} cmlx_adamw;
/// One AdamW step (decoupled weight decay) on float32 arrays of one shape; the gradient is multiplied by gradient_scale
/// first. `out` gets parameter, first and second moment; they take the memory of the old ones where nobody else holds it.
int cmlx_kernel_adamw(cmlx_array parameter, cmlx_array gradient, cmlx_array first, cmlx_array second,
                      const cmlx_adamw *settings, cmlx_array out[3]);
/// The sum of the squares of all elements of all arrays, a float32 scalar. Has no gradient.
int cmlx_kernel_sum_of_squares(const cmlx_array *arrays, size_t count, cmlx_array *out);

/// The instruction set in use: 0 portable, 1 AVX2, 2 AVX-512, 3 AVX-512 with bfloat16. Limited by the environment
/// variable LYRA_ISA (portable, avx2, avx512, avx512bf16) and, for tests, by the second function.
int cmlx_kernel_isa(void);
void cmlx_kernel_limit_isa(int level);

/// How often MLX has multiplied float32 matrices through our cblas_sgemm: zero if the library's own was linked first.
int64_t cmlx_kernel_blas_calls(void);
/// For tests: MLX's own quantisation.
int cmlx_kernel_test_plain_quantize(cmlx_array w, int group_size, int bits, cmlx_array out[3]);
/// For tests: MLX's own product.
int cmlx_kernel_test_plain_matmul(cmlx_array a, cmlx_array b, cmlx_array *out);
/// For tests: gradients of sum(upstream * function(inputs)) with respect to each input.
int cmlx_kernel_test_vjp(int (*function)(void *context, const cmlx_array *inputs, size_t count, cmlx_array *out),
                         void *context, const cmlx_array *inputs, size_t count, cmlx_array upstream,
                         cmlx_array *gradients);
/// For tests: whether kernels are composed of MLX operations here too, as they are on devices other than a CPU.
void cmlx_kernel_test_compose(bool compose);
/// For tests: the part at `index` of an axis, as a view.
int cmlx_kernel_test_slice(cmlx_array array, int axis, int index, cmlx_array *out);

#ifdef __cplusplus
}
#endif
