// Gradients of attention. Nothing of the size queries x keys is kept: weights are computed again from the saved
// divisors. Two passes of one shape: one owns rows of queries and visits keys for dq, the other owns rows of keys and
// visits queries for dk and dv. Twice the scores, but no sums shared between threads, so results do not depend on them.
#include "attention_backward.hpp"
#include <algorithm>
#include <cmath>
#include "attention.hpp"
#include "parallel.hpp"
#include "scratch.hpp"

namespace cmlx {

namespace {

using simd::f32;
using simd::width;
constexpr int64_t tile = attention_tile;
constexpr int tile_groups = tile / width;
constexpr int64_t rows_per_task = 96;

/// One batch element and key head: everything as rows, and what is known of each query row.
struct Head {
    tiles::RowSet q, upstream, k, v;
    const float *log_sums, *deltas;  // of query rows: log2 of the softmax's divisor; upstream . result
};

template <class M>
struct Workspace {
    int64_t row_units, padded;
    uint32_t *first, *second;                // own rows: q and upstream, or k and v
    uint32_t *first_across, *second_across;  // visited tile, to multiply own rows with
    uint32_t *first_along, *second_along;    // visited tile, to sum over
    uint32_t *weights, *slopes;
    float *first_gradient, *second_gradient;

    Workspace(const AttentionShape &shape, Pieces &pieces) {
        const int64_t units = M::units(shape.width);
        row_units = (units + width - 1) / width * width;
        padded = tiles::groups_of(shape.width) * width;
        for (auto **p : {&first, &second}) *p = pieces.take<uint32_t>(rows_per_task * row_units);
        for (auto **p : {&first_across, &second_across}) *p = pieces.take<uint32_t>(tile * units);
        for (auto **p : {&first_along, &second_along}) *p = pieces.take<uint32_t>(tile / M::step * padded);
        for (auto **p : {&weights, &slopes}) *p = pieces.take<uint32_t>(M::rows * tile);
        for (auto **p : {&first_gradient, &second_gradient}) *p = pieces.take<float>(rows_per_task * padded);
    }
};

template <class M, int R>
ALWAYS_INLINE inline void products(const uint32_t *rows, int64_t stride, const uint32_t *columns, int64_t units,
                                   f32 (&out)[R][tile_groups]) {
    tiles::for_group_blocks<M>(tile_groups, [&](auto groups, int64_t g) ALWAYS_INLINE {
        f32 acc[R][decltype(groups)::value] = {};
        tiles::multiply<M>(rows, stride, columns + g * units * width, units, acc);
        for (int i = 0; i < R; i++)
            for (int j = 0; j < decltype(groups)::value; j++) out[i][g + j] = acc[i][j];
    });
}

/// sums[R][padded] += factors[R][tile] along the visited rows.
template <class M, int R>
ALWAYS_INLINE inline void accumulate(const uint32_t *factors, const uint32_t *along, float *sums, int64_t padded) {
    tiles::for_group_blocks<M>(padded / width, [&](auto groups, int64_t g) ALWAYS_INLINE {
        constexpr int G = decltype(groups)::value;
        f32 acc[R][G];
        for (int i = 0; i < R; i++)
            for (int j = 0; j < G; j++) acc[i][j] = simd::load(sums + i * padded + (g + j) * width);
        tiles::multiply<M>(factors, tile, along + g * (tile / M::step) * width, tile / M::step, acc);
        for (int i = 0; i < R; i++)
            for (int j = 0; j < G; j++) simd::store(sums + i * padded + (g + j) * width, acc[i][j]);
    });
}

template <class M>
ALWAYS_INLINE inline void gather(const tiles::RowSet &set, int64_t first, int64_t count, int64_t length,
                                 int64_t row_units, uint32_t *out) {
    tiles::with_row_type(set, [&](auto type) ALWAYS_INLINE {
        tiles::gather<M, decltype(type)>(set, first, count, length, row_units, out);
    });
}

template <class M>
ALWAYS_INLINE inline void pack(const tiles::RowSet &set, int64_t first, int64_t count, int64_t length, uint32_t *across,
                               uint32_t *along) {
    const tiles::Lines<tile> lines(set, first, count);
    tiles::with_row_type(set, [&](auto type) ALWAYS_INLINE {
        tiles::pack_transposed<M, decltype(type)>(lines, length, across);
        if (along) tiles::pack_natural<M, decltype(type)>(lines, length, along);
    });
}

/// The pass that owns `count` rows from `first` on: of queries, or of keys where `by_keys`.
template <class M, bool by_keys>
ALWAYS_INLINE inline void run_block(const AttentionShape &shape, const Head &head, int64_t first, int64_t count,
                                    const Workspace<M> &w) {
    const int64_t length = shape.width, units = M::units(length), padded = w.padded;
    const float scale = shape.scale / 1.44269504f;
    const simd::i32 lane = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    gather<M>(by_keys ? head.k : head.q, first, count, length, w.row_units, w.first);
    gather<M>(by_keys ? head.v : head.upstream, first, count, length, w.row_units, w.second);
    std::memset(w.first_gradient, 0, size_t(count * padded) * sizeof(float));
    std::memset(w.second_gradient, 0, size_t(count * padded) * sizeof(float));
    const int64_t begin = by_keys ? shape.opening(first) / tile * tile : 0;
    const int64_t end = by_keys ? shape.rows() : shape.visible(first + count - 1);
    for (int64_t at = begin; at < end; at += tile) {
        const int64_t visited = std::min(tile, end - at);
        pack<M>(by_keys ? head.q : head.k, at, visited, length, w.first_across, w.first_along);
        pack<M>(by_keys ? head.upstream : head.v, at, visited, length, w.second_across,
                by_keys ? w.second_along : nullptr);
        float logs[tile], deltas[tile];  // of the visited queries; padding gets no weight
        simd::i32 starts[tile_groups] = {};  // where their turns begin
        if constexpr (by_keys)
            for (int64_t i = 0; i < tile; i++) {
                logs[i] = i < visited ? head.log_sums[at + i] : INFINITY;
                deltas[i] = i < visited ? head.deltas[at + i] : 0;
                if (shape.turn_starts && i < visited) starts[i / width][i % width] = int32_t(shape.hidden(at + i));
            }
        tiles::for_row_blocks<M>(count, [&](auto rows, int64_t r) ALWAYS_INLINE {
            constexpr int R = decltype(rows)::value;
            // Blocks that see nothing of the tile: before it, or of other turns.
            const int64_t top = first + r, bottom = top + R - 1;
            if constexpr (by_keys) {
                if (shape.opening(top) >= at + visited || (top >= shape.shared && starts[0][0] > bottom)) return;
            } else {
                if (shape.visible(bottom) <= at || (shape.shared <= at && shape.hidden(top) >= at + tile)) return;
            }
            f32 scores[R][tile_groups], gains[R][tile_groups];
            products<M, R>(w.first + r * w.row_units, w.row_units, w.first_across, units, scores);
            products<M, R>(w.second + r * w.row_units, w.row_units, w.second_across, units, gains);
            for (int i = 0; i < R; i++) {
                const int64_t row = first + r + i;
                const int32_t low = by_keys ? int32_t(shape.opening(row) - at) : 0;
                const int32_t high = int32_t(by_keys ? visited : std::min(shape.visible(row), end) - at);
                const int32_t shared = int32_t(shape.shared - at), hidden = by_keys ? 0 : int32_t(shape.hidden(row) - at);
                for (int g = 0; g < tile_groups; g++) {
                    const f32 log = by_keys ? simd::load(logs + g * width) : simd::splat(head.log_sums[row]);
                    const f32 delta = by_keys ? simd::load(deltas + g * width) : simd::splat(head.deltas[row]);
                    f32 weight = simd::exp2_below_one<M::pairs>(scores[i][g] * shape.scale - log);
                    if (low > 0) weight = lane + g * width >= low ? weight : f32{};
                    if (high < tile) weight = lane + g * width < high ? weight : f32{};
                    if constexpr (by_keys) {
                        if (shape.turn_starts && row >= shape.shared)
                            weight = starts[g] > int32_t(row) ? f32{} : weight;
                    } else if (hidden > std::max(0, shared)) {
                        weight = ((lane + g * width >= shared) & (lane + g * width < hidden)) ? f32{} : weight;
                    }
                    if constexpr (by_keys) tiles::store_units<M>(w.weights + i * tile, g * width, weight);
                    tiles::store_units<M>(w.slopes + i * tile, g * width, weight * (gains[i][g] - delta) * scale);
                }
            }
            accumulate<M, R>(w.slopes, w.first_along, w.first_gradient + r * padded, padded);
            if constexpr (by_keys) accumulate<M, R>(w.weights, w.second_along, w.second_gradient + r * padded, padded);
        });
    }
}

ALWAYS_INLINE inline void store_rows(const float *rows, int64_t padded, int64_t length, int64_t first, int64_t count,
                                     const tiles::RowSet &out) {
    for (int64_t r = 0; r < count; r++)
        for (int64_t d = 0; d < length; d += width) {
            const int n = int(std::min<int64_t>(width, length - d));
            const f32 v = simd::load(rows + r * padded + d);
            auto *to = const_cast<void *>(out.data);
            const int64_t offset = out.offset(first + r) + d;
            if (out.is_bf16)
                simd::store(static_cast<simd::bf16 *>(to) + offset, v, n);
            else
                simd::store(static_cast<float *>(to) + offset, v, n);
        }
}

/// deltas[r] = upstream . result of row r.
void dot_rows(const tiles::RowSet &a, const tiles::RowSet &b, int64_t rows, int64_t length, float *deltas) {
    simd::dispatch([&](auto) ALWAYS_INLINE {
        const auto load = [&](const tiles::RowSet &set, int64_t r, int64_t d) ALWAYS_INLINE {
            const int n = int(std::min<int64_t>(width, length - d));
            const int64_t offset = set.offset(r) + d;
            return set.is_bf16 ? simd::load(static_cast<const simd::bf16 *>(set.data) + offset, n)
                               : simd::load(static_cast<const float *>(set.data) + offset, n);
        };
        for (int64_t r = 0; r < rows; r++) {
            f32 sum = {};
            for (int64_t d = 0; d < length; d += width) sum += load(a, r, d) * load(b, r, d);
            deltas[r] = simd::sum(sum);
        }
    });
}

/// Inputs: q, k, v, result, log2 of divisors, upstream gradient. Outputs: gradients of q, k, v.
class AttentionGradient : public KernelPrimitive {
public:
    AttentionGradient(mx::Stream s, float scale, bool causal, AttentionLayout layout)
        : KernelPrimitive(s), scale_(scale), causal_(causal), layout_(std::move(layout)) {}
    const char *name() const override { return "LyraAttentionGradient"; }
    bool is_equivalent(const mx::Primitive &other) const override {
        const auto &o = static_cast<const AttentionGradient &>(other);
        return scale_ == o.scale_ && causal_ == o.causal_ && layout_ == o.layout_;
    }

