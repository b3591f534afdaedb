// Products of a few rows with weight matrices of any form: bound by how fast memory delivers the weights.
#pragma once
#include "product.hpp"

namespace cmlx {

/// Up to how many rows of x products are bound by memory: every row is multiplied while a weight is near.
constexpr int64_t few_rows = 8;

/// Rows of x made ready for weights of one kind. A row's results do not depend on how many go together.
class PreparedRows {
public:
    virtual ~PreparedRows() = default;
    /// out[i * stride + j] = x[i] . w[first + j] for all rows of x and j < count, on the calling thread.
    virtual void multiply(const WeightData &w, int64_t first, int64_t count, float *out, int64_t stride) const = 0;
};

/// Calls `body(std::integral_constant<int, M>(), first)` for blocks of at most 4 rows that cover 0..<m.
template <class Body>
ALWAYS_INLINE inline void for_few(int64_t m, Body &&body) {
    int64_t i = 0;
    for (; i + 4 <= m; i += 4) body(std::integral_constant<int, 4>(), i);
    if (m - i == 3) return body(std::integral_constant<int, 3>(), i);
    if (m - i == 2) return body(std::integral_constant<int, 2>(), i);
    if (m - i == 1) return body(std::integral_constant<int, 1>(), i);
}

/// Runs the products of one x [m <= few_rows, k] on the whole team.
void multiply_few(int64_t m, int64_t k, const Matrix &x, std::span<const Job> jobs);

}  // namespace cmlx
