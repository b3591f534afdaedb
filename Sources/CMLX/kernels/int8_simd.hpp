// Weights and activations as 8-bit integers in vectors, in the order in which a processor multiplies them.
#pragma once
#include <algorithm>
#include "affine_simd.hpp"
#include "convert.hpp"
#include "tiles.hpp"

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

/// Rounds `count` <= int8_block elements to integers of at most 127 in size; returns the scale. `out` is filled with zeros to
/// `padded`, a multiple of 16; `sum`, if asked for, gets the integers' sum. What is not finite makes the scale NaN.
template <class T>
ALWAYS_INLINE inline float round_to_int8(const T *values, int64_t count, int64_t padded, int32_t *sum, int8_t *out) {
    typedef int8_t i8 __attribute__((vector_size(16)));
    simd::i32 top = {};  // sizes as bits, which order as sizes do, infinity and NaN above all
    const auto measure = [&](simd::f32 v) ALWAYS_INLINE {
        const auto size = __builtin_bit_cast(simd::i32, v) & 0x7fffffff;
        top = size > top ? size : top;
    };
    const int64_t whole = count / simd::width * simd::width;
    const int rest = int(count - whole);
    for (int64_t j = 0; j < whole; j += simd::width) measure(simd::load(values + j));
    if (rest) measure(simd::load(values + whole, rest));
    const int32_t highest = __builtin_reduce_max(top);
    const float largest = __builtin_bit_cast(float, highest);
    const bool is_finite = highest < 0x7f800000;
    const float inverse = is_finite && largest > 1e-30f ? 127 / largest : 0;
    simd::i32 total = {};
    const auto round = [&](simd::f32 v, int64_t j) ALWAYS_INLINE {
        const auto q = __builtin_bit_cast(simd::i32, v * inverse + 12582912.0f) - 0x4b400000;  // to the nearest
        total += q;
        const i8 bytes = __builtin_convertvector(q, i8);
        std::memcpy(out + j, &bytes, sizeof bytes);
    };
    for (int64_t j = 0; j < padded; j += simd::width) {
        if (j >= count || inverse == 0)
            std::memset(out + j, 0, simd::width);
        else if (j < whole)
            round(simd::load(values + j), j);
        else
            round(simd::load(values + j, rest), j);
    }
    if (sum) *sum = __builtin_reduce_add(total);
    return is_finite ? largest / 127 : __builtin_nanf("");
}

/// Adds 128 to `count` integers, a multiple of 64: products take one side unsigned.
ALWAYS_INLINE inline void add_128(int8_t *values, int64_t count) {
    for (int64_t j = 0; j < count; j += 64) {
        const auto v = simd::load_bits<simd::u32>(values + j) ^ 0x80808080u;
        std::memcpy(values + j, &v, sizeof v);
    }
}

/// 16 rows of bytes, `stride` apart, as [units][16] units of four bytes.
ALWAYS_INLINE inline void transpose_quads(const int8_t *rows, int64_t stride, int64_t units, uint32_t *out) {
    for (int64_t u = 0; u < units; u += simd::width) {
        simd::u32 block[simd::width];
        for (int i = 0; i < simd::width; i++) block[i] = simd::load_bits<simd::u32>(rows + i * stride + u * 4);
        tiles::transpose(block);
        const int64_t here = std::min<int64_t>(simd::width, units - u);
        for (int64_t i = 0; i < here; i++) tiles::store(out + (u + i) * simd::width, block[i]);
    }
}

/// Packs the 16 rows from `first` on of a dense or affine matrix, zeros beyond the last one: [k / 4][16][4] integers. Block b
/// has its scales and offsets at b * `spacing`. `bytes` holds 16 rows of k and `floats` one, both rounded up to 64.
ALWAYS_INLINE inline void pack_int8_group(const WeightData &w, int64_t first, int8_t *bytes, float *floats, int8_t *out,
                                          float *scales, int32_t *offsets, int64_t spacing) {
    const int64_t k = w.kind.k, units = (k + 3) / 4, stride = (k + 63) / 64 * 64;
    for (int64_t i = 0; i < simd::width; i++) {
        const int64_t n = first + i;
        const bool exists = n < w.kind.n;
        if (exists && w.kind.form == Form::affine)
            with_bits(w.kind.bits, [&](auto bits) ALWAYS_INLINE {
                dequantize_row<decltype(bits)::value>(w, n, 0, k, floats);
            });
        else if (exists && w.bf16)
            convert_elements(reinterpret_cast<const simd::bf16 *>(w.row(n)), floats, k);
        else if (exists)
            std::memcpy(floats, w.row(n), size_t(k) * 4);
        for (int64_t at = 0, b = 0; at < k; at += int8_block, b++) {
            const int64_t count = exists ? std::min(int8_block, k - at) : 0;
            int32_t sum;
            scales[b * spacing + i] =
                round_to_int8(floats + at, count, std::min(int8_block, stride - at), &sum, bytes + i * stride + at);
            offsets[b * spacing + i] = -128 * sum;
        }
    }
    transpose_quads(bytes, stride, units, reinterpret_cast<uint32_t *>(out));
}

/// Row n of a packed matrix as floats.
inline void unpack_int8_row(const WeightData &w, int64_t n, float *out) {
    const Int8Layout layout(w.kind.n, w.kind.k);
    const auto *values = static_cast<const int8_t *>(w.data) + n / 16 * layout.units * 64 + n % 16 * 4;
    for (int64_t j = 0; j < w.kind.k; j++)
        out[j] = float(values[j / 4 * 64 + j % 4]) * w.scales.load_one(j / int8_block * layout.rows + n);
}

}  // namespace cmlx
