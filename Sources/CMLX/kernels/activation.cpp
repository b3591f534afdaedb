// Elementwise kernels: activations, SwiGLU, addition, conversion.
#include "activation.hpp"
#include "composed.hpp"
#include "linear.hpp"
#include "primitive.hpp"

namespace cmlx {

mx::array activation_gradient(const mx::array &x, const mx::array &upstream, cmlx_activation kind, float parameter,
                              mx::Stream s) {
    const auto f = [&](const mx::array &a) { return composed::activation(a, kind, parameter, s); };
    return mx::vjp(f, x, mx::astype(upstream, x.dtype(), s)).second;
}

}  // namespace cmlx
