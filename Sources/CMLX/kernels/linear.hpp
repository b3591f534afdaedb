// The linear layer, matrix products as recorded operations; see cmlx_kernels.h.
#pragma once
#include <optional>
#include "../internal.hpp"
#include "cmlx_kernels.h"

namespace cmlx {

mx::array linear(const mx::array &x, const mx::array &weight, const std::optional<mx::array> &bias,
                 cmlx_activation activation, const std::optional<mx::array> &residual, mx::Dtype output, mx::Stream s);
mx::array matmul(const mx::array &a, const mx::array &b, bool transpose_a, bool transpose_b, mx::Dtype output,
                 mx::Stream s);

}  // namespace cmlx
