// Small matrix products for attention: operands gathered from strided rows into tiles, and the kernel that multiplies
// them in registers.
//
// A "unit" is 4 bytes: one float32, or a pair of bfloat16 where the processor multiplies pairs. The left operand lies
// in rows of units along the summed axis; the right one in groups of 16 columns: [group][unit][16].
#pragma once
#include <algorithm>
#include "simd.hpp"

namespace cmlx::tiles {

using simd::bf16;
using simd::f32;
using simd::u16;
using simd::u32;
using simd::width;

/// Rows of contiguous elements, `group` at a time: row r lies at (r / group) outer + (r % group) inner elements.
struct RowSet {
    const void *data;
    bool is_bf16;
    int64_t outer, inner, group;

    ALWAYS_INLINE int64_t offset(int64_t row) const { return row / group * outer + row % group * inner; }
};

/// How an instruction set multiplies: `pairs` of bfloat16 or single float32 units.
template <ISA instructions, bool two>
struct Mode {
    static constexpr ISA set = instructions;
    static constexpr bool pairs = two;
    static constexpr int step = two ? 2 : 1;  // elements in a unit
    /// Rows and 16-column groups of the block of sums held in registers.
    static constexpr int rows = set >= ISA::avx512 ? 6 : set == ISA::avx2 ? 3 : 2;
    static constexpr int groups = set >= ISA::avx512 ? 4 : set == ISA::avx2 ? 2 : 1;

