// Matrix products on oneDNN, with bias, activation and residual fused, for whatever strides the operands have.
#pragma once
#include <cstdint>
#include "cmlx_kernels.h"

namespace cmlx {

/// A matrix (or a batch of them) in memory, float32 or bfloat16; one of the two strides is 1.
struct Matrix {
    const void *data = nullptr;
    bool bf16 = false;
    int64_t row_stride = 0, column_stride = 1, batch_stride = 0;
};

/// What happens to a product before it is stored: activation(product + bias) + residual.
struct Epilogue {
    const void *bias = nullptr;  // [n]
    bool bias_bf16 = false;
    cmlx_activation activation = CMLX_ACTIVATION_NONE;
    Matrix residual;  // as the result
    /// Whether activations may be as exact as the sums of rounded factors are.
    bool near = false;
};

/// c[m, n] = epilogue(a[m, k] b[k, n]) for each of `batch`. a and b have one type; sums are taken in float32.
/// Must run on one thread at a time per result; uses the whole team.
void gemm(int64_t batch, int64_t m, int64_t n, int64_t k, const Matrix &a, const Matrix &b, const Matrix &c,
          const Epilogue &epilogue = {});

/// Applies an epilogue to rows of a float32 product, `stride` apart, and stores them from (`row_index`, `first_column`) on;
/// `out` may be the product.
void finish_rows(const float *product, int64_t stride, int64_t rows, int64_t n, const Epilogue &epilogue, int64_t row_index,
                 int64_t first_column, const Matrix &out);

}  // namespace cmlx
