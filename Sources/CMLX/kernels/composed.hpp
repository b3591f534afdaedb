// The kernels as plain MLX operations: what runs on devices other than the CPU, and what gradients fall back on.
#pragma once
#include <optional>
#include "../internal.hpp"
#include "attention.hpp"
#include "cmlx_kernels.h"

namespace cmlx::composed {

using Optional = std::optional<mx::array>;

mx::array activation(const mx::array &x, cmlx_activation kind, float parameter, mx::Stream s);
mx::array linear(const mx::array &x, const mx::array &weight, const Optional &bias, cmlx_activation kind,
                 const Optional &residual, mx::Dtype output, mx::Stream s);
/// activation(product + bias) + residual
mx::array finish_linear(const mx::array &product, const Optional &bias, cmlx_activation kind, const Optional &residual,
                        mx::Dtype output, mx::Stream s);
mx::array matmul(const mx::array &a, const mx::array &b, bool transpose_a, bool transpose_b, mx::Dtype output,
                 mx::Stream s);
mx::array attention(const mx::array &q, const mx::array &k, const mx::array &v, float scale, bool causal, mx::Stream s);
mx::array attention_packed(const mx::array &q, const mx::array &k, const mx::array &v, float scale, bool causal,
                           const AttentionLayout &layout, mx::Stream s);
mx::array attention_scores(const mx::array &q, const mx::array &k, float scale, mx::Stream s);
mx::array rms_norm(const mx::array &x, const mx::array &weight, float eps, mx::Dtype output, mx::Stream s);
mx::array layer_norm(const mx::array &x, const Optional &weight, const Optional &bias, float eps, mx::Dtype output,
                     mx::Stream s);
mx::array swiglu(const mx::array &gate, const mx::array &up, mx::Stream s);
mx::array rotary(const mx::array &x, const mx::array &cos, const mx::array &sin, mx::Stream s);
mx::array conv1d(const mx::array &x, const mx::array &weight, const Optional &bias, int stride, int padding,
                 int dilation, cmlx_activation kind, mx::Stream s);
mx::array conv_transposed1d(const mx::array &x, const mx::array &weight, const Optional &bias, int stride, int padding,
                            mx::Stream s);

/// Half of the last axis: part 0 or 1.
mx::array half(const mx::array &x, int part, mx::Stream s);

}  // namespace cmlx::composed
