// Normalisations and rotary positions as recorded operations; see cmlx_kernels.h.
#pragma once
#include <optional>
#include "../internal.hpp"

namespace cmlx {

mx::array rms_norm(const mx::array &x, const mx::array &weight, float eps, mx::Dtype output, mx::Stream s);
mx::array layer_norm(const mx::array &x, const std::optional<mx::array> &weight, const std::optional<mx::array> &bias,
                     float eps, mx::Dtype output, mx::Stream s);
mx::array rotary(const mx::array &x, const mx::array &cos, const mx::array &sin, mx::Stream s);

}  // namespace cmlx
