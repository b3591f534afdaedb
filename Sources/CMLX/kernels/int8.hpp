// Weights as packed 8-bit integers, as recorded operations.
#pragma once
#include "linear.hpp"

namespace cmlx {

/// The packed form of a dense or affine matrix: integers, scales, offsets.
Weight pack_int8(const Weight &w, mx::Stream s);
/// [n, k] in `type`.
mx::array unpack_int8(const Weight &w, mx::Dtype type, mx::Stream s);

}  // namespace cmlx
