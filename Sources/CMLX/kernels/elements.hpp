// Elementwise loops over arrays of any float type, seen as rows.
#pragma once
#include <array>
#include "parallel.hpp"
#include "primitive.hpp"
#include "typed.hpp"

namespace cmlx {

inline FloatType float_type(mx::Dtype type) {
    if (type == mx::float32) return FloatType::f32;
    if (type == mx::bfloat16) return FloatType::bf16;
    if (type == mx::float16) return FloatType::f16;
    throw std::invalid_argument("a kernel takes float32, bfloat16 or float16 arrays");
}
inline Source source(const mx::array &a) { return {float_type(a.dtype()), a.data<void>()}; }
inline Target target(mx::array &a) { return {float_type(a.dtype()), a.data<void>()}; }

/// Visits `count` rows of `width` elements 16 at a time on all threads: `body(offsets, n)` where `offsets[i]` is the
/// place in array i, whose rows are `strides[i]` apart, and n <= 16 how many elements are meant.
template <size_t arrays, class Body>
void for_elements(int64_t count, int64_t width, const std::array<int64_t, arrays> &strides, Body &&body) {
    constexpr int64_t grain = 8192;
    bool dense = true;
    for (auto stride : strides) dense = dense && (stride == width || count == 1);
    if (dense) width *= count, count = 1;
    parallel_ranges(size_t((count * width + simd::width - 1) / simd::width), grain / simd::width,
                    [&](size_t begin, size_t end) {
        const int64_t first = int64_t(begin) * simd::width;
        const int64_t last = std::min(int64_t(end) * simd::width, count * width);
        simd::dispatch([&](auto) ALWAYS_INLINE {
            for (int64_t row = first / width, column = first % width, done = first; done < last; row++, column = 0) {
                const int64_t stop = std::min(width, column + last - done);
                done += stop - column;
                for (; column < stop; column += simd::width) {
                    std::array<int64_t, arrays> offsets;
                    for (size_t i = 0; i < arrays; i++) offsets[i] = row * strides[i] + column;
                    body(offsets, int(std::min<int64_t>(simd::width, stop - column)));
                }
            }
        });
    });
}

}  // namespace cmlx
