// Attention of a few rows; see attention_rows.hpp.
#include "attention_rows.hpp"
#include <cmath>
#include "horizontal.hpp"
#include "scratch.hpp"

namespace cmlx {

namespace {

using simd::bf16;
using simd::f32;
using simd::u32;
using simd::width;

constexpr int64_t tile = 64;       // keys between updates of the running maximum
constexpr int64_t most_rows = 48;  // beyond, repacking keys for all rows pays off
constexpr int64_t widest = 256;

/// Elements of a line of the cache.
template <class T>
constexpr int64_t line = 64 / int64_t(sizeof(T));

/// 16 units (single floats or pairs of bfloat16) of a row of keys.
template <class M, class T>
ALWAYS_INLINE inline u32 units_at(const T *row, int64_t unit) {
    if constexpr (M::pairs)
        return simd::load_bits<u32>(row + 2 * unit);
    else
        return __builtin_bit_cast(u32, simd::load(row + unit));
}

template <class M>
ALWAYS_INLINE inline void multiply_add(f32 &sum, const u32 &a, const u32 &b) {
    if constexpr (M::pairs)
        simd::dot_pairs(sum, a, b);
    else
        sum = sum + __builtin_bit_cast(f32, a) * __builtin_bit_cast(f32, b);
}

/// scores[r][0 ..< 64] of R rows of queries with `count` keys, rows of T `stride` apart. Meanwhile the next tile's keys are
/// fetched, and `fetched` of its values' rows' elements: memory is to be as busy here as while values are gathered.
template <class M, int R, class T>
ALWAYS_INLINE inline void score(const uint32_t *queries, int64_t units, const T *keys, int64_t stride, int64_t count,
                                const T *values, int64_t value_stride, int64_t fetched, float *scores) {
    constexpr int together = 4;  // keys that share a load of the queries
    for (int64_t j = 0; j < count; j += width) {
        f32 quarters[R][width / together];  // the sums of four keys each
        for (int i = 0; i < width; i += together) {
            const T *rows[together];
            f32 acc[R][together] = {};
            for (int t = 0; t < together; t++) {
                const int64_t key = std::min(j + i + t, count - 1);
                rows[t] = keys + key * stride;
                for (int64_t d = 0; d < fetched; d += line<T>)
                    __builtin_prefetch(values + (key + tile) * value_stride + d, 0, 2);
            }
            for (int64_t u = 0; u < units; u += width) {
                u32 right[together];
                for (int t = 0; t < together; t++) {
                    right[t] = units_at<M>(rows[t], u);
                    __builtin_prefetch(rows[t] + tile * stride + u * M::step, 0, 2);
                }
                for (int r = 0; r < R; r++) {
                    const u32 left = simd::load_bits<u32>(queries + r * units + u);
                    for (int t = 0; t < together; t++) multiply_add<M>(acc[r][t], left, right[t]);
                }
            }
            for (int r = 0; r < R; r++)
                quarters[r][i / together] =
                    simd::halve<8>(simd::halve<16>(acc[r][0], acc[r][2]), simd::halve<16>(acc[r][1], acc[r][3]));
        }
        for (int r = 0; r < R; r++) {
            const auto &q = quarters[r];
            const f32 all = simd::halve<2>(simd::halve<4>(q[0], q[2]), simd::halve<4>(q[1], q[3]));
            simd::store(scores + r * tile + j,
                        __builtin_shufflevector(all, all, 0, 2, 1, 3, 8, 10, 9, 11, 4, 6, 5, 7, 12, 14, 13, 15));
        }
    }
}

/// The weights of a tile of keys, 2^(score - highest), of R rows; sums so far are rescaled where a row's highest rises.
template <class M, int R>
ALWAYS_INLINE inline void soften(float *scores, float scale, const int64_t *limits, float *highest, f32 *totals, float *sums,
                                 int64_t padded, uint32_t *weights) {
    for (int r = 0; r < R; r++) {
        f32 v[tile / width], top = simd::splat(-INFINITY);
        for (int g = 0; g < tile / width; g++) {
            v[g] = simd::load(scores + r * tile + g * width) * scale;
            v[g] = simd::keep(v[g], limits[r] - g * width, -INFINITY);
            top = simd::max(top, v[g]);
        }
        const float high = simd::highest(top);
        if (high > highest[r]) {
            const f32 factor = simd::exp2(simd::splat(highest[r] - high));  // 0 the first time
            totals[r] = totals[r] * factor;
            for (int64_t d = 0; d < padded; d += width)
                simd::store(sums + r * padded + d, simd::load(sums + r * padded + d) * factor);
            highest[r] = high;
        }
        const float shift = highest[r] == -INFINITY ? 0 : highest[r];
        f32 total = totals[r];
        for (int g = 0; g < tile / width; g++) {
            const f32 weight = simd::exp2_below_one<M::pairs>(v[g] - shift);
            total += weight;
            tiles::store_units<M>(weights + r * tile / M::step, g * width, weight);
        }
        totals[r] = total;
    }
}

/// sums[r] += weights[r] times `count` rows of values, for G times 16 columns; with `fetch` the next tile's are fetched.
template <class M, int R, int G, class T>
ALWAYS_INLINE inline void gather_values(const uint32_t *weights, const T *values, int64_t stride, int64_t count, bool fetch,
                                        float *sums, int64_t padded) {
    f32 acc[R][G];
    for (int r = 0; r < R; r++)
        for (int g = 0; g < G; g++) acc[r][g] = simd::load(sums + r * padded + g * width);
    for (int64_t j = 0; j < count; j += M::step) {
        const T *row = values + j * stride;
        u32 right[G];
        if (fetch)
            for (int64_t i = 0; i < M::step; i++)
                for (int d = 0; d < G * width; d += line<T>) __builtin_prefetch(row + (tile + i) * stride + d, 0, 2);
        if constexpr (M::pairs) {
            // Weights beyond the last key are zero, but what they meet must be finite: the last key again.
            const T *next = j + 1 < count ? row + stride : row;
            typedef uint16_t u16x32 __attribute__((vector_size(64)));
            for (int g = 0; g < G; g += 2) {
                const auto x = simd::load_bits<u16x32>(row + g * width), y = simd::load_bits<u16x32>(next + g * width);
                right[g] = __builtin_bit_cast(
                    u32, __builtin_shufflevector(x, y, 0, 32, 1, 33, 2, 34, 3, 35, 4, 36, 5, 37, 6, 38, 7, 39, 8, 40, 9, 41,
                                                 10, 42, 11, 43, 12, 44, 13, 45, 14, 46, 15, 47));
                right[g + 1] = __builtin_bit_cast(
                    u32, __builtin_shufflevector(x, y, 16, 48, 17, 49, 18, 50, 19, 51, 20, 52, 21, 53, 22, 54, 23, 55, 24,
                                                 56, 25, 57, 26, 58, 27, 59, 28, 60, 29, 61, 30, 62, 31, 63));
            }
        } else {
            for (int g = 0; g < G; g++) right[g] = __builtin_bit_cast(u32, simd::load(row + g * width));
        }
        for (int r = 0; r < R; r++) {
            const u32 left = u32{} + weights[r * (tile / M::step) + j / M::step];
            for (int g = 0; g < G; g++) multiply_add<M>(acc[r][g], left, right[g]);
        }
    }
    for (int r = 0; r < R; r++)
        for (int g = 0; g < G; g++) simd::store(sums + r * padded + g * width, acc[r][g]);
}

template <class M, class T>
ALWAYS_INLINE inline void run(const AttentionSequence &sequence, const mx::array &q, const mx::array &k, const mx::array &v,
                              int64_t begin, int64_t end, const AttentionPart *parts) {
    const AttentionShape &shape = sequence.shape;
    const int64_t rows = shape.rows(), heads = shape.kv_heads, padded = shape.width, units = shape.width / M::step;
    uint32_t *queries, *weights;
    float *scores;
    f32 *totals;
    const auto carve = [&](Pieces pieces) ALWAYS_INLINE {
        queries = pieces.take<uint32_t>(heads * rows * units);
        totals = pieces.take<f32>(heads * rows);
        scores = pieces.take<float>(M::rows * tile);
        weights = pieces.take<uint32_t>(M::rows * tile / M::step);
        return pieces.used();
    };
    const size_t bytes = carve(Pieces(nullptr));
    carve(Pieces(scratch(bytes)));
    for (int64_t head = 0; head < heads; head++) {
        const auto set = sequence.rows(q, head, shape.group);
        tiles::with_row_type(set, [&](auto type) ALWAYS_INLINE {
            tiles::gather<M, decltype(type)>(set, 0, rows, shape.width, units, queries + head * rows * units);
        });
        std::memset(parts[head].sums, 0, size_t(rows * padded) * sizeof(float));
        for (int64_t r = 0; r < rows; r++) parts[head].highest[r] = -INFINITY, totals[head * rows + r] = f32{};
    }
    const int64_t last = std::min(end, shape.visible(rows - 1));
    for (int64_t at = begin; at < last; at += tile)
        for (int64_t head = 0; head < heads; head++) {
            const auto K = sequence.rows(k, head, 1), V = sequence.rows(v, head, 1);
            const T *keys = static_cast<const T *>(K.data) + at * K.outer, *values = static_cast<const T *>(V.data) + at * V.outer;
            const auto &part = parts[head];
            tiles::for_row_blocks<M>(rows, [&](auto block, int64_t first) ALWAYS_INLINE {
                constexpr int R = decltype(block)::value;
                int64_t limits[R], count = 0;
                for (int r = 0; r < R; r++) {
                    limits[r] = std::clamp<int64_t>(std::min(end, shape.visible(first + r)) - at, 0, tile);
                    count = std::max(count, limits[r]);
                }
                if (count == 0) return;
                // Only the first block of rows fetches; half of the values are left to the gathering.
                const int64_t fetched = first == 0 ? padded / 2 : 0;
                score<M, R>(queries + (head * rows + first) * units, units, keys, K.outer, count, values, V.outer, fetched,
                            scores);
                float *sums = part.sums + first * padded;
                soften<M, R>(scores, shape.scale, limits, part.highest + first, totals + head * rows + first, sums, padded,
                             weights);
                constexpr int many = M::groups, few = std::min(2, many);  // groups of columns; widths are multiples of 32
                int64_t d = 0;
                for (; d + many * width <= padded; d += many * width)
                    gather_values<M, R, many>(weights, values + d, V.outer, count, first == 0 && d >= fetched, sums + d, padded);
                for (; d < padded; d += few * width)
                    gather_values<M, R, few>(weights, values + d, V.outer, count, first == 0 && d >= fetched, sums + d, padded);
            });
        }
    for (int64_t head = 0; head < heads; head++)
        for (int64_t r = 0; r < rows; r++) parts[head].total[r] = simd::sum(totals[head * rows + r]);
}

}  // namespace

int64_t attention_row_split(const AttentionShape &shape) {
    constexpr int64_t worth_a_task = 32768;  // elements of keys
    constexpr int64_t most = 64;             // splits, whose sums are joined in the end
    const int64_t keys = std::max(worth_a_task / (shape.kv_heads * shape.width), (shape.keys + most - 1) / most);
    return (keys + tile - 1) / tile * tile;
}

bool few_attention_rows(const AttentionShape &shape) {
    return shape.rows() > 0 && shape.rows() <= most_rows && shape.width % 32 == 0 && shape.width <= widest;
}

void attention_rows(const AttentionSequence &sequence, const mx::array &q, const mx::array &k, const mx::array &v,
                    int64_t begin, int64_t end, const AttentionPart *parts) {
    with_mode(is_bf16(k), [&](auto mode) ALWAYS_INLINE {
        using M = decltype(mode);
        if constexpr (M::pairs)
            run<M, bf16>(sequence, q, k, v, begin, end, parts);
        else if (is_bf16(k))
            run<M, bf16>(sequence, q, k, v, begin, end, parts);
        else
            run<M, float>(sequence, q, k, v, begin, end, parts);
    });
}

}  // namespace cmlx
