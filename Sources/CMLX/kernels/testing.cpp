// What only tests of the kernels call.
#include "../internal.hpp"
#include "cmlx_kernels.h"

using namespace cmlx;

int cmlx_kernel_test_vjp(int (*function)(void *, const cmlx_array *, size_t, cmlx_array *), void *context,
                         const cmlx_array *inputs, size_t count, cmlx_array upstream, cmlx_array *gradients) {
    return guard([&] {
        const auto call = [&](const std::vector<mx::array> &values) {
            std::vector<cmlx_array_s> handles;
            for (const auto &value : values) handles.push_back({value});
            std::vector<cmlx_array> pointers;
            for (auto &handle : handles) pointers.push_back(&handle);
            cmlx_array out = nullptr;
            if (function(context, pointers.data(), pointers.size(), &out) != 0) throw std::runtime_error(cmlx_last_error());
            std::vector<mx::array> result = {out->value};
            cmlx_array_free(out);
            return result;
        };
        const auto result = mx::vjp(call, to_vector(inputs, count), {upstream->value}).second;
        for (size_t i = 0; i < count; i++) gradients[i] = new cmlx_array_s{result[i]};
    });
}
