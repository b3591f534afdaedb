// Systems of linear equations.
#include "internal.hpp"
#include "mlx/linalg.h"

using namespace cmlx;

int cmlx_solve(cmlx_array a, cmlx_array b, cmlx_array *out) {
    return produce(out, [&] {
        const auto s = stream();
        return mx::linalg::solve(a->value, b->value, s.device == mx::Device::cpu ? s : mx::default_stream(mx::Device::cpu));
    });
}
