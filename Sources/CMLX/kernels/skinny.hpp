// Products of a few rows with a big weight matrix: bound by how fast memory delivers the weights.
#pragma once
#include "gemm.hpp"

namespace cmlx {

/// out[m, n] = epilogue(x[m, k] weight[n, k]^T) with x's rows contiguous, the weight dense and of the type of x. Worth
/// it up to about `skinny_rows` rows: every row of x is used while a weight is in a register.
void skinny(int64_t m, int64_t n, int64_t k, const Matrix &x, const void *weight, const Matrix &out,
            const Epilogue &epilogue);
constexpr int64_t skinny_rows = 8;

}  // namespace cmlx
