// Weight matrices in the forms that products read: dense, MLX's affine groups, packed int8.
#pragma once
#include "typed.hpp"

namespace cmlx {

/// dense: [n, k] float32 or bfloat16.
/// affine: w = scale q + bias for each group of consecutive weights of a row; q in 4 or 8 bits, lowest bits first.
/// int8: w = scale q with one scale for each row and block of columns, laid out for the processor (int8.hpp).
enum class Form : uint8_t { dense, affine, int8 };

/// What a weight matrix [n, k] is like, whatever memory holds it.
struct WeightKind {
    Form form = Form::dense;
    int n = 0, k = 0;
    int group = 0, bits = 0;  // affine

    /// How many arrays hold it. dense: the matrix; affine: packed integers, scales, biases; int8: integers, scales, offsets.
    int parts() const { return form == Form::dense ? 1 : 3; }
    int groups() const { return k / group; }
    bool operator==(const WeightKind &) const = default;
};

/// A weight matrix in memory.
struct WeightData {
    WeightKind kind;
    const void *data = nullptr;
    bool bf16 = false;                 // dense
    Source scales, biases;             // affine has both, int8 scales
    const int32_t *offsets = nullptr;  // int8

    /// Where row n begins, of dense and affine matrices.
    const uint8_t *row(int64_t n) const {
        const int64_t bits = kind.form == Form::affine ? kind.bits : bf16 ? 16 : 32;
        return static_cast<const uint8_t *>(data) + n * (kind.k * bits / 8);
    }
    /// Bytes that row n takes with all that belongs to it.
    int64_t row_bytes() const {
        const int64_t bits = kind.form == Form::affine ? kind.bits : kind.form == Form::int8 ? 8 : bf16 ? 16 : 32;
        return kind.k * bits / 8 + (kind.form == Form::affine ? 2 * kind.groups() * scales.size() : 0);
    }
};

}  // namespace cmlx
