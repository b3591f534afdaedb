// How much queries look at each key, averaged over heads and queries. Two passes over the keys: one finds each row's
// softmax divisor, the other sums the weights of all rows key by key. The matrix of weights is never kept.
#include <cmath>
#include "attention.hpp"
#include "composed.hpp"
#include "parallel.hpp"
#include "scratch.hpp"

namespace cmlx {

namespace {

using simd::f32;
using simd::width;
constexpr int64_t tile = attention_tile;
constexpr int tile_groups = tile / width;
constexpr int64_t keys_per_task = 1024;

struct Problem {
    AttentionSequence sequence;
    const AttentionShape &shape;
    const mx::array &q, &k;
    int64_t row_units;        // of a gathered query row
    const uint32_t *queries;  // [Hkv][rows][row_units]
};

/// Scores, as exponents of two, of all rows of a key head with keys `at..<at + count`: `body(R, first row, scores)`.
template <class M, class Body>
ALWAYS_INLINE inline void for_scores(const Problem &p, int64_t head, int64_t at, int64_t count, uint32_t *packed,
                                     Body &&body) {
    const int64_t rows = p.shape.rows(), units = M::units(p.shape.width);
    const tiles::RowSet keys = p.sequence.rows(p.k, head, 1);
    tiles::with_row_type(keys, [&](auto type) ALWAYS_INLINE {
        tiles::pack_transposed<M, decltype(type)>(tiles::Lines<tile>(keys, at, count), p.shape.width, packed);
    });
    const simd::i32 lane = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    tiles::for_row_blocks<M>(rows, [&](auto block, int64_t r) ALWAYS_INLINE {
        constexpr int R = decltype(block)::value;
        f32 scores[R][tile_groups];
        const uint32_t *queries = p.queries + (head * rows + r) * p.row_units;
        tiles::for_group_blocks<M>(tile_groups, [&](auto groups, int64_t g) ALWAYS_INLINE {
            f32 acc[R][decltype(groups)::value] = {};
            tiles::multiply<M>(queries, p.row_units, packed + g * units * width, units, acc);
            for (int i = 0; i < R; i++)
                for (int j = 0; j < decltype(groups)::value; j++) {
                    const f32 score = acc[i][j] * p.shape.scale;
                    scores[i][g + j] = count == tile                            ? score
                                       : lane + int(g + j) * width < int(count) ? score
                                                                                : simd::splat(-INFINITY);
                }
        });
        body(block, r, scores);
    });
}

/// Highest scores and sums of 2^(score - highest) of each row over the keys `begin..<end`.
template <class M>
ALWAYS_INLINE inline void find_divisors(const Problem &p, int64_t head, int64_t begin, int64_t end, float *highest,
                                        float *total) {
    const int64_t rows = p.shape.rows();
    Pieces measure(nullptr);
    const auto carve = [&](Pieces &pieces) {
        auto *packed = pieces.take<uint32_t>(tile * M::units(p.shape.width));
        return std::pair(packed, pieces.take<f32>(rows));
    };
    carve(measure);
    Pieces pieces(scratch(measure.used()));
    const auto [packed, sums] = carve(pieces);
    for (int64_t r = 0; r < rows; r++) highest[r] = -INFINITY, sums[r] = f32{};
    for (int64_t at = begin; at < end; at += tile)
        for_scores<M>(p, head, at, std::min(tile, end - at), packed,
                      [&](auto block, int64_t r, auto &scores) ALWAYS_INLINE {
            for (int i = 0; i < decltype(block)::value; i++) {
                f32 top = scores[i][0];
                for (int g = 1; g < tile_groups; g++) top = simd::max(top, scores[i][g]);
                const float high = std::max(highest[r + i], simd::highest(top));
                f32 sum = sums[r + i] * simd::exp2(simd::splat(highest[r + i] - high));
                for (int g = 0; g < tile_groups; g++) sum += simd::exp2_below_one<false>(scores[i][g] - high);
                sums[r + i] = sum;
                highest[r + i] = high;
            }
        });
    for (int64_t r = 0; r < rows; r++) total[r] = simd::sum(sums[r]);
}

/// out[key] = sum over all rows of 2^(score - log) times `share`, for the keys `begin..<end`.
template <class M>
ALWAYS_INLINE inline void sum_weights(const Problem &p, int64_t begin, int64_t end, const float *logs, float share,
                                      float *out) {
    const int64_t rows = p.shape.rows();
    auto *packed = static_cast<uint32_t *>(scratch(size_t(tile * M::units(p.shape.width)) * sizeof(uint32_t)));
    for (int64_t at = begin; at < end; at += tile) {
        f32 sums[tile_groups] = {};
        for (int64_t head = 0; head < p.shape.kv_heads; head++)
            for_scores<M>(p, head, at, std::min(tile, end - at), packed,
                          [&](auto block, int64_t r, auto &scores) ALWAYS_INLINE {
                for (int i = 0; i < decltype(block)::value; i++)
                    for (int g = 0; g < tile_groups; g++)
                        sums[g] += simd::exp2_below_one<false>(scores[i][g] - logs[head * rows + r + i]);
            });
        for (int g = 0; g < tile_groups; g++) {
            const int64_t left = end - at - g * width;
            if (left > 0) simd::store(out + at + g * width, sums[g] * share, int(std::min<int64_t>(width, left)));
        }
    }
}

void scores(const mx::array &q, const mx::array &k, float scale, mx::array &out) {
    const AttentionSequence sequence = attention_sequences(q, k, scale, false, {}).front();
    const AttentionShape &shape = sequence.shape;
    const int64_t rows = shape.rows(), heads = shape.kv_heads;
    const int64_t chunks = (shape.keys + keys_per_task - 1) / keys_per_task;
    const auto range = [&](int64_t chunk) {
        return std::pair(chunk * keys_per_task, std::min(shape.keys, (chunk + 1) * keys_per_task));
    };
    const int64_t row_units = (shape.width + width - 1) / width * width;  // enough in every mode
    std::vector<uint32_t> queries(heads * rows * row_units);
    std::vector<float> highest(heads * chunks * rows), total(heads * chunks * rows), logs(heads * rows);
    const Problem problem{sequence, shape, q, k, row_units, queries.data()};
    parallel_tasks(size_t(heads), [&](size_t head, int) {
        with_mode(is_bf16(k), [&](auto mode) ALWAYS_INLINE {
            const auto set = sequence.rows(q, int64_t(head), shape.group);
            tiles::with_row_type(set, [&](auto type) ALWAYS_INLINE {
                tiles::gather<decltype(mode), decltype(type)>(set, 0, rows, shape.width, row_units,
                                                              queries.data() + head * rows * row_units);
            });
        });
    });
    parallel_tasks(size_t(heads * chunks), [&](size_t task, int) {
        const auto [begin, end] = range(int64_t(task) % chunks);
        with_mode(is_bf16(k), [&, begin = begin, end = end](auto mode) ALWAYS_INLINE {
            find_divisors<decltype(mode)>(problem, int64_t(task) / chunks, begin, end, highest.data() + task * rows,
                                          total.data() + task * rows);
        });
    });
    for (int64_t i = 0; i < heads * rows; i++) {
        const int64_t first = i / rows * chunks * rows + i % rows;
        float top = -INFINITY, sum = 0;
        for (int64_t c = 0; c < chunks; c++) top = std::max(top, highest[first + c * rows]);
        for (int64_t c = 0; c < chunks; c++)
            sum += total[first + c * rows] * std::exp2(highest[first + c * rows] - top);
        logs[i] = top + std::log2(sum);
    }
    parallel_tasks(size_t(chunks), [&](size_t chunk, int) {
        const auto [begin, end] = range(int64_t(chunk));
        with_mode(is_bf16(k), [&, begin = begin, end = end](auto mode) ALWAYS_INLINE {
            sum_weights<decltype(mode)>(problem, begin, end, logs.data(), 1.0f / float(rows * heads),
                                        out.data<float>());
        });
    });
}

/// Inputs: q [1, Lq, Hq, D], k [1, S, Hkv, D].
class AttentionScores : public KernelPrimitive {
public:
    AttentionScores(mx::Stream s, float scale) : KernelPrimitive(s), scale_(scale) {}
    const char *name() const override { return "LyraAttentionScores"; }
    bool is_equivalent(const mx::Primitive &other) const override {
        return scale_ == static_cast<const AttentionScores &>(other).scale_;
    }
    void eval_cpu(const std::vector<mx::array> &inputs, std::vector<mx::array> &outputs) override {
        auto q = with_contiguous_rows(inputs[0]), k = with_contiguous_rows(inputs[1]), out = allocate(outputs[0]);
        enqueue([=, scale = scale_]() mutable { scores(q, k, scale, out); });
    }

private:
    const float scale_;
};

}  // namespace

mx::array attention_scores(const mx::array &q, const mx::array &k, float scale, mx::Stream s) {
    if (!on_cpu(s)) return composed::attention_scores(q, k, scale, s);
    const auto one = [&](const mx::array &a) { return mx::stop_gradient(mx::expand_dims(a, 0, s), s); };
    return record<AttentionScores>({k.shape(0)}, mx::float32, {one(q), one(k)}, s, scale);
}

}  // namespace cmlx
