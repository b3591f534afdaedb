// A whole layer of a Qwen2 decoder as one recorded operation; see cmlx_kernels.h.
#pragma once
#include <array>
#include "linear.hpp"

namespace cmlx {

/// A linear layer, and the factors of what an adapter adds to it: [rank, k] and [n, rank].
struct AdaptedMap {
    LinearMap map;
    std::optional<mx::array> low_a, low_b;
};

struct DecoderLayer {
    enum { query, key, value, output, gate, up, down, map_count };
    std::vector<AdaptedMap> maps;
    mx::array input_norm, post_attention_norm;
    float eps;
    int query_heads, kv_heads;
    bool int8;
    mx::Dtype type;  // that products are taken in
};

/// New tokens of one conversation, after `past` others.
struct DecoderRun {
    int tokens, past;
};

/// Whether the layer can be one operation: on a CPU, without gradients, all of one type.
bool can_record(const mx::array &x, const DecoderLayer &layer, mx::Stream s);

/// x [1, n, width] float32, the runs' tokens end to end; cos and sin [n, D / 2]; caches: keys and values of each run,
/// [1, capacity, kv_heads, D]. Returns the result, and caches with the new rows, written in place where nobody else has them.
std::vector<mx::array> decoder_layer(const mx::array &x, const mx::array &cos, const mx::array &sin,
                                     const DecoderLayer &layer, const std::vector<DecoderRun> &runs,
                                     std::vector<mx::array> caches, mx::Stream s);

}  // namespace cmlx
