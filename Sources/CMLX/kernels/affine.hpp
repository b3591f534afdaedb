// MLX's affine group format: w = scale q + bias for each group of 32, 64 or 128 consecutive weights of a row.
#pragma once
#include "linear.hpp"

namespace cmlx {

/// [packed integers, scales, biases] of w [..., k]; the numbers of mlx.core.quantize.
std::vector<mx::array> quantize(const mx::array &w, int group, int bits, mx::Stream s);
/// [n, k] in `type`.
mx::array dequantize(const Weight &w, mx::Dtype type, mx::Stream s);
/// Rows `ids` of w: [..., k] in `type`.
mx::array embed(const mx::array &ids, const Weight &w, mx::Dtype type, mx::Stream s);

}  // namespace cmlx
