// The optimiser's step and sums of squares as recorded operations; see cmlx_kernels.h.
#pragma once
#include <vector>
#include "../internal.hpp"
#include "cmlx_kernels.h"

namespace cmlx {

std::vector<mx::array> adamw(const mx::array &parameter, const mx::array &gradient, const mx::array &first,
                             const mx::array &second, const cmlx_adamw &settings, mx::Stream s);
mx::array sum_of_squares(const std::vector<mx::array> &arrays, mx::Stream s);

}  // namespace cmlx
