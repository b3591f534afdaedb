// Elementwise loops over arrays of any float type, seen as rows.
#pragma once
#include <array>
#include "parallel.hpp"
#include "primitive.hpp"
#include "simd.hpp"

namespace cmlx {

/// Memory of one of the three float types, read and written as float32 vectors. The type is asked at every vector: the
/// branch is always predicted and spares a copy of each kernel for every combination of types.
template <class Void>
struct TypedPointer {
    enum class Type { f32, bf16, f16 } type;
    Void *data;

    TypedPointer(Void *data, mx::Dtype dtype)
        : type(dtype == mx::bfloat16  ? Type::bf16
               : dtype == mx::float16 ? Type::f16
                                      : Type::f32),
          data(data) {
        if (type == Type::f32 && dtype != mx::float32)
            throw std::invalid_argument("a kernel takes float32, bfloat16 or float16 arrays");
    }

    ALWAYS_INLINE simd::f32 load(int64_t i, int count) const {
        if (type == Type::f32) return simd::load(static_cast<const float *>(data) + i, count);
        if (type == Type::bf16) return simd::load(static_cast<const simd::bf16 *>(data) + i, count);
        return simd::load(static_cast<const simd::half *>(data) + i, count);
    }
    ALWAYS_INLINE void store(int64_t i, simd::f32 v, int count) const {
        if (type == Type::f32) return simd::store(static_cast<float *>(data) + i, v, count);
        if (type == Type::bf16) return simd::store(static_cast<simd::bf16 *>(data) + i, v, count);
        simd::store(static_cast<simd::half *>(data) + i, v, count);
    }
};
using Source = TypedPointer<const void>;
using Target = TypedPointer<void>;

inline Source source(const mx::array &a) { return {a.data<void>(), a.dtype()}; }
inline Target target(mx::array &a) { return {a.data<void>(), a.dtype()}; }

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
