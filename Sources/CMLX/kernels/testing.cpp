// What only tests of the kernels call.
#include <atomic>
#include "cmlx_kernels.h"
#include "primitive.hpp"

using namespace cmlx;

namespace {
std::atomic<bool> compose_everywhere = false;
}

bool cmlx::composing() { return compose_everywhere.load(std::memory_order_relaxed); }
void cmlx_kernel_test_compose(bool compose) { compose_everywhere.store(compose); }

int cmlx_kernel_test_vjp(int (*function)(void *, const cmlx_array *, size_t, cmlx_array *), void *context,
                         const cmlx_array *inputs, size_t count, cmlx_array upstream, cmlx_array *gradients) {
    return guard([&] {
        const auto call = [&](const std::vector<mx::array> &values) {
            std::vector<cmlx_array_s> handles;
            for (const auto &value : values) handles.push_back({value});
            std::vector<cmlx_array> pointers;
            for (auto &handle : handles) pointers.push_back(&handle);
            cmlx_array out = nullptr;
            if (function(context, pointers.data(), pointers.size(), &out) != 0)
                throw std::runtime_error(cmlx_last_error());
            std::vector<mx::array> result = {out->value};
            cmlx_array_free(out);
            return result;
        };
        const auto result = mx::vjp(call, to_vector(inputs, count), {upstream->value}).second;
        for (size_t i = 0; i < count; i++) gradients[i] = new cmlx_array_s{result[i]};
    });
}

int cmlx_kernel_test_slice(cmlx_array array, int axis, int index, cmlx_array *out) {
    return produce(out, [&] {
        const auto &a = array->value;
        mx::Shape start(a.ndim(), 0), stop = a.shape();
        start[axis] = index;
        stop[axis] = index + 1;
        return mx::squeeze(mx::slice(a, start, stop, stream()), axis, stream());
    });
}

int cmlx_kernel_test_plain_quantize(cmlx_array w, int group_size, int bits, cmlx_array out[3]) {
    return guard([&] {
        const auto results = mx::quantize(w->value, group_size, bits, "affine", {}, stream());
        for (int i = 0; i < 3; i++) out[i] = new cmlx_array_s{results[i]};
    });
}

int cmlx_kernel_test_plain_matmul(cmlx_array a, cmlx_array b, cmlx_array *out) {
    return produce(out, [&] { return mx::matmul(a->value, b->value, stream()); });
}
