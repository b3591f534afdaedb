// Weights as 8-bit integers in the order in which a processor multiplies them, and rows of activations to go with them.
#pragma once
#include "linear.hpp"

namespace cmlx {

/// Columns that share a scale, in a row of weights and in a row of activations.
constexpr int64_t int8_block = 512;

/// Sizes of a packed matrix. Integers: [n / 16][k / 4][16][4], that is, four columns of 16 rows together; zeros beyond n
/// and k. Scales (float32) and offsets (int32): [blocks][rows]; an offset is -128 times the sum of its integers, for
/// activations are stored with 128 added.
struct Int8Layout {
    int64_t groups, units, blocks, rows;
    Int8Layout(int64_t n, int64_t k)
        : groups((n + 15) / 16), units((k + 3) / 4), blocks((k + int8_block - 1) / int8_block), rows(groups * 16) {}
};

/// The packed form of a dense or affine matrix.
Weight pack_int8(const Weight &w, mx::Stream s);
/// [n, k] in `type`.
mx::array unpack_int8(const Weight &w, mx::Dtype type, mx::Stream s);

/// Elements `first` ..< `first + count` of row n as floats.
ALWAYS_INLINE inline void unpack_int8_row(const WeightData &w, int64_t n, int64_t first, int64_t count, float *out) {
    const Int8Layout layout(w.kind.n, w.kind.k);
    const auto *values = static_cast<const int8_t *>(w.data) + n / 16 * layout.units * 64 + n % 16 * 4;
    const auto *scales = static_cast<const float *>(w.scales.data);
    for (int64_t j = first; j < first + count; j++)
        out[j - first] = float(values[j / 4 * 64 + j % 4]) * scales[j / int8_block * layout.rows + n];
}

}  // namespace cmlx
