// Conversion of contiguous elements between float types.
#pragma once
#include <cstddef>
#include "simd.hpp"

namespace cmlx {

template <class From, class To>
ALWAYS_INLINE inline void convert_elements(const From *from, To *to, int64_t count) {
    if constexpr (std::is_same_v<From, To>) {
        std::memcpy(to, from, size_t(count) * sizeof(To));
    } else {
        int64_t i = 0;
        for (; i + simd::width <= count; i += simd::width) simd::store(to + i, simd::load(from + i));
        if (i < count) simd::store(to + i, simd::load(from + i, int(count - i)), int(count - i));
    }
}

/// The same, built for this machine.
template <class From, class To>
void convert_row(const From *from, To *to, int64_t count) {
    simd::dispatch([&](auto) ALWAYS_INLINE { convert_elements(from, to, count); });
}

}  // namespace cmlx
