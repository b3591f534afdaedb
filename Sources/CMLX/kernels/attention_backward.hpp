// Gradients of attention; see attention_backward.cpp.
#pragma once
#include <vector>
#include "attention.hpp"

namespace cmlx {

/// Gradients of q, k and v (`primals`) given the result, the log2 of the softmax's divisors and the upstream gradient.
std::vector<mx::array> attention_gradients(const std::vector<mx::array> &primals, const mx::array &out,
                                           const mx::array &log_sums, const mx::array &upstream, float scale,
                                           bool causal, const AttentionLayout &layout, mx::Stream s);

}  // namespace cmlx
