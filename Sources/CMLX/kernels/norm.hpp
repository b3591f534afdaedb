// Normalisations and rotary positions, as recorded operations (see cmlx_kernels.h) and on memory.
#pragma once
#include <array>
#include <optional>
#include "primitive.hpp"
#include "typed.hpp"

namespace cmlx {

mx::array rms_norm(const mx::array &x, const mx::array &weight, float eps, mx::Dtype output, mx::Stream s);
mx::array layer_norm(const mx::array &x, const std::optional<mx::array> &weight, const std::optional<mx::array> &bias,
                     float eps, mx::Dtype output, mx::Stream s);
mx::array rotary(const mx::array &x, const mx::array &cos, const mx::array &sin, mx::Stream s);

/// (x - mean) / std * weight + bias of each row, the mean 0 where not `centred`; `out` has rows without gaps. Without data
/// weight or bias are left out.
void norm_rows(const Source &x, const Rows &rows, const Source &weight, const Source &bias, bool centred, float eps,
               const Target &out);

/// Rotates the heads of x [batch, positions, heads, 2 half], whose leading axes have `strides`; `out` has no gaps and may
/// be x. `sign`: 1, or -1 backwards.
void rotate_rows(const Source &x, const std::array<int64_t, 3> &strides, int64_t batch, int64_t positions, int64_t heads,
                 int64_t half, const float *cos, const float *sin, float sign, const Target &out);

}  // namespace cmlx