    static constexpr int64_t units(int64_t elements) { return (elements + step - 1) / step; }
};

constexpr int64_t groups_of(int64_t columns) { return (columns + width - 1) / width; }

template <class M, class T>
ALWAYS_INLINE inline u32 load_units(const T *p, int64_t count) {
    if constexpr (!M::pairs) {
        return __builtin_bit_cast(u32, simd::load(p, int(std::min<int64_t>(count, width))));
    } else if constexpr (std::is_same_v<T, bf16>) {
        if (count >= 2 * width) return simd::load_bits<u32>(p);
        u32 v = {};
        std::memcpy(&v, p, size_t(count) * 2);
        return v;
    } else {
        u16 halves[2] = {};
        halves[0] = simd::narrow<M::set>(simd::load(p, int(std::min<int64_t>(count, width))));
        if (count > width) halves[1] = simd::narrow<M::set>(simd::load(p + width, int(std::min<int64_t>(count - width, width))));
        return simd::load_bits<u32>(halves);
    }
}

/// 16 units of a row from element `at` on, zeros beyond `length`.
template <class M>
ALWAYS_INLINE inline u32 load_units(const RowSet &set, int64_t row, int64_t at, int64_t length) {
    const int64_t offset = set.offset(row) + at;
    return set.is_bf16 ? load_units<M>(static_cast<const bf16 *>(set.data) + offset, length - at)
                       : load_units<M>(static_cast<const float *>(set.data) + offset, length - at);
}

ALWAYS_INLINE inline void store(uint32_t *p, u32 v) { std::memcpy(p, &v, sizeof v); }

/// A left operand: `count` rows as they are. The stride is `row_units`, a multiple of 16; zeros fill it up.
template <class M>
ALWAYS_INLINE inline void gather(const RowSet &set, int64_t first, int64_t count, int64_t length, int64_t row_units, uint32_t *out) {
    for (int64_t r = 0; r < count; r++)
        for (int64_t u = 0; u < row_units; u += width)
            store(out + r * row_units + u, u * M::step < length ? load_units<M>(set, first + r, u * M::step, length) : u32{});
}

/// 16x16 transposition in registers.
ALWAYS_INLINE inline void transpose(u32 (&m)[width]) {
    u32 t[width];
    for (int i = 0; i < 16; i += 2) {
        t[i] = __builtin_shufflevector(m[i], m[i + 1], 0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12, 28, 13, 29);
        t[i + 1] = __builtin_shufflevector(m[i], m[i + 1], 2, 18, 3, 19, 6, 22, 7, 23, 10, 26, 11, 27, 14, 30, 15, 31);
    }
    for (int i = 0; i < 16; i += 4)
        for (int j = 0; j < 2; j++) {
            m[i + 2 * j] = __builtin_shufflevector(t[i + j], t[i + j + 2], 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29);
            m[i + 2 * j + 1] = __builtin_shufflevector(t[i + j], t[i + j + 2], 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31);
        }
    for (int i = 0; i < 4; i++) {  // m[4b + i] has column 4q + i of rows 4b ... 4b + 3 in its quarter q
        const u32 low = __builtin_shufflevector(m[i], m[i + 4], 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27);
        const u32 low2 = __builtin_shufflevector(m[i + 8], m[i + 12], 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27);
        const u32 high = __builtin_shufflevector(m[i], m[i + 4], 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31);
        const u32 high2 = __builtin_shufflevector(m[i + 8], m[i + 12], 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31);
        // low: quarters 0 and 2 of rows 0-7 as [q0 r0-3, q2 r0-3, q0 r4-7, q2 r4-7]
        t[i] = __builtin_shufflevector(low, low2, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27);
        t[i + 8] = __builtin_shufflevector(low, low2, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31);
        t[i + 4] = __builtin_shufflevector(high, high2, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27);
        t[i + 12] = __builtin_shufflevector(high, high2, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31);
    }
    for (int i = 0; i < 16; i++) m[i] = t[i];
}

/// A right operand whose columns are rows of `set` and whose summed axis is theirs: `tile` columns (a multiple of 16),
/// zeros from `count` on. [tile / 16][units][16]
template <class M>
ALWAYS_INLINE inline void pack_transposed(const RowSet &set, int64_t first, int64_t count, int64_t tile, int64_t length, uint32_t *out) {
    const int64_t units = M::units(length);
    for (int64_t group = 0; group < tile / width; group++) {
        uint32_t *to = out + group * units * width;
        for (int64_t u = 0; u < units; u += width) {
            u32 block[width];
            for (int i = 0; i < width; i++) {
                const int64_t row = group * width + i;
                block[i] = row < count ? load_units<M>(set, first + row, u * M::step, length) : u32{};
            }
            transpose(block);
            const int64_t here = std::min<int64_t>(width, units - u);
            for (int i = 0; i < here; i++) store(to + (u + i) * width, block[i]);
        }
    }
}

/// A right operand whose columns are the elements of the rows of `set` and whose summed axis is the rows: `tile` of
/// them, zeros from `count` on. [length / 16][tile / step][16]
template <class M>
ALWAYS_INLINE inline void pack_natural(const RowSet &set, int64_t first, int64_t count, int64_t tile, int64_t length, uint32_t *out) {
    const int64_t units = tile / M::step;
    const auto row_at = [&](int64_t row, int64_t at) ALWAYS_INLINE -> f32 {
        if (row >= count) return f32{};
        const int n = int(std::min<int64_t>(width, length - at));
        const int64_t offset = set.offset(first + row) + at;
        return set.is_bf16 ? simd::load(static_cast<const bf16 *>(set.data) + offset, n)
                           : simd::load(static_cast<const float *>(set.data) + offset, n);
    };
    for (int64_t u = 0; u < units; u++)
        for (int64_t group = 0; group < groups_of(length); group++) {
            uint32_t *to = out + (group * units + u) * width;
            if constexpr (M::pairs) {
                u32 low = __builtin_bit_cast(u32, row_at(2 * u, group * width));
                u32 high = __builtin_bit_cast(u32, row_at(2 * u + 1, group * width));
                if (!set.is_bf16) {
                    low = __builtin_convertvector(simd::narrow<M::set>(__builtin_bit_cast(f32, low)), u32) << 16;
                    high = __builtin_convertvector(simd::narrow<M::set>(__builtin_bit_cast(f32, high)), u32) << 16;
                }
                store(to, (low >> 16) | (high & 0xffff0000u));
            } else {
                store(to, __builtin_bit_cast(u32, row_at(u, group * width)));
            }
        }
}

/// Stores 16 columns of a left operand's row: elements `column` ... `column + 15`.
template <class M>
ALWAYS_INLINE inline void store_units(uint32_t *row, int64_t column, f32 v) {
    if constexpr (M::pairs) {
        const u16 bits = simd::narrow<M::set>(v);
        std::memcpy(reinterpret_cast<char *>(row) + 2 * column, &bits, sizeof bits);
    } else {
        std::memcpy(row + column, &v, sizeof v);
    }
}

/// acc[r][g] += sum over units of a[r][u] b[g][u][16].
template <class M, int R, int G>
ALWAYS_INLINE inline void multiply(const uint32_t *a, int64_t a_stride, const uint32_t *b, int64_t units, f32 (&acc)[R][G]) {
    const int64_t b_stride = units * width;
    for (int64_t u = 0; u < units; u++) {
        u32 right[G];
        for (int g = 0; g < G; g++) right[g] = simd::load_bits<u32>(b + g * b_stride + u * width);
        for (int r = 0; r < R; r++) {
            const u32 left = u32{} + a[r * a_stride + u];
            for (int g = 0; g < G; g++) {
                if constexpr (M::pairs) simd::dot_pairs(acc[r][g], left, right[g]);
                else acc[r][g] = acc[r][g] + __builtin_bit_cast(f32, left) * __builtin_bit_cast(f32, right[g]);
            }
        }
    }
}

/// Calls `body(std::integral_constant<int, R>(), first)` for blocks of rows that cover 0..<count.
template <class M, class Body>
ALWAYS_INLINE inline void for_row_blocks(int64_t count, Body &&body) {
    int64_t r = 0;
    for (; r + M::rows <= count; r += M::rows) body(std::integral_constant<int, M::rows>(), r);
    if constexpr (M::rows > 4)
        for (; r + 4 <= count; r += 4) body(std::integral_constant<int, 4>(), r);
    if constexpr (M::rows > 2)
        for (; r + 2 <= count; r += 2) body(std::integral_constant<int, 2>(), r);
    for (; r < count; r++) body(std::integral_constant<int, 1>(), r);
}

/// Calls `body(std::integral_constant<int, G>(), first)` for blocks of 16-column groups that cover 0..<groups.
template <class M, class Body>
ALWAYS_INLINE inline void for_group_blocks(int64_t groups, Body &&body) {
    int64_t g = 0;
    for (; g + M::groups <= groups; g += M::groups) body(std::integral_constant<int, M::groups>(), g);
    if constexpr (M::groups > 2)
        for (; g + 2 <= groups; g += 2) body(std::integral_constant<int, 2>(), g);
    for (; g < groups; g++) body(std::integral_constant<int, 1>(), g);
}

}  // namespace cmlx::tiles
