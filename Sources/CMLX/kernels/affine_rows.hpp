// A few rows of activations times rows of weights in affine groups, at the speed memory delivers the weights.
#pragma once
#include <vector>
#include "few_rows.hpp"

namespace cmlx {

/// With AVX-512 VNNI a group of x becomes 16-bit integers with a scale: products with the weights' integers are then exact,
/// and x keeps 15 bits of its group's largest element. Elsewhere x stays float32.
class AffineRows : public PreparedRows {
public:
    AffineRows(int64_t m, int64_t k, const Matrix &x, int group, int bits);

    void multiply(const WeightData &w, int64_t first, int64_t count, float *out, int64_t stride) const override;

private:
    int64_t m_, k_;
    int group_, bits_;
    bool integers_;
    std::vector<char> memory_;
    /// For each row of x. Integers: their high and low bytes in the order in which packed weights come out of a register.
    struct Row {
        const int8_t *high = nullptr, *low = nullptr;
        const float *values = nullptr;           // floats
        const float *scales = nullptr, *sums = nullptr;  // of each group of x; sums are those of its elements
    };
    std::vector<Row> rows_;
};

}  // namespace cmlx
