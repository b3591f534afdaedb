// Attention, forward: for a block of rows, keys and values go by in tiles while a running maximum and sum keep the
// softmax exact (online softmax). Gradients: attention_backward.cpp.
#include "attention.hpp"
#include <cmath>
#include "attention_backward.hpp"
#include "composed.hpp"
#include "parallel.hpp"
#include "scratch.hpp"

namespace cmlx {

namespace {

using simd::f32;
using simd::width;
constexpr int64_t tile = attention_tile;
constexpr int tile_groups = tile / width;
constexpr int64_t rows_per_task = 120;

/// What is known about a block of rows after some of the keys: out = sums / total, relative to 2^highest.
struct Partial {
    float *sums;     // [rows][padded width]
    float *highest;  // [rows], exponents of two
    float *total;    // [rows]
};

template <class M>
struct Workspace {
    int64_t row_units, padded;
    uint32_t *queries, *keys, *values, *weights;
    f32 *totals;

    Workspace(const AttentionShape &shape, Pieces &pieces) {
        const int64_t units = M::units(shape.width);
        row_units = (units + width - 1) / width * width;
        padded = tiles::groups_of(shape.width) * width;
        queries = pieces.take<uint32_t>(rows_per_task * row_units);
        keys = pieces.take<uint32_t>(tile * units);
        values = pieces.take<uint32_t>(tile / M::step * padded);
        weights = pieces.take<uint32_t>(M::rows * tile);
        totals = pieces.take<f32>(rows_per_task);
    }
};

/// Scores of R rows with a tile of keys become weights 2^(score - highest); the row's sums so far are rescaled when
/// its highest score rises.
template <class M, int R>
ALWAYS_INLINE inline void soften(f32 (&scores)[R][tile_groups], float scale, const int64_t *limits, float *highest,
                                 f32 *totals, float *sums, int64_t padded, uint32_t *weights) {
    const simd::i32 lane = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    for (int r = 0; r < R; r++) {
        f32 top = simd::splat(-INFINITY);
        for (int g = 0; g < tile_groups; g++) {
            scores[r][g] = scores[r][g] * scale;
            if (limits[r] < tile)
                scores[r][g] = lane + g * width < int32_t(limits[r]) ? scores[r][g] : simd::splat(-INFINITY);
            top = simd::max(top, scores[r][g]);
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
        for (int g = 0; g < tile_groups; g++) {
            const f32 weight = simd::exp2_below_one<M::pairs>(scores[r][g] - shift);
            total += weight;
            tiles::store_units<M>(weights + r * tile, g * width, weight);
        }
        totals[r] = total;
    }
}

/// Rows `first..<first + count` against keys `begin..<end`.
template <class M>
ALWAYS_INLINE inline void run_block(const AttentionShape &shape, const tiles::RowSet &q, const tiles::RowSet &k,
                                    const tiles::RowSet &v, int64_t first, int64_t count, int64_t begin, int64_t end,
                                    const Workspace<M> &w, const Partial &out) {
    const int64_t units = M::units(shape.width), padded = w.padded;
    tiles::with_row_type(q, [&](auto type) ALWAYS_INLINE {
        tiles::gather<M, decltype(type)>(q, first, count, shape.width, w.row_units, w.queries);
    });
    std::memset(out.sums, 0, size_t(count * padded) * sizeof(float));
    for (int64_t r = 0; r < count; r++) out.highest[r] = -INFINITY, w.totals[r] = f32{};
    end = std::min(end, shape.visible(first + count - 1));
    for (int64_t at = begin; at < end; at += tile) {
        const int64_t keys = std::min(tile, end - at);
        tiles::with_row_type(k, [&](auto type) ALWAYS_INLINE {
            using T = decltype(type);
            tiles::pack_transposed<M, T>(tiles::Lines<tile>(k, at, keys), shape.width, w.keys);
            tiles::pack_natural<M, T>(tiles::Lines<tile>(v, at, keys), shape.width, w.values);
        });
        tiles::for_row_blocks<M>(count, [&](auto rows, int64_t r) ALWAYS_INLINE {
            constexpr int R = decltype(rows)::value;
            int64_t limits[R];
            for (int i = 0; i < R; i++) limits[i] = std::min(shape.visible(first + r + i), end) - at;
            if (limits[R - 1] <= 0) return;
            f32 scores[R][tile_groups] = {};
            const uint32_t *queries = w.queries + r * w.row_units;
            if constexpr (M::groups == tile_groups) {
                tiles::multiply<M>(queries, w.row_units, w.keys, units, scores);
            } else {
                tiles::for_group_blocks<M>(tile_groups, [&](auto groups, int64_t g) ALWAYS_INLINE {
                    f32 acc[R][decltype(groups)::value] = {};
                    tiles::multiply<M>(queries, w.row_units, w.keys + g * units * width, units, acc);
                    for (int i = 0; i < R; i++)
                        for (int j = 0; j < decltype(groups)::value; j++) scores[i][g + j] = acc[i][j];
                });
            }
            float *sums = out.sums + r * padded;
            soften<M, R>(scores, shape.scale, limits, out.highest + r, w.totals + r, sums, padded, w.weights);
            tiles::for_group_blocks<M>(padded / width, [&](auto groups, int64_t g) ALWAYS_INLINE {
                constexpr int G = decltype(groups)::value;
                f32 acc[R][G];
                for (int i = 0; i < R; i++)
                    for (int j = 0; j < G; j++) acc[i][j] = simd::load(sums + i * padded + (g + j) * width);
                tiles::multiply<M>(w.weights, tile, w.values + g * (tile / M::step) * width, tile / M::step, acc);
                for (int i = 0; i < R; i++)
                    for (int j = 0; j < G; j++) simd::store(sums + i * padded + (g + j) * width, acc[i][j]);
            });
        });
    }
    for (int64_t r = 0; r < count; r++) out.total[r] = simd::sum(w.totals[r]);
}

/// Joins the parts of a block that saw different keys, divides, stores; `log_sums` gets log2 of the softmax's divisor.
ALWAYS_INLINE inline void finish(const AttentionShape &shape, const Partial *parts, int64_t part_count, int64_t first,
                                 int64_t count, int64_t padded, const tiles::RowSet &out, float *log_sums) {
    for (int64_t r = 0; r < count; r++) {
        float highest = -INFINITY, total = 0;
        for (int64_t p = 0; p < part_count; p++) highest = std::max(highest, parts[p].highest[r]);
        const float shift = highest == -INFINITY ? 0 : highest;
        const auto factor = [&](int64_t p)
                                ALWAYS_INLINE { return simd::exp2(simd::splat(parts[p].highest[r] - shift))[0]; };
        for (int64_t p = 0; p < part_count; p++) total += parts[p].total[r] * factor(p);
        for (int64_t d = 0; d < shape.width; d += width) {
            f32 sum = {};
            for (int64_t p = 0; p < part_count; p++) sum += simd::load(parts[p].sums + r * padded + d) * factor(p);
            const int n = int(std::min<int64_t>(width, shape.width - d));
            const int64_t offset = out.offset(first + r) + d;
            auto *to = const_cast<void *>(out.data);
            if (out.is_bf16)
                simd::store(static_cast<simd::bf16 *>(to) + offset, sum / total, n);
            else
                simd::store(static_cast<float *>(to) + offset, sum / total, n);
        }
        log_sums[first + r] = shift + std::log2(total);
    }
}

void forward(const AttentionShape &shape, const mx::array &q, const mx::array &k, const mx::array &v, mx::array &out,
             mx::array &log_sums) {
    const int64_t rows = shape.rows(), blocks = (rows + rows_per_task - 1) / rows_per_task;
    // Few rows (decoding): keys are split as well, by a length that does not depend on the machine.
    constexpr int64_t keys_per_split = 1024;
    const int64_t splits = blocks == 1 ? std::max<int64_t>(1, (shape.keys + keys_per_split - 1) / keys_per_split) : 1;
    const int64_t heads = shape.batch * shape.kv_heads, padded = tiles::groups_of(shape.width) * width;
    const int64_t block_rows = std::min(rows, rows_per_task);
    std::vector<float> shared(splits > 1 ? heads * splits * block_rows * (padded + 2) : 0);
    const auto part = [&](float *memory) {
        return Partial{memory, memory + block_rows * padded, memory + block_rows * (padded + 1)};
    };
    const auto shared_part = [&](int64_t head, int64_t split) {
        return part(shared.data() + (head * splits + split) * block_rows * (padded + 2));
    };
    const bool bf16 = is_bf16(k);
    parallel_tasks(size_t(heads * blocks * splits), [&](size_t index, int) {
        const int64_t split = int64_t(index) % splits, head = int64_t(index) / splits % heads;
        const int64_t block = blocks - 1 - int64_t(index) / splits / heads;  // long causal rows first
        const int64_t first = block * rows_per_task, count = std::min(rows_per_task, rows - first);
        const auto batch = head / shape.kv_heads, kv_head = head % shape.kv_heads;
        const auto Q = rows_of_head(q, batch, kv_head, shape.group), O = rows_of_head(out, batch, kv_head, shape.group);
        const auto K = rows_of_head(k, batch, kv_head, 1), V = rows_of_head(v, batch, kv_head, 1);
        with_mode(bf16, [&](auto mode) ALWAYS_INLINE {
            using M = decltype(mode);
            const auto carve = [&](Pieces pieces, float **local) ALWAYS_INLINE {
                Workspace<M> workspace(shape, pieces);
                *local = pieces.take<float>(block_rows * (padded + 2));
                return std::pair(workspace, pieces.used());
            };
            float *local;
            const size_t bytes = carve(Pieces(nullptr), &local).second;
            const auto workspace = carve(Pieces(scratch(bytes)), &local).first;
            const auto result = splits > 1 ? shared_part(head, split) : part(local);
            const int64_t begin = split * keys_per_split,
                          end = splits > 1 ? std::min(shape.keys, begin + keys_per_split) : shape.keys;
            run_block<M>(shape, Q, K, V, first, count, begin, end, workspace, result);
            if (splits == 1) finish(shape, &result, 1, first, count, padded, O, log_sums.data<float>() + head * rows);
        });
    });
    if (splits == 1) return;
    parallel_tasks(size_t(heads), [&](size_t head, int) {
        const auto O = rows_of_head(out, int64_t(head) / shape.kv_heads, int64_t(head) % shape.kv_heads, shape.group);
        std::vector<Partial> parts;
        for (int64_t s = 0; s < splits; s++) parts.push_back(shared_part(head, s));
        simd::dispatch([&](auto) ALWAYS_INLINE {
            finish(shape, parts.data(), splits, 0, rows, padded, O, log_sums.data<float>() + int64_t(head) * rows);
        });
    });
}

/// Inputs: q, k, v. Outputs: the result, and [B, Hkv, L * group] log2 of the softmax's divisors for the gradient.
class Attention : public KernelPrimitive {
public:
    Attention(mx::Stream s, float scale, bool causal) : KernelPrimitive(s), scale_(scale), causal_(causal) {}
    const char *name() const override { return "LyraAttention"; }
    bool is_equivalent(const mx::Primitive &other) const override {
        const auto &o = static_cast<const Attention &>(other);
        return scale_ == o.scale_ && causal_ == o.causal_;
    }

    void eval_cpu(const std::vector<mx::array> &inputs, std::vector<mx::array> &outputs) override {
        auto q = with_contiguous_rows(inputs[0]);
        auto k = with_contiguous_rows(inputs[1]), v = with_contiguous_rows(inputs[2]);
        auto out = allocate(outputs[0]), log_sums = allocate(outputs[1]);
        enqueue([=, scale = scale_, causal = causal_]() mutable {
            forward(AttentionShape(q, k, scale, causal), q, k, v, out, log_sums);
        });
    }

    std::vector<mx::array> vjp(const std::vector<mx::array> &primals, const std::vector<mx::array> &cotangents,
                               const std::vector<int> &wanted, const std::vector<mx::array> &outputs) override {
        const auto all = attention_gradients(primals, outputs[0], outputs[1], cotangents[0], scale_, causal_, stream());
        std::vector<mx::array> result;
        for (int i : wanted) result.push_back(all[i]);
        return result;
    }

private:
    const float scale_;
    const bool causal_;
};

}  // namespace

mx::array attention(const mx::array &q, const mx::array &k, const mx::array &v, float scale, bool causal,
                    mx::Stream s) {
    if (!on_cpu(s)) return composed::attention(q, k, v, scale, causal, s);
    const int rows = q.shape(1) * (q.shape(2) / k.shape(2));
    return mx::array::make_arrays({q.shape(), {k.shape(0), k.shape(2), rows}}, {q.dtype(), mx::float32},
                                  std::make_shared<Attention>(s, scale, causal), {q, k, v})[0];
}

}  // namespace cmlx
