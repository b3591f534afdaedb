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
    /// AVX2 has 16: twelve sums, two of the right operand and one of the left.
    static constexpr int rows = set >= ISA::avx2 ? 6 : 2;
    static constexpr int groups = set >= ISA::avx512 ? 4 : 1;

    static constexpr int64_t units(int64_t elements) { return (elements + step - 1) / step; }
};

constexpr int64_t groups_of(int64_t columns) { return (columns + width - 1) / width; }

/// 16 units from a row's element `at` on, zeros beyond `length`.
template <class M, class T>
ALWAYS_INLINE inline u32 load_units(const T *row, int64_t at, int64_t length) {
    constexpr int64_t elements = width * M::step;
    const T *p = row + at;
    const int64_t count = length - at;
    if constexpr (M::pairs == std::is_same_v<T, bf16>) {  // units as they lie
        if (count >= elements) return simd::load_bits<u32>(p);
        return simd::load_bytes<M::set>(p, count * int64_t(sizeof(T)));
    } else if constexpr (!M::pairs) {
        return __builtin_bit_cast(u32, simd::load(p, int(std::min<int64_t>(count, width))));
    } else {
        u16 halves[2] = {};
        halves[0] = simd::narrow<M::set>(simd::load(p, int(std::min<int64_t>(count, width))));
        if (count > width)
            halves[1] = simd::narrow<M::set>(simd::load(p + width, int(std::min<int64_t>(count - width, width))));
        return simd::load_bits<u32>(halves);
    }
}

/// The most elements a row may have.
constexpr int64_t longest_row = 512;

/// Where the rows of a tile lie; rows from `count` on are zeros. Packing a tile fetches the next one into the cache,
/// for rows that are slices of wider ones defeat the processor's own prefetching.
template <int64_t tile>
struct Lines {
    const void *at[tile];
    int64_t next;  // bytes from a row to its like in the next tile, about
    ALWAYS_INLINE Lines(const RowSet &set, int64_t first, int64_t count) {
        static const float zeros[longest_row] = {};
        const int64_t size = set.is_bf16 ? 2 : 4;
        next = tile / set.group * set.outer * size;
        for (int64_t i = 0; i < tile; i++) {
            const int64_t row = first + i;
            const int64_t offset = set.group == 1 ? row * set.outer : set.offset(row);
            at[i] = i < count ? static_cast<const char *>(set.data) + offset * size : static_cast<const void *>(zeros);
        }
    }
    template <class T>
    ALWAYS_INLINE const T *row(int64_t i, int64_t element) const {
        const T *p = static_cast<const T *>(at[i]) + element;
        __builtin_prefetch(reinterpret_cast<const char *>(p) + next);
        return p;
    }
};

ALWAYS_INLINE inline void store(uint32_t *p, u32 v) { std::memcpy(p, &v, sizeof v); }

/// A left operand: `count` rows as they are. The stride is `row_units`, a multiple of 16; zeros fill it up.
template <class M, class T>
ALWAYS_INLINE inline void gather(const RowSet &set, int64_t first, int64_t count, int64_t length, int64_t row_units,
                                 uint32_t *out) {
    for (int64_t r = 0; r < count; r++) {
        const T *row = static_cast<const T *>(set.data) + set.offset(first + r);
        for (int64_t u = 0; u < row_units; u += width)
            store(out + r * row_units + u, u * M::step < length ? load_units<M>(row, u * M::step, length) : u32{});
    }
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
            m[i + 2 * j] = __builtin_shufflevector(t[i + j], t[i + j + 2], 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12,
                                                   13, 28, 29);
            m[i + 2 * j + 1] = __builtin_shufflevector(t[i + j], t[i + j + 2], 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26,
                                                       27, 14, 15, 30, 31);
        }
    for (int i = 0; i < 4; i++) {  // m[4b + i] has column 4q + i of rows 4b ... 4b + 3 in its quarter q
        const u32 low =
            __builtin_shufflevector(m[i], m[i + 4], 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27);
        const u32 low2 =
            __builtin_shufflevector(m[i + 8], m[i + 12], 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27);
        const u32 high =
            __builtin_shufflevector(m[i], m[i + 4], 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31);
        const u32 high2 =
            __builtin_shufflevector(m[i + 8], m[i + 12], 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31);
        // low: quarters 0 and 2 of rows 0-7 as [q0 r0-3, q2 r0-3, q0 r4-7, q2 r4-7]
        t[i] = __builtin_shufflevector(low, low2, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27);
        t[i + 8] = __builtin_shufflevector(low, low2, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31);
        t[i + 4] = __builtin_shufflevector(high, high2, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27);
        t[i + 12] = __builtin_shufflevector(high, high2, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31);
    }
    for (int i = 0; i < 16; i++) m[i] = t[i];
}

