// Attention, forward: for a block of rows, keys and values go by in tiles while a running maximum and sum keep the
// softmax exact (online softmax). Gradients: attention_backward.cpp.
#include "attention.hpp"
#include <algorithm>
#include <cmath>
#include "attention_backward.hpp"
#include "attention_int8.hpp"
#include "attention_rows.hpp"
#include "composed.hpp"
#include "parallel.hpp"
#include "scratch.hpp"

namespace cmlx {

namespace {

using simd::f32;
using simd::width;
constexpr int64_t tile = attention_tile;
constexpr int tile_groups = tile / width;
constexpr int64_t least_rows = 120, most_rows = 300;  // of a task; many rows share the packing of a tile of keys

template <class M>
struct Workspace {
    int64_t row_units, padded;
    uint32_t *queries, *keys, *values, *weights;
    float *query_scales;  // of rounded queries
    f32 *totals;

    Workspace(const AttentionShape &shape, Pieces &pieces) {
        const int64_t units = shape.int8 ? RoundedKeys::units(shape.width) : M::units(shape.width);
        row_units = (units + width - 1) / width * width;
        padded = tiles::groups_of(shape.width) * width;
        queries = pieces.take<uint32_t>(most_rows * row_units);
        keys = pieces.take<uint32_t>(tile * units);
        values = pieces.take<uint32_t>(tile / M::step * padded);
        weights = pieces.take<uint32_t>(M::rows * tile);
        query_scales = pieces.take<float>(most_rows);
        totals = pieces.take<f32>(most_rows);
    }
};

/// Scores of R rows with a tile of keys become weights 2^(score - highest); the row's sums so far are rescaled when
/// its highest score rises. A row sees the keys before its limit, but for those from `shared` up to what is hidden.
template <class M, int R>
ALWAYS_INLINE inline void soften(f32 (&scores)[R][tile_groups], float scale, const int64_t *limits, int64_t shared,
                                 const int64_t *hidden, float *highest, f32 *totals, float *sums, int64_t padded,
                                 uint32_t *weights) {
    const simd::i32 lane = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    for (int r = 0; r < R; r++) {
        f32 top = simd::splat(-INFINITY);
        for (int g = 0; g < tile_groups; g++) {
            scores[r][g] = scores[r][g] * scale;
            if (limits[r] < tile)
                scores[r][g] = lane + g * width < int32_t(limits[r]) ? scores[r][g] : simd::splat(-INFINITY);
            if (hidden[r] > std::max<int64_t>(0, shared))
                scores[r][g] = ((lane + g * width >= int32_t(shared)) & (lane + g * width < int32_t(hidden[r])))
                                   ? simd::splat(-INFINITY) : scores[r][g];
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

/// Rows `first..<first + count` against keys `begin..<end`, which may have been rounded.
template <class M>
ALWAYS_INLINE inline void run_block(const AttentionShape &shape, const tiles::RowSet &q, const tiles::RowSet &k,
                                    const tiles::RowSet &v, const RoundedKeys *rounded, int64_t first, int64_t count,
                                    int64_t begin, int64_t end, const Workspace<M> &w, const AttentionPart &out) {
    const int64_t units = M::units(shape.width), padded = w.padded;
    if (rounded)
        round_queries(q, first, count, shape.width, w.row_units, w.queries, w.query_scales);
    else
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
            if (!rounded) tiles::pack_transposed<M, T>(tiles::Lines<tile>(k, at, keys), shape.width, w.keys);
            tiles::pack_natural<M, T>(tiles::Lines<tile>(v, at, keys), shape.width, w.values);
        });
        tiles::for_row_blocks<M>(count, [&](auto rows, int64_t r) ALWAYS_INLINE {
            constexpr int R = decltype(rows)::value;
            int64_t limits[R], hidden[R];
            for (int i = 0; i < R; i++) {
                limits[i] = std::min(shape.visible(first + r + i), end) - at;
                hidden[i] = shape.hidden(first + r + i) - at;
            }
            if (limits[R - 1] <= 0 || (shape.shared <= at && hidden[0] >= tile)) return;
            f32 scores[R][tile_groups] = {};
            const uint32_t *queries = w.queries + r * w.row_units;
            if constexpr (M::groups == tile_groups) {
                if (M::pairs && rounded)
                    rounded_scores(queries, w.row_units, w.query_scales + r, *rounded, at, RoundedKeys::units(shape.width),
                                   scores);
                else
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
            soften<M, R>(scores, shape.scale, limits, shape.shared - at, hidden, out.highest + r, w.totals + r, sums,
                         padded, w.weights);
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
ALWAYS_INLINE inline void finish(const AttentionShape &shape, const AttentionPart *parts, int64_t part_count, int64_t first,
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

/// Few rows, as in decoding: all key heads of a stretch of keys are one task, so that memory is read in order.
void forward_rows(const AttentionSequence &sequence, const mx::array &q, const mx::array &k, const mx::array &v,
                  mx::array &out, mx::array &log_sums) {
    const AttentionShape &shape = sequence.shape;
    const int64_t split = attention_row_split(shape), splits = (shape.keys + split - 1) / split;
    const int64_t rows = shape.rows(), heads = shape.kv_heads, size = rows * (shape.width + 2);
    thread_local std::vector<float> memory;  // kept: fresh pages cost more than the work of a token
    memory.resize(std::max(memory.size(), size_t(splits * heads * size)));
    std::vector<AttentionPart> parts;  // [head][split]
    for (float *p = memory.data(); p < memory.data() + splits * heads * size; p += size)
        parts.push_back({p, p + rows * shape.width, p + rows * (shape.width + 1)});
    // Several splits in a row, for each fetches the next one's keys.
    const int64_t run = std::max<int64_t>(1, splits / (4 * max_threads()));
    parallel_tasks(size_t((splits + run - 1) / run), [&](size_t task, int) {
        std::vector<AttentionPart> mine(size_t(heads), parts[0]);
        for (int64_t i = int64_t(task) * run; i < std::min(splits, (int64_t(task) + 1) * run); i++) {
            for (int64_t head = 0; head < heads; head++) mine[size_t(head)] = parts[size_t(head * splits + i)];
            attention_rows(sequence, q, k, v, i * split, std::min(shape.keys, (i + 1) * split), mine.data());
        }
    });
    const auto join = [&](size_t head, int) {
        simd::dispatch([&](auto) ALWAYS_INLINE {
            finish(shape, parts.data() + int64_t(head) * splits, splits, 0, rows, shape.width,
                   sequence.rows(out, int64_t(head), shape.group), log_sums.data<float>() + sequence.logs(int64_t(head)));
        });
    };
    if (splits * heads * rows < 1024)
        for (int64_t head = 0; head < heads; head++) join(size_t(head), 0);
    else
        parallel_tasks(size_t(heads), join);
}

}  // namespace

void attend(const std::vector<AttentionSequence> &all, const mx::array &q, const mx::array &k, const mx::array &v,
            mx::array &out, mx::array &log_sums) {
    std::vector<AttentionSequence> sequences;
    for (const auto &s : all) {
        if (few_attention_rows(s.shape) && !s.shape.turn_starts)
            forward_rows(s, q, k, v, out, log_sums);
        else
            sequences.push_back(s);
    }
    constexpr int64_t keys_per_split = 1024;
    struct Task {
        const AttentionSequence *sequence;
        int64_t head, first, split, work;
        float *shared;  // where splits leave their parts
        const RoundedKeys *rounded = nullptr;
    };
    // Few rows (decoding): keys are split as well, by a length that does not depend on the machine.
    const auto splits_of = [](const AttentionShape &shape) {
        const bool few = shape.rows() <= least_rows;
        return few ? std::max<int64_t>(1, (shape.keys + keys_per_split - 1) / keys_per_split) : 1;
    };
    const int64_t padded = tiles::groups_of(q.shape(3)) * width;
    const auto part_size = [padded](const AttentionShape &shape) {
        return std::min(shape.rows(), most_rows) * (padded + 2);
    };
    const auto part = [padded](const AttentionShape &shape, float *memory) {
        const int64_t rows = std::min(shape.rows(), most_rows);
        return AttentionPart{memory, memory + rows * padded, memory + rows * (padded + 1)};
    };
    int64_t shared_size = 0;
    for (const auto &s : sequences)
        if (const int64_t splits = splits_of(s.shape); splits > 1)
            shared_size += s.shape.kv_heads * splits * part_size(s.shape);
    std::vector<float> shared(shared_size);
    int64_t rows = 0;
    for (const auto &s : sequences) rows += s.shape.kv_heads * s.shape.rows();
    // Enough tasks for all threads to finish together.
    const int64_t rows_per_task = rows >= most_rows * 8 * max_threads() ? most_rows : least_rows;
    std::vector<Task> tasks, joins;
    float *free = shared.data();
    std::vector<RoundedKeys> rounded;
    if (!sequences.empty() && sequences[0].shape.int8) rounded = round_keys(sequences, k);
    const RoundedKeys *keys = rounded.data();
    for (const auto &s : sequences)
        for (int64_t head = 0; head < s.shape.kv_heads; head++, keys += !rounded.empty()) {
            const int64_t splits = splits_of(s.shape);
            if (splits > 1) joins.push_back({&s, head, 0, splits, 0, free});
            for (int64_t first = 0; first < s.shape.rows(); first += rows_per_task)
                for (int64_t split = 0; split < splits; split++) {
                    const int64_t count = std::min(rows_per_task, s.shape.rows() - first);
                    tasks.push_back({&s, head, first, split, count * s.shape.visible(first + count - 1), free, keys});
                    if (splits > 1) free += part_size(s.shape);
                }
        }
    // The longest first, such as late rows of causal attention, so that threads finish together.
    std::stable_sort(tasks.begin(), tasks.end(), [](const Task &a, const Task &b) { return a.work > b.work; });
    const bool bf16 = is_bf16(k);
    parallel_tasks(tasks.size(), [&](size_t index, int) {
        const auto &[sequence, head, first, split, work, memory, rounded] = tasks[index];
        const AttentionShape &shape = sequence->shape;
        const int64_t count = std::min(rows_per_task, shape.rows() - first);
        const bool whole = splits_of(shape) == 1;
        const int64_t begin = split * keys_per_split,
                      end = whole ? shape.keys : std::min(shape.keys, begin + keys_per_split);
        const auto Q = sequence->rows(q, head, shape.group), O = sequence->rows(out, head, shape.group);
        const auto K = sequence->rows(k, head, 1), V = sequence->rows(v, head, 1);
        float *logs = log_sums.data<float>() + sequence->logs(head);
        with_mode(bf16, [&, first = first, memory = memory, rounded = rounded](auto mode) ALWAYS_INLINE {
            using M = decltype(mode);
            const auto carve = [&](Pieces pieces, float **local) ALWAYS_INLINE {
                Workspace<M> workspace(shape, pieces);
                *local = pieces.take<float>(part_size(shape));
                return std::pair(workspace, pieces.used());
            };
            float *local;
            const size_t bytes = carve(Pieces(nullptr), &local).second;
            const auto workspace = carve(Pieces(scratch(bytes)), &local).first;
            const auto result = part(shape, whole ? local : memory);
            run_block<M>(shape, Q, K, V, rounded, first, count, begin, end, workspace, result);
            if (whole) finish(shape, &result, 1, first, count, padded, O, logs);
        });
    });
    parallel_tasks(joins.size(), [&](size_t index, int) {
        const auto &[sequence, head, first, splits, work, memory, rounded] = joins[index];
        const AttentionShape &shape = sequence->shape;
        const auto O = sequence->rows(out, head, shape.group);
        float *logs = log_sums.data<float>() + sequence->logs(head);
        std::vector<AttentionPart> parts;
        for (int64_t s = 0; s < splits; s++) parts.push_back(part(shape, memory + s * part_size(shape)));
        simd::dispatch([&](auto) ALWAYS_INLINE {
            finish(shape, parts.data(), int64_t(parts.size()), 0, shape.rows(), padded, O, logs);
        });
    });
}

namespace {

/// Inputs: q, k, v. Outputs: the result, and [B, Hkv, L * group] log2 of the softmax's divisors for the gradient.
/// With a layout, of sequences laid end to end.
class Attention : public KernelPrimitive {
public:
    Attention(mx::Stream s, float scale, bool causal, bool int8, AttentionLayout layout)
        : KernelPrimitive(s), scale_(scale), causal_(causal), int8_(int8), layout_(std::move(layout)) {}
    const char *name() const override { return "LyraAttention"; }
    bool is_equivalent(const mx::Primitive &other) const override {
        const auto &o = static_cast<const Attention &>(other);
        return scale_ == o.scale_ && causal_ == o.causal_ && int8_ == o.int8_ && layout_ == o.layout_;
    }

    void eval_cpu(const std::vector<mx::array> &inputs, std::vector<mx::array> &outputs) override {
        auto q = with_contiguous_rows(inputs[0]);
        auto k = with_contiguous_rows(inputs[1]), v = with_contiguous_rows(inputs[2]);
        auto out = allocate(outputs[0]), log_sums = allocate(outputs[1]);
        enqueue([=, scale = scale_, causal = causal_, int8 = int8_, layout = layout_]() mutable {
            auto sequences = attention_sequences(q, k, scale, causal, layout);
            for (auto &s : sequences)
                s.shape.int8 = int8 && is_bf16(k) && isa() == ISA::avx512_bf16 && s.shape.rows() > least_rows;
            attend(sequences, q, k, v, out, log_sums);
        });
    }

    std::vector<mx::array> vjp(const std::vector<mx::array> &primals, const std::vector<mx::array> &cotangents,
                               const std::vector<int> &wanted, const std::vector<mx::array> &outputs) override {
        if (int8_) throw std::invalid_argument("attention: scores of 8-bit integers have no gradient");
        const auto all =
            attention_gradients(primals, outputs[0], outputs[1], cotangents[0], scale_, causal_, layout_, stream());
        std::vector<mx::array> result;
        for (int i : wanted) result.push_back(all[i]);
        return result;
    }

private:
    const float scale_;
    const bool causal_, int8_;
    const AttentionLayout layout_;
};

mx::array record_attention(const mx::array &q, const mx::array &k, const mx::array &v, float scale, bool causal,
                           bool int8, AttentionLayout layout, mx::Stream s) {
    const int rows = q.shape(1) * (q.shape(2) / k.shape(2));
    return mx::array::make_arrays({q.shape(), {k.shape(0), k.shape(2), rows}}, {q.dtype(), mx::float32},
                                  std::make_shared<Attention>(s, scale, causal, int8, std::move(layout)), {q, k, v})[0];
}

}  // namespace

mx::array attention(const mx::array &q, const mx::array &k, const mx::array &v, float scale, bool causal, bool int8,
                    mx::Stream s) {
    if (!on_cpu(s)) return composed::attention(q, k, v, scale, causal, s);
    return record_attention(q, k, v, scale, causal, int8, {}, s);
}

mx::array attention_packed(const mx::array &q, const mx::array &k, const mx::array &v, float scale, bool causal,
                           const AttentionLayout &layout, mx::Stream s) {
    if (!on_cpu(s)) return composed::attention_packed(q, k, v, scale, causal, layout, s);
    return record_attention(q, k, v, scale, causal, false, layout, s);
}

}  // namespace cmlx
