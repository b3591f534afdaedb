// A few rows of activations times rows of weights in affine groups, at the speed memory delivers the weights.
#pragma once
#include <vector>
#include "few_rows.hpp"

namespace cmlx {

/// A group of x becomes 16-bit integers with a scale: products with the weights' integers are then exact, and x keeps 15 bits of its
/// group's largest element. AVX-512 VNNI multiplies their bytes, AVX2 them as words. Elsewhere, and where a group is smaller than a
/// vector of AVX2 (32 weights of 4 bits), x stays float32.
class AffineRows : public PreparedRows {
public:
    AffineRows(int64_t m, int64_t k, const Matrix &x, int group, int bits);

    void multiply(const WeightData &w, int64_t first, int64_t count, float *out, int64_t stride) const override;

private:
    int64_t m_, k_;
    int group_, bits_;
    enum class Way { floats, words, bytes } way_;
    static Way best(int group, int bits);
    std::vector<char> memory_;
    /// For each row of x. Integers, or their high and low bytes, in the order in which packed weights come out of a register.
    struct Row {
        const int8_t *high = nullptr, *low = nullptr;
        const int16_t *words = nullptr;
        const float *values = nullptr;
        const float *scales = nullptr, *sums = nullptr;  // of each group of x; sums are those of its elements
    };
    std::vector<Row> rows_;
};

}  // namespace cmlx