    void eval_cpu(const std::vector<mx::array> &inputs, std::vector<mx::array> &outputs) override {
        auto q = with_contiguous_rows(inputs[0]), k = with_contiguous_rows(inputs[1]),
             v = with_contiguous_rows(inputs[2]);
        auto result = with_contiguous_rows(inputs[3]), upstream = with_contiguous_rows(inputs[5]);
        auto log_sums = as_contiguous(inputs[4], mx::float32);
        auto dq = allocate(outputs[0]), dk = allocate(outputs[1]), dv = allocate(outputs[2]);
        auto deltas = temporary(inputs[4].shape(), mx::float32);
        enqueue([=, scale = scale_, causal = causal_, layout = layout_, deltas = view(deltas)]() mutable {
            const auto sequences = attention_sequences(q, k, scale, causal, layout);
            struct Task {
                const AttentionSequence *sequence;
                int64_t head, first, count, work;
                bool by_keys;
            };
            std::vector<Task> heads, tasks;
            for (const auto &s : sequences)
                for (int64_t head = 0; head < s.shape.kv_heads; head++) {
                    heads.push_back({&s, head, 0, s.shape.rows(), s.shape.rows(), false});
                    for (const bool by_keys : {true, false}) {
                        const int64_t rows = by_keys ? s.shape.keys : s.shape.rows();
                        for (int64_t first = 0; first < rows; first += rows_per_task) {
                            const int64_t count = std::min(rows_per_task, rows - first);
                            const int64_t seen = by_keys ? s.shape.rows() - s.shape.opening(first)
                                                         : s.shape.visible(first + count - 1);
                            tasks.push_back({&s, head, first, count, count * seen * (by_keys ? 4 : 3), by_keys});
                        }
                    }
                }
            // The longest first (early keys and late queries of causal attention), so that threads finish together.
            std::stable_sort(tasks.begin(), tasks.end(), [](const Task &a, const Task &b) { return a.work > b.work; });
            parallel_tasks(heads.size(), [&](size_t index, int) {
                const auto &[sequence, head, first, count, work, by_keys] = heads[index];
                const AttentionShape &shape = sequence->shape;
                dot_rows(sequence->rows(upstream, head, shape.group), sequence->rows(result, head, shape.group), count,
                         shape.width, deltas.data<float>() + sequence->logs(head));
            });
            parallel_tasks(tasks.size(), [&](size_t index, int) {
                const Task &task = tasks[index];
                const AttentionSequence &sequence = *task.sequence;
                const AttentionShape &shape = sequence.shape;
                const auto rows_of = [&](const mx::array &a, int64_t group) {
                    return sequence.rows(a, task.head, group);
                };
                const Head h = {rows_of(q, shape.group),
                                rows_of(upstream, shape.group),
                                rows_of(k, 1),
                                rows_of(v, 1),
                                log_sums.data<float>() + sequence.logs(task.head),
                                deltas.data<float>() + sequence.logs(task.head)};
                with_mode(is_bf16(k), [&](auto mode) ALWAYS_INLINE {
                    using M = decltype(mode);
                    Pieces measure(nullptr);
                    Workspace<M>(shape, measure);
                    Pieces pieces(scratch(measure.used()));
                    const Workspace<M> w(shape, pieces);
                    const auto store = [&](const float *rows, const tiles::RowSet &out) ALWAYS_INLINE {
                        store_rows(rows, w.padded, shape.width, task.first, task.count, out);
                    };
                    if (task.by_keys) {
                        run_block<M, true>(shape, h, task.first, task.count, w);
                        store(w.first_gradient, rows_of(dk, 1));
                        store(w.second_gradient, rows_of(dv, 1));
                    } else {
                        run_block<M, false>(shape, h, task.first, task.count, w);
                        store(w.first_gradient, rows_of(dq, shape.group));
                    }
                });
            });
        });
    }

private:
    const float scale_;
    const bool causal_;
    const AttentionLayout layout_;
};

}  // namespace

std::vector<mx::array> attention_gradients(const std::vector<mx::array> &primals, const mx::array &out,
                                           const mx::array &log_sums, const mx::array &upstream, float scale,
                                           bool causal, const AttentionLayout &layout, mx::Stream s) {
    const auto &q = primals[0], &k = primals[1], &v = primals[2];
    return mx::array::make_arrays({q.shape(), k.shape(), v.shape()}, {q.dtype(), k.dtype(), v.dtype()},
                                  std::make_shared<AttentionGradient>(s, scale, causal, layout),
                                  {q, k, v, out, log_sums, upstream});
}

}  // namespace cmlx
