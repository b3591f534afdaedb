// Scores of attention from products of 8-bit integers. A query is rounded with a scale of its own, and so is a key; keys are
// rounded once for all blocks of rows. Weights and values stay as they are.
#pragma once
#include <vector>
#include "attention.hpp"
#include "int8_simd.hpp"
#include "parallel.hpp"

namespace cmlx {

/// A key head's keys, in tiles of [4 groups][units][16] units of four integers each; zeros beyond the last key.
struct RoundedKeys {
    uint32_t *quads;
    float *scales;     // of each key
    int32_t *offsets;  // -128 times the sum of each key's integers, for queries have 128 added

    static int64_t units(int64_t width) { return (width + 3) / 4; }
    static int64_t tiles(int64_t keys) { return (keys + attention_tile - 1) / attention_tile; }
    /// Units of a key head: integers, scales and offsets.
    static int64_t size(const AttentionShape &shape) {
        return tiles(shape.keys) * attention_tile * (units(shape.width) + 2);
    }

    RoundedKeys(const AttentionShape &shape, uint32_t *memory)
        : quads(memory),
          scales(reinterpret_cast<float *>(memory + tiles(shape.keys) * attention_tile * units(shape.width))),
          offsets(reinterpret_cast<int32_t *>(scales + tiles(shape.keys) * attention_tile)) {}
};

/// Rounds a row of at most `int8_block` elements; returns its scale.
ALWAYS_INLINE inline float round_row(const tiles::RowSet &set, int64_t row, int64_t length, int32_t *sum, int8_t *out) {
    float scale;
    tiles::with_row_type(set, [&](auto type) ALWAYS_INLINE {
        const auto *from = static_cast<const decltype(type) *>(set.data) + set.offset(row);
        scale = round_to_int8(from, length, (length + 63) / 64 * 64, sum, out);
    });
    return scale;
}

/// Queries as unsigned integers, 128 added, in rows of `row_units`; `scales` gets their scales.
ALWAYS_INLINE inline void round_queries(const tiles::RowSet &q, int64_t first, int64_t count, int64_t length,
                                        int64_t row_units, uint32_t *out, float *scales) {
    for (int64_t r = 0; r < count; r++) {
        auto *row = reinterpret_cast<int8_t *>(out + r * row_units);
        scales[r] = round_row(q, first + r, length, nullptr, row);
        add_128(row, row_units * 4);
    }
}

/// One tile of keys; `out`, `scales` and `offsets` are the tile's own.
ALWAYS_INLINE inline void round_tile(const tiles::RowSet &k, int64_t first, int64_t count, int64_t length, uint32_t *out,
                                     float *scales, int32_t *offsets) {
    const int64_t units = RoundedKeys::units(length), stride = (length + 63) / 64 * 64;
    for (int64_t group = 0; group < attention_tile; group += simd::width) {
        alignas(64) int8_t bytes[simd::width * int8_block];
        for (int64_t i = 0; i < simd::width; i++) {
            int32_t sum = 0;
            if (group + i < count)
                scales[group + i] = round_row(k, first + group + i, length, &sum, bytes + i * stride);
            else
                scales[group + i] = 0, std::memset(bytes + i * stride, 0, size_t(stride));
            offsets[group + i] = -128 * sum;
        }
        transpose_quads(bytes, stride, units, out + group * units);
    }
}

/// Rounds all keys of all sequences, head by head; the order is that of `RoundedKeys::size` sums.
inline std::vector<RoundedKeys> round_keys(const std::vector<AttentionSequence> &sequences, const mx::array &k) {
    thread_local std::vector<uint32_t> memory;  // kept: fresh pages cost more than rounding
    size_t size = 0;
    for (const auto &s : sequences) size += size_t(s.shape.kv_heads * RoundedKeys::size(s.shape));
    memory.resize(std::max(memory.size(), size));
    std::vector<RoundedKeys> all;
    struct Task {
        const AttentionSequence *sequence;
        int64_t head;
        RoundedKeys keys;
    };
    std::vector<Task> tasks;
    for (uint32_t *at = memory.data(); const auto &s : sequences)
        for (int64_t head = 0; head < s.shape.kv_heads; head++, at += RoundedKeys::size(s.shape)) {
            all.emplace_back(s.shape, at);
            tasks.push_back({&s, head, all.back()});
        }
    parallel_tasks(tasks.size(), [&](size_t index, int) {
        const auto &[sequence, head, keys] = tasks[index];
        const AttentionShape &shape = sequence->shape;
        const auto rows = sequence->rows(k, head, 1);
        simd::dispatch([&, keys = keys](auto) ALWAYS_INLINE {
            for (int64_t at = 0; at < shape.keys; at += attention_tile)
                round_tile(rows, at, std::min(attention_tile, shape.keys - at), shape.width,
                           keys.quads + at * RoundedKeys::units(shape.width), keys.scales + at, keys.offsets + at);
        });
    });
    return all;
}

/// Products of R rounded queries with a tile of rounded keys, as floats.
template <int R, int G>
ALWAYS_INLINE inline void rounded_scores(const uint32_t *queries, int64_t row_units, const float *query_scales,
                                         const RoundedKeys &keys, int64_t at, int64_t units, simd::f32 (&scores)[R][G]) {
    const uint32_t *quads = keys.quads + at * units;
    simd::i32 sums[R][G];
    for (int g = 0; g < G; g++) {
        const auto offset = simd::load_bits<simd::i32>(keys.offsets + at + g * simd::width);
        for (int r = 0; r < R; r++) sums[r][g] = offset;
    }
    for (int64_t u = 0; u < units; u++) {
        simd::u32 right[G];
        for (int g = 0; g < G; g++) right[g] = simd::load_bits<simd::u32>(quads + (g * units + u) * simd::width);
        for (int r = 0; r < R; r++) {
            const simd::u32 left = simd::u32{} + queries[r * row_units + u];
            for (int g = 0; g < G; g++) simd::dot_quads(sums[r][g], left, right[g]);
        }
    }
    for (int g = 0; g < G; g++) {
        const auto scale = simd::load(keys.scales + at + g * simd::width);
        for (int r = 0; r < R; r++)
            scores[r][g] = __builtin_convertvector(sums[r][g], simd::f32) * (scale * query_scales[r]);
    }
}

}  // namespace cmlx
