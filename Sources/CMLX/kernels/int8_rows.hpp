// A few rows of activations times packed 8-bit weights.
#pragma once
#include <vector>
#include "few_rows.hpp"

namespace cmlx {

/// Rows of x as 16-bit integers with a scale for each block of columns; only where the processor multiplies bytes.
class Int8Rows : public PreparedRows {
public:
    Int8Rows(int64_t m, int64_t k, const Matrix &x);
    void multiply(const WeightData &w, int64_t first, int64_t count, float *out, int64_t stride) const override;

private:
    int64_t m_, units_, blocks_;
    std::vector<uint8_t> high_, low_;  // [m][units][4], 128 added
    std::vector<float> scales_;        // [m][blocks]
};

}  // namespace cmlx
