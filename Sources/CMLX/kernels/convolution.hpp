// Convolutions as recorded operations; see cmlx_kernels.h.
#pragma once
#include <optional>
#include "../internal.hpp"
#include "cmlx_kernels.h"

namespace cmlx {

mx::array conv1d(const mx::array &x, const mx::array &weight, const std::optional<mx::array> &bias, int stride,
                 int padding, int dilation, cmlx_activation activation, mx::Stream s);
mx::array conv_transposed1d(const mx::array &x, const mx::array &weight, const std::optional<mx::array> &bias,
                            int stride, int padding, mx::Stream s);

}  // namespace cmlx