/// A right operand whose columns are the rows of a tile and whose summed axis is theirs: [tile / 16][units][16].
template <class M, class T, int64_t tile>
ALWAYS_INLINE inline void pack_transposed(const Lines<tile> &lines, int64_t length, uint32_t *out) {
    const int64_t units = M::units(length);
    for (int64_t group = 0; group < tile / width; group++) {
        uint32_t *to = out + group * units * width;
        for (int64_t u = 0; u < units; u += width) {
            // Two copies, for the common one must not ask at each row whether it is whole.
            const auto load = [&](int64_t length) ALWAYS_INLINE {
                u32 block[width];
#pragma clang loop unroll(full)
                for (int i = 0; i < width; i++)
                    block[i] = load_units<M>(lines.template row<T>(group * width + i, u * M::step), 0, length);
                transpose(block);
                const int64_t here = std::min<int64_t>(width, M::units(length));
#pragma clang loop unroll(full)
                for (int i = 0; i < width; i++)
                    if (i < here) store(to + (u + i) * width, block[i]);
            };
            if (u * M::step + width * M::step <= length)
                load(width * M::step);
            else
                load(length - u * M::step);
        }
    }
}

/// A right operand whose columns are the elements of a tile's rows and whose summed axis is the rows:
/// [length / 16][tile / step][16].
template <class M, class T, int64_t tile>
ALWAYS_INLINE inline void pack_natural(const Lines<tile> &lines, int64_t length, uint32_t *out) {
    constexpr int64_t units = tile / M::step;
    for (int64_t u = 0; u < units; u++) {
        if constexpr (M::pairs && std::is_same_v<T, bf16>) {
            const auto interleave = [&](int64_t at, int64_t count) ALWAYS_INLINE {  // up to 32 elements of both rows
                typedef uint16_t u16x32 __attribute__((vector_size(64)));
                const auto x = __builtin_bit_cast(u16x32, load_units<M>(lines.template row<T>(2 * u, at), 0, count));
                const auto y =
                    __builtin_bit_cast(u16x32, load_units<M>(lines.template row<T>(2 * u + 1, at), 0, count));
                uint32_t *to = out + (at / width * units + u) * width;
                store(to, __builtin_bit_cast(u32, __builtin_shufflevector(x, y, 0, 32, 1, 33, 2, 34, 3, 35, 4, 36, 5,
                                                                          37, 6, 38, 7, 39, 8, 40, 9, 41, 10, 42, 11,
                                                                          43, 12, 44, 13, 45, 14, 46, 15, 47)));
                if (count > width)
                    store(to + units * width,
                          __builtin_bit_cast(u32, __builtin_shufflevector(x, y, 16, 48, 17, 49, 18, 50, 19, 51, 20, 52,
                                                                          21, 53, 22, 54, 23, 55, 24, 56, 25, 57, 26,
                                                                          58, 27, 59, 28, 60, 29, 61, 30, 62, 31, 63)));
            };
            int64_t at = 0;
            for (; at + 2 * width <= length; at += 2 * width) interleave(at, 2 * width);
            if (at < length) interleave(at, length - at);
        } else {
            for (int64_t at = 0; at < length; at += width) {
                uint32_t *to = out + (at / width * units + u) * width;
                const int n = int(std::min<int64_t>(width, length - at));
                if constexpr (M::pairs) {
                    const f32 x = simd::load(lines.template row<T>(2 * u, at), n);
                    const f32 y = simd::load(lines.template row<T>(2 * u + 1, at), n);
                    store(to, __builtin_convertvector(simd::narrow<M::set>(x), u32) |
                                  __builtin_convertvector(simd::narrow<M::set>(y), u32) << 16);
                } else {
                    store(to, __builtin_bit_cast(u32, simd::load(lines.template row<T>(u, at), n)));
                }
            }
        }
    }
}

/// Calls `body(T())` with the storage type of the rows.
template <class Body>
ALWAYS_INLINE inline void with_row_type(const RowSet &set, Body &&body) {
    if (set.is_bf16)
        body(bf16());
    else
        body(float());
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
ALWAYS_INLINE inline void multiply(const uint32_t *a, int64_t a_stride, const uint32_t *b, int64_t units,
                                   f32 (&acc)[R][G]) {
    const int64_t b_stride = units * width;
    f32 sums[R][G];  // a copy that stays in registers: acc may be visible elsewhere
    for (int r = 0; r < R; r++)
        for (int g = 0; g < G; g++) sums[r][g] = acc[r][g];
    for (int64_t u = 0; u < units; u++) {
        u32 right[G];
        for (int g = 0; g < G; g++) right[g] = simd::load_bits<u32>(b + g * b_stride + u * width);
        for (int r = 0; r < R; r++) {
            const u32 left = u32{} + a[r * a_stride + u];
            for (int g = 0; g < G; g++) {
                if constexpr (M::pairs)
                    simd::dot_pairs(sums[r][g], left, right[g]);
                else
                    sums[r][g] = sums[r][g] + __builtin_bit_cast(f32, left) * __builtin_bit_cast(f32, right[g]);
            }
        }
    }
    for (int r = 0; r < R; r++)
        for (int g = 0; g < G; g++) acc[r][g] = sums[r][g];
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
