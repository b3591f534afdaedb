// C interface to the MLX C++ library. Knows arrays and operations, no model. Gradients are in cmlx_transforms.h, fused
// operations in cmlx_kernels.h, communication between processes in cmlx_distributed.h.
//
// Conventions: every function that can fail returns 0 on success and non-zero on failure, when `cmlx_last_error()` (per
// thread) says why; no C++ exception crosses this interface. `cmlx_array` is an owning handle: results are written to
// `cmlx_array *out` and released by `cmlx_array_free`. Operations are lazy and run on one process-wide stream. Families
// of operations with one signature share a function and are told apart by an enum. An axes or limits pointer that may be
// NULL says so.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cmlx_array_s *cmlx_array;

/// Element types, numbered here and nowhere else.
typedef enum {
    CMLX_BOOL = 0, CMLX_UINT8, CMLX_UINT16, CMLX_UINT32, CMLX_UINT64, CMLX_INT8, CMLX_INT16, CMLX_INT32, CMLX_INT64,
    CMLX_FLOAT16, CMLX_BFLOAT16, CMLX_FLOAT32, CMLX_FLOAT64, CMLX_COMPLEX64
} cmlx_dtype;

/// What went wrong in the last failing call on this thread.
const char *cmlx_last_error(void);

// Handles and data (core.cpp)

void cmlx_array_free(cmlx_array array);
/// Another handle to the same array.
int cmlx_array_retain(cmlx_array array, cmlx_array *out);
/// Copies `data` (row-major, contiguous) into a new array.
int cmlx_array_from_data(const void *data, const int32_t *shape, size_t rank, cmlx_dtype type, cmlx_array *out);
/// Wraps memory without copying (on a GPU build: copies); `release(context)` is called when the last user is gone. The
/// memory must be writable, aligned to its element size, and have 8 readable bytes before it.
int cmlx_array_wrap(void *data, const int32_t *shape, size_t rank, cmlx_dtype type,
                    void (*release)(void *), void *context, cmlx_array *out);
int cmlx_scalar(double value, cmlx_dtype type, cmlx_array *out);
/// A scalar that wraps around where `type` is too small.
int cmlx_scalar_integer(int64_t value, cmlx_dtype type, cmlx_array *out);
size_t cmlx_array_rank(cmlx_array array);
size_t cmlx_array_size(cmlx_array array);
int32_t cmlx_array_dimension(cmlx_array array, size_t axis);
cmlx_dtype cmlx_array_dtype(cmlx_array array);
/// Computes the array and makes it row-contiguous; `*data` points to its elements while the array lives.
int cmlx_array_data(cmlx_array array, const void **data);
/// Computes the array; `*text` shows it and stays until the next call on this thread.
int cmlx_array_describe(cmlx_array array, const char **text);
/// Computes arrays and waits.
int cmlx_eval(const cmlx_array *arrays, size_t count);
/// Starts computing arrays and returns at once.
int cmlx_async_eval(const cmlx_array *arrays, size_t count);

/// Whether operations run on a GPU; fails if the environment asks for a device that is not there (docs/gpu.md).
int cmlx_on_gpu(bool *out);

typedef enum { CMLX_MEMORY_ACTIVE, CMLX_MEMORY_PEAK, CMLX_MEMORY_CACHE, CMLX_MEMORY_LIMIT, CMLX_MEMORY_CACHE_LIMIT } cmlx_memory;
/// Bytes.
size_t cmlx_memory_get(cmlx_memory which);
/// Sets a limit in bytes; for PEAK any value resets it, for CACHE any value empties the cache.
int cmlx_memory_set(cmlx_memory which, size_t bytes);
/// Tells malloc to keep freed memory for later arrays instead of giving it back to the system each time.
void cmlx_memory_keep(void);

// Making arrays (create.cpp)

