// Products of rows of activations with weight matrices of any form.
#pragma once
#include <span>
#include "gemm.hpp"
#include "weights.hpp"

namespace cmlx {

/// One product: out[m, n] = epilogue(x weight^T); with `up`, out = silu(x weight^T + bias) * (x up^T + up_bias), and no
/// activation and no residual.
struct Job {
    WeightData weight;
    Epilogue epilogue;
    Matrix out;
    const WeightData *up = nullptr;
    const void *up_bias = nullptr;
    bool up_bias_bf16 = false;
};

/// gate = silu(gate + bias) * (up + up_bias) for `count` columns from `first` on of a row.
void join_gate(const Job &job, float *gate, const float *up, int64_t first, int64_t count);

/// Runs the products of one x [m, k], rows contiguous. Uses the whole team of threads. Dense weights have the type of x.
/// With `int8` products of many rows multiply 8-bit integers.
void multiply(int64_t m, int64_t k, const Matrix &x, std::span<const Job> jobs, bool int8);

}  // namespace cmlx
