// Losses as recorded operations; see cmlx_kernels.h for meaning. As MLX operations: composed_losses.cpp.
#pragma once
#include <vector>
#include "../internal.hpp"

namespace cmlx {

/// How much of each sample of a padded batch is meant, along its two axes.
struct Extent {
    int first, second;
    bool operator==(const Extent &) const = default;
};

mx::array cross_entropy(const mx::array &logits, const mx::array &targets, mx::Stream s);
/// Extents: rows and columns.
mx::array soft_dtw(const mx::array &cost, std::vector<Extent> extents, float gamma, mx::Stream s);
/// Starts: the row of each sample's first frame; extents: its frames and targets.
mx::array ctc_loss(const mx::array &logits, const mx::array &targets, std::vector<int> starts,
                   std::vector<Extent> extents, int blank, bool zero_infinity, mx::Stream s);

namespace composed {
mx::array cross_entropy(const mx::array &logits, const mx::array &targets, mx::Stream s);
mx::array soft_dtw(const mx::array &cost, const std::vector<Extent> &extents, float gamma, mx::Stream s);
mx::array ctc_loss(const mx::array &logits, const mx::array &targets, const std::vector<int> &starts,
                   const std::vector<Extent> &extents, int blank, bool zero_infinity, mx::Stream s);
}  // namespace composed

/// Where losses that are recursions run: beside a GPU on the processor, as a step of one is too little work for a GPU.
inline mx::Stream recursion_stream(mx::Stream s) {
    if (s.device == mx::Device::cpu) return s;
    static const mx::Stream shared = mx::new_thread_unsafe_stream(mx::Device::cpu);
    return shared;
}

/// Indices as they are, contiguous, out of reach of gradients.
inline mx::array indices(const mx::array &a, mx::Stream s) {
    return mx::contiguous(mx::stop_gradient(mx::astype(a, mx::int32, s), s), false, s);
}

}  // namespace cmlx
