// Attention of a few rows (decoding): keys and values stream by once, split over threads along the sequence.
#pragma once
#include <vector>
#include "attention.hpp"

namespace cmlx {

/// Sums over the values of some keys, for a number of rows: out = sums / total, relative to 2^highest.
struct AttentionPart {
    float *sums;     // [rows][padded width]
    float *highest;  // [rows], exponents of two
    float *total;    // [rows]
};

/// Keys that one task takes; depends on sizes alone, so that results do not depend on the machine.
int64_t attention_row_split(const AttentionShape &shape);

/// Whether `attention_rows` does this problem.
bool few_attention_rows(const AttentionShape &shape);

/// Keys `begin` ..< `end` of all key heads: parts[head] gets the sums of all of the head's rows. On the calling thread.
void attention_rows(const AttentionSequence &sequence, const mx::array &q, const mx::array &k, const mx::array &v,
                    int64_t begin, int64_t end, const AttentionPart *parts);

}  // namespace cmlx