int cmlx_full(const int32_t *shape, size_t rank, cmlx_array value, cmlx_dtype type, cmlx_array *out);
int cmlx_arange(double start, double stop, double step, cmlx_dtype type, cmlx_array *out);
int cmlx_linspace(double start, double stop, int count, cmlx_dtype type, cmlx_array *out);
int cmlx_eye(int rows, int columns, int diagonal, cmlx_dtype type, cmlx_array *out);
int cmlx_astype(cmlx_array a, cmlx_dtype type, cmlx_array *out);
/// Reinterprets the bytes.
int cmlx_view(cmlx_array a, cmlx_dtype type, cmlx_array *out);

// Element by element (elementwise.cpp)

typedef enum {
    CMLX_ABS, CMLX_NEGATIVE, CMLX_SIGN, CMLX_RECIPROCAL, CMLX_SQUARE, CMLX_SQRT, CMLX_RSQRT, CMLX_EXP, CMLX_EXPM1,
    CMLX_LOG, CMLX_LOG2, CMLX_LOG10, CMLX_LOG1P, CMLX_SIN, CMLX_COS, CMLX_TAN, CMLX_ARCSIN, CMLX_ARCCOS, CMLX_ARCTAN,
    CMLX_SINH, CMLX_COSH, CMLX_TANH, CMLX_SIGMOID, CMLX_ERF, CMLX_ERFINV, CMLX_FLOOR, CMLX_CEIL, CMLX_LOGICAL_NOT,
    CMLX_BITWISE_INVERT, CMLX_ISNAN, CMLX_ISINF, CMLX_ISFINITE, CMLX_STOP_GRADIENT, CMLX_CONTIGUOUS, CMLX_REAL,
    CMLX_IMAG, CMLX_CONJUGATE, CMLX_ZEROS_LIKE, CMLX_ONES_LIKE
} cmlx_unary_op;
int cmlx_unary(cmlx_unary_op op, cmlx_array a, cmlx_array *out);

typedef enum {
    CMLX_ADD, CMLX_SUBTRACT, CMLX_MULTIPLY, CMLX_DIVIDE, CMLX_FLOOR_DIVIDE, CMLX_REMAINDER, CMLX_POWER, CMLX_MAXIMUM,
    CMLX_MINIMUM, CMLX_LOGADDEXP, CMLX_ARCTAN2, CMLX_EQUAL, CMLX_NOT_EQUAL, CMLX_LESS, CMLX_LESS_EQUAL, CMLX_GREATER,
    CMLX_GREATER_EQUAL, CMLX_LOGICAL_AND, CMLX_LOGICAL_OR, CMLX_BITWISE_AND, CMLX_BITWISE_OR, CMLX_BITWISE_XOR,
    CMLX_LEFT_SHIFT, CMLX_RIGHT_SHIFT, CMLX_MATMUL, CMLX_INNER, CMLX_OUTER
} cmlx_binary_op;
int cmlx_binary(cmlx_binary_op op, cmlx_array a, cmlx_array b, cmlx_array *out);

int cmlx_round(cmlx_array a, int decimals, cmlx_array *out);
/// `low` and `high` may be NULL.
int cmlx_clip(cmlx_array a, cmlx_array low, cmlx_array high, cmlx_array *out);
int cmlx_where(cmlx_array condition, cmlx_array a, cmlx_array b, cmlx_array *out);
int cmlx_nan_to_num(cmlx_array a, float nan, float positive, float negative, cmlx_array *out);
int cmlx_is_close(cmlx_array a, cmlx_array b, double relative, double absolute, bool equal_nan, cmlx_array *out);
int cmlx_array_equal(cmlx_array a, cmlx_array b, bool equal_nan, cmlx_array *out);

// Along axes (reduce.cpp)

typedef enum {
    CMLX_SUM, CMLX_PRODUCT, CMLX_MEAN, CMLX_MEDIAN, CMLX_MAX, CMLX_MIN, CMLX_VARIANCE, CMLX_STD, CMLX_LOGSUMEXP,
    CMLX_ALL, CMLX_ANY
} cmlx_reduce_op;
/// `axes` NULL: all. `ddof` counts for variance and standard deviation alone.
int cmlx_reduce(cmlx_reduce_op op, cmlx_array a, const int32_t *axes, size_t count, bool keep, int ddof,
                cmlx_array *out);
