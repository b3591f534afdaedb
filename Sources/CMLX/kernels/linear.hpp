// Linear layers and matrix products as recorded operations; see cmlx_kernels.h.
#pragma once
#include <optional>
#include "cmlx_kernels.h"
#include "primitive.hpp"
#include "weights.hpp"

namespace cmlx {

/// A weight matrix as arrays.
struct Weight {
    WeightKind kind;
    std::vector<mx::array> parts;
};
/// The memory behind computed arrays.
WeightData weight_data(const WeightKind &kind, const mx::array *parts);

/// A linear layer's weight and bias.
struct LinearMap {
    Weight weight;
    std::optional<mx::array> bias;
};

/// activation(x W^T + bias) + residual
mx::array linear(const mx::array &x, const LinearMap &map, cmlx_activation activation,
                 const std::optional<mx::array> &residual, mx::Dtype output, bool int8, mx::Stream s);
/// x W^T + bias of several maps, computed together.
std::vector<mx::array> linears(const mx::array &x, const std::vector<LinearMap> &maps, mx::Dtype output, bool int8,
                               mx::Stream s);
/// silu(x gate^T) * (x up^T), biases included.
mx::array gated_linear(const mx::array &x, const LinearMap &gate, const LinearMap &up, mx::Dtype output, bool int8,
                       mx::Stream s);
mx::array matmul(const mx::array &a, const mx::array &b, bool transpose_a, bool transpose_b, mx::Dtype output,
                 mx::Stream s);

}  // namespace cmlx
