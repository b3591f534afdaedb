// Attention without the matrix of scores: what its forward and backward passes share. See cmlx_kernels.h for meaning.
#pragma once
#include <algorithm>
#include <vector>
#include "primitive.hpp"
#include "tiles.hpp"

namespace cmlx {

/// Sequences laid end to end. One may have turns: each sees what stands before the first, and itself.
struct AttentionLayout {
    std::vector<int> ends;   // the first sequence ends at ends[1], and so on; ends[0] is 0
    std::vector<int> turns;  // tokens at which turns begin, rising
    std::vector<int32_t> turn_starts;  // of each token within its sequence; 0 before the first turn

    AttentionLayout() = default;
    AttentionLayout(std::vector<int> ends_, std::vector<int> turns_) : ends(std::move(ends_)), turns(std::move(turns_)) {
        if (turns.empty()) return;
        turn_starts.assign(size_t(ends.back()), 0);
        for (size_t i = 1, turn = 0; i < ends.size(); i++)
            for (; turn < turns.size() && turns[turn] < ends[i]; turn++) {
                const int end = turn + 1 < turns.size() ? std::min(ends[i], turns[turn + 1]) : ends[i];
                std::fill(turn_starts.begin() + turns[turn], turn_starts.begin() + end, turns[turn] - ends[i - 1]);
            }
    }

    /// Where the turns of the sequence that ends at ends[i] begin; ends[i] or beyond if it has none.
    int first_turn(size_t i) const {
        const auto turn = std::lower_bound(turns.begin(), turns.end(), ends[i - 1]);
        return turn == turns.end() ? ends[i] : *turn;
    }
    bool operator==(const AttentionLayout &other) const { return ends == other.ends && turns == other.turns; }
};

mx::array attention(const mx::array &q, const mx::array &k, const mx::array &v, float scale, bool causal, bool int8,
                    mx::Stream s);
mx::array attention_packed(const mx::array &q, const mx::array &k, const mx::array &v, float scale, bool causal,
                           const AttentionLayout &layout, mx::Stream s);
mx::array attention_scores(const mx::array &q, const mx::array &k, float scale, mx::Stream s);

/// Sizes of one problem. The queries of the `group` query heads that share a key head are taken together as rows
/// r = query * group + head.
struct AttentionShape {
    int64_t queries, keys, kv_heads, group, width;
    float scale;  // times log2(e): scores are exponents of two
    bool causal;
    // Where the sequence has turns: keys from `shared` up to where a query's turn begins are hidden from it.
    int64_t shared = 0;
    const int32_t *turn_starts = nullptr;  // of each query
    bool int8 = false;  // scores from 8-bit integers, where the processor multiplies them

    AttentionShape(const mx::array &q, const mx::array &k, float scale, bool causal)
        : queries(q.shape(1)),
          keys(k.shape(1)),
          kv_heads(k.shape(2)),
          group(q.shape(2) / k.shape(2)),
          width(q.shape(3)),
          scale(scale * 1.44269504f),
          causal(causal) {}

    int64_t rows() const { return queries * group; }
    /// How many keys a row sees.
    int64_t visible(int64_t row) const { return causal ? row / group + keys - queries + 1 : keys; }
    /// Where the keys end that another turn hides from a row; they begin at `shared`.
    int64_t hidden(int64_t row) const { return turn_starts ? turn_starts[row / group] : 0; }
    /// The first row that sees a key.
    int64_t opening(int64_t key) const { return causal ? std::max<int64_t>(0, key - (keys - queries)) * group : 0; }
};

/// One of the problems that are solved together: a batch element, or one of several sequences laid end to end in one.
struct AttentionSequence {
    AttentionShape shape;
    int64_t batch, first;         // the element, and the sequence's first token in it
    int64_t logs_at, logs_stride;  // where its rows begin in the divisors' logarithms, and how far heads are apart

    /// The rows of a key head: of q-shaped arrays [B, L, Hkv * group, D] and k-shaped ones (group 1).
    tiles::RowSet rows(const mx::array &a, int64_t kv_head, int64_t group) const {
        const auto offset = batch * a.strides(0) + first * a.strides(1) + kv_head * group * a.strides(2);
        return {a.data<char>() + offset * int64_t(a.itemsize()), is_bf16(a), a.strides(1), a.strides(2), group};
    }
    /// Offset in the divisors' logarithms.
    int64_t logs(int64_t kv_head) const { return logs_at + kv_head * logs_stride; }
};

/// Batch elements, or with a layout its sequences; `layout` outlives them.
inline std::vector<AttentionSequence> attention_sequences(const mx::array &q, const mx::array &k, float scale,
                                                          bool causal, const AttentionLayout &layout) {
    const AttentionShape shape(q, k, scale, causal);
    const auto &ends = layout.ends;
    std::vector<AttentionSequence> result;
    if (ends.empty()) {
        const int64_t rows = shape.rows();
        for (int64_t b = 0; b < q.shape(0); b++) result.push_back({shape, b, 0, b * shape.kv_heads * rows, rows});
    }
    for (size_t i = 1; i < ends.size(); i++) {
        if (ends[i] == ends[i - 1]) continue;
        AttentionSequence part{shape, 0, ends[i - 1], ends[i - 1] * shape.group, shape.rows()};
        part.shape.queries = part.shape.keys = ends[i] - ends[i - 1];
        if (const auto turn = layout.first_turn(i); turn < ends[i]) {
            part.shape.shared = turn - ends[i - 1];
            part.shape.turn_starts = layout.turn_starts.data() + ends[i - 1];
        }
        result.push_back(part);
    }
    return result;
}

/// Solves the problems on memory: `out` as q, and [B, Hkv, L * group] log2 of the softmax's divisors.
void attend(const std::vector<AttentionSequence> &sequences, const mx::array &q, const mx::array &k, const mx::array &v,
            mx::array &out, mx::array &log_sums);

/// Keys (or rows) of one tile.
constexpr int64_t attention_tile = 64;

/// Calls `body(mode)` for this machine: pairs of bfloat16 where `bf16` and the processor multiplies them.
template <class Body>
void with_mode(bool bf16, Body &&body) {
    simd::dispatch([&](auto level) ALWAYS_INLINE {
        constexpr ISA set = decltype(level)::value;
        if constexpr (set == ISA::avx512_bf16) {
            if (bf16) return body(tiles::Mode<set, true>());
        }
        body(tiles::Mode<set, false>());
    });
}

}  // namespace cmlx