/// Position of the largest (`largest`) or smallest element; `axis` NULL: in the flattened array.
int cmlx_arg_reduce(bool largest, cmlx_array a, const int32_t *axis, bool keep, cmlx_array *out);
/// `axes` NULL: all. `precise`: sums in float32.
int cmlx_softmax(cmlx_array a, const int32_t *axes, size_t count, bool precise, cmlx_array *out);

typedef enum { CMLX_CUMSUM, CMLX_CUMPROD, CMLX_CUMMAX, CMLX_CUMMIN, CMLX_LOGCUMSUMEXP } cmlx_scan_op;
int cmlx_scan(cmlx_scan_op op, cmlx_array a, int axis, bool reverse, bool inclusive, cmlx_array *out);

typedef enum { CMLX_SORT, CMLX_ARGSORT, CMLX_PARTITION, CMLX_ARGPARTITION, CMLX_TOPK } cmlx_sort_op;
/// `k`: the position that a partition puts right, or how many elements TOPK keeps.
int cmlx_sort(cmlx_sort_op op, cmlx_array a, int k, int axis, cmlx_array *out);

// Shapes (shape.cpp)

typedef enum { CMLX_RESHAPE, CMLX_TRANSPOSE, CMLX_BROADCAST, CMLX_EXPAND, CMLX_SQUEEZE, CMLX_TILE, CMLX_FLIP } cmlx_layout_op;
/// `values`: a shape, axes or repetitions. NULL for TRANSPOSE: reversed; for SQUEEZE, FLIP: all.
int cmlx_layout(cmlx_layout_op op, cmlx_array a, const int32_t *values, size_t count, cmlx_array *out);

typedef enum {
    CMLX_SWAP_AXES, CMLX_MOVE_AXIS, CMLX_FLATTEN, CMLX_REPEAT, CMLX_ROLL, CMLX_TRIL, CMLX_TRIU, CMLX_DIAG
} cmlx_axis_op;
/// SWAP_AXES(axis, axis), MOVE_AXIS(from, to), FLATTEN(first, last), REPEAT(count, axis), ROLL(shift, axis),
/// TRIL(diagonal), TRIU(diagonal), DIAG(diagonal).
int cmlx_axis(cmlx_axis_op op, cmlx_array a, int x, int y, cmlx_array *out);

/// Concatenates along `axis`, or stacks along a new one.
int cmlx_join(bool stack, const cmlx_array *arrays, size_t count, int axis, cmlx_array *out);
/// Cuts at `indices` into `count` + 1 arrays.
int cmlx_split(cmlx_array a, const int32_t *indices, size_t count, int axis, cmlx_array *outs);
/// `mode`: "constant" (`value`) or "edge".
int cmlx_pad(cmlx_array a, const int32_t *axes, const int32_t *low, const int32_t *high, size_t count,
             cmlx_array value, const char *mode, cmlx_array *out);
int cmlx_as_strided(cmlx_array a, const int32_t *shape, const int64_t *strides, size_t rank, size_t offset,
                    cmlx_array *out);

// Reading and writing parts (index.cpp)

/// `start`, `stop` and `strides` have one entry an axis.
int cmlx_slice(cmlx_array a, const int32_t *start, const int32_t *stop, const int32_t *strides, cmlx_array *out);
int cmlx_slice_update(cmlx_array a, cmlx_array update, const int32_t *start, const int32_t *stop,
                      const int32_t *strides, cmlx_array *out);
/// Start positions that are computed: `start` holds one per axis of `axes`; `size` has one entry per axis of `a`.
int cmlx_slice_dynamic(cmlx_array a, cmlx_array start, const int32_t *axes, size_t count, const int32_t *size,
                       cmlx_array *out);
int cmlx_slice_update_dynamic(cmlx_array a, cmlx_array update, cmlx_array start, const int32_t *axes, size_t count,
                              cmlx_array *out);
/// `axis` NULL: of the flattened array.
int cmlx_take(cmlx_array a, cmlx_array indices, const int32_t *axis, cmlx_array *out);
int cmlx_take_along(cmlx_array a, cmlx_array indices, int axis, cmlx_array *out);
/// Replaces, or with `add` adds to, the elements at `indices`.
int cmlx_put_along(bool add, cmlx_array a, cmlx_array indices, cmlx_array values, int axis, cmlx_array *out);

