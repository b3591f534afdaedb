// A few rows of activations times rows of a dense matrix.
#pragma once
#include <vector>
#include "few_rows.hpp"

namespace cmlx {

/// Rows of x, which have the weights' type.
class DenseRows : public PreparedRows {
public:
    DenseRows(int64_t m, int64_t k, const Matrix &x, bool bf16_weights);
    void multiply(const WeightData &w, int64_t first, int64_t count, float *out, int64_t stride) const override;

private:
    int64_t k_;
    std::vector<char> memory_;
    std::vector<const void *> lines_;
};

}  // namespace cmlx
