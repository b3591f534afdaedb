// Products of many rows with weights that oneDNN does not read: integers are turned into tiles of what the processor
// multiplies, in its cache, a slab of columns at a time.
#pragma once
#include "product.hpp"

namespace cmlx {

/// Runs one job of x [m, k], k > 0, on the whole team. The weights are affine, and multiplied in the type of x; or with
/// `int8`, where the processor can, affine or packed.
void multiply_many(int64_t m, int64_t k, const Matrix &x, const Job &job, bool int8);

}  // namespace cmlx