typedef enum { CMLX_SCATTER_SET, CMLX_SCATTER_ADD, CMLX_SCATTER_MULTIPLY, CMLX_SCATTER_MAX, CMLX_SCATTER_MIN } cmlx_scatter_op;
/// `updates`: shape of `indices`, then that of `a` with 1 along `axis`.
int cmlx_scatter(cmlx_scatter_op op, cmlx_array a, cmlx_array indices, cmlx_array updates, int axis, cmlx_array *out);

// Products (linear.cpp)

/// alpha a b + beta c.
int cmlx_addmm(cmlx_array c, cmlx_array a, cmlx_array b, float alpha, float beta, cmlx_array *out);
int cmlx_einsum(const char *subscripts, const cmlx_array *operands, size_t count, cmlx_array *out);
/// Channels last; `rank` spatial axes, lists of that length.
int cmlx_conv(cmlx_array input, cmlx_array weight, const int32_t *stride, const int32_t *padding_low,
              const int32_t *padding_high, const int32_t *kernel_dilation, const int32_t *input_dilation, size_t rank,
              int groups, bool flip, cmlx_array *out);
/// Transposed convolution over 1 or 2 spatial axes.
int cmlx_conv_transpose(cmlx_array input, cmlx_array weight, const int32_t *stride, const int32_t *padding,
                        const int32_t *dilation, const int32_t *output_padding, size_t rank, int groups, cmlx_array *out);

// Random numbers, always from a key: the same key gives the same numbers (random.cpp)

int cmlx_random_key(uint64_t seed, cmlx_array *out);
/// `[count, 2]`: new keys.
int cmlx_random_split(cmlx_array key, int count, cmlx_array *out);

typedef enum { CMLX_UNIFORM, CMLX_NORMAL, CMLX_RANDINT, CMLX_TRUNCATED_NORMAL, CMLX_GUMBEL, CMLX_BERNOULLI } cmlx_distribution;
/// `a`, `b`: UNIFORM, RANDINT, TRUNCATED_NORMAL (low, high); NORMAL (mean, deviation); BERNOULLI (probability, -); GUMBEL
/// none. Those a distribution lacks may be NULL. BERNOULLI ignores `type` and gives bool.
int cmlx_random(cmlx_distribution kind, const int32_t *shape, size_t rank, cmlx_dtype type, cmlx_array a, cmlx_array b,
                cmlx_array key, cmlx_array *out);
/// `count` draws along a new last axis, or, where `count` is negative, one without that axis.
int cmlx_random_categorical(cmlx_array logits, int axis, int count, cmlx_array key, cmlx_array *out);
int cmlx_random_permutation(cmlx_array a, int axis, cmlx_array key, cmlx_array *out);

// Systems of linear equations (linalg.cpp)

/// x of `a x = b`: `[n, n]` and `[n, m]` float32 -> `[n, m]`. On the CPU, wherever everything else runs.
int cmlx_solve(cmlx_array a, cmlx_array b, cmlx_array *out);

// Fourier transforms along one axis (fft.cpp)

typedef enum { CMLX_FFT, CMLX_IFFT, CMLX_RFFT, CMLX_IRFFT } cmlx_fft_op;
/// `n`: length to cut or pad to with zeros (of the result for IRFFT); 0 as it is.
int cmlx_fft(cmlx_fft_op op, cmlx_array a, int n, int axis, cmlx_array *out);
/// Windowed frames of the last axis -> `[..., length / 2 + 1, frames]`. `centre`: mirrors half a frame at both ends.
int cmlx_stft(cmlx_array a, int length, int hop, cmlx_array window, bool centre, cmlx_array *out);
/// The inverse; `samples` of the result, 0: as many as there are.
int cmlx_istft(cmlx_array a, int length, int hop, cmlx_array window, bool centre, int samples, cmlx_array *out);

#ifdef __cplusplus
}
#endif
