// Attention without the matrix of scores: what its forward and backward passes share. See cmlx_kernels.h for meaning.
#pragma once
#include "primitive.hpp"
#include "tiles.hpp"

namespace cmlx {

mx::array attention(const mx::array &q, const mx::array &k, const mx::array &v, float scale, bool causal, mx::Stream s);
mx::array attention_scores(const mx::array &q, const mx::array &k, float scale, mx::Stream s);

/// Sizes of one problem. The queries of the `group` query heads that share a key head are taken together as rows
/// r = query * group + head.
struct AttentionShape {
    int64_t batch, queries, keys, kv_heads, group, width;
    float scale;  // times log2(e): scores are exponents of two
    bool causal;

    AttentionShape(const mx::array &q, const mx::array &k, float scale, bool causal)
        : batch(q.shape(0)),
          queries(q.shape(1)),
          keys(k.shape(1)),
          kv_heads(k.shape(2)),
          group(q.shape(2) / k.shape(2)),
          width(q.shape(3)),
          scale(scale * 1.44269504f),
          causal(causal) {}

    int64_t rows() const { return queries * group; }
    /// How many keys a row sees.
    int64_t visible(int64_t row) const { return causal ? row / group + keys - queries + 1 : keys; }
};

/// The rows of one batch element and key head: of q-shaped arrays [B, L, Hkv * group, D] and k-shaped ones (group 1).
inline tiles::RowSet rows_of_head(const mx::array &a, int64_t batch, int64_t kv_head, int64_t group) {
    const auto offset = batch * a.strides(0) + kv_head * group * a.strides(2);
    return {a.data<char>() + offset * int64_t(a.itemsize()), is_bf16(a), a.strides(1), a.strides(2), group};
}

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
