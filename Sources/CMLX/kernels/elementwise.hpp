// Elementwise kernels as recorded operations; see cmlx_kernels.h.
#pragma once
#include <optional>
#include "../internal.hpp"
#include "cmlx_kernels.h"
#include "typed.hpp"

namespace cmlx {

mx::array activation(const mx::array &x, cmlx_activation kind, float parameter, mx::Stream s);
/// upstream * activation'(x), in the type of x; on a CPU.
mx::array activation_gradient(const mx::array &x, const mx::array &upstream, cmlx_activation kind, float parameter,
                              mx::Stream s);
/// Of gate and up, given the upstream gradient of silu(gate) * up; on a CPU.
std::vector<mx::array> swiglu_gradients(const mx::array &gate, const mx::array &up, const mx::array &upstream, mx::Stream s);
mx::array swiglu(const mx::array &gate, const std::optional<mx::array> &up, mx::Stream s);
/// The same of `count` rows of `width` in memory; `out` has no gaps.
void swiglu_rows(const Source &gate, int64_t gate_stride, const Source &up, int64_t up_stride, int64_t count, int64_t width,
                 const Target &out);
mx::array add(const mx::array &a, const mx::array &b, mx::Dtype output, mx::Stream s);
mx::array convert(const mx::array &x, mx::Dtype output, mx::Stream s);
/// [rows, n] -> [n] float32; on a CPU. Has no gradient.
mx::array column_sums(const mx::array &x, mx::Stream s);
/// A share `rate` of the elements becomes zero, chosen by `seed`, the others are divided by 1 - rate.
mx::array dropout(const mx::array &x, float rate, uint64_t seed, mx::Stream s);

}  // namespace cmlx
