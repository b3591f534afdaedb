// The logarithm of the sum of the exponentials of a row, in one pass over its memory.
#pragma once
#include <cmath>
#include "elements.hpp"

namespace cmlx {

/// log sum exp(x) = highest + log(total) of `width` elements from `at` on. Kept apart, so that a difference to one of them
/// loses nothing. A row of -infinity has a total of 0.
struct LogSum {
    float highest = -INFINITY;
    double total = 0;
    double value() const { return double(highest) + std::log(total); }

    ALWAYS_INLINE static LogSum of(const Source &x, int64_t at, int64_t width) {
        constexpr int64_t block = 4096;  // stays in the first-level cache for its second reading
        LogSum result;
        for (int64_t first = 0; first < width; first += block) {
            const int64_t end = std::min(width, first + block);
            simd::f32 top = simd::splat(-INFINITY);
            for (int64_t j = first; j < end; j += simd::width) {
                const int n = int(std::min<int64_t>(simd::width, end - j));
                top = simd::max(top, simd::keep(x.load(at + j, n), n, -INFINITY));
            }
            const float high = simd::highest(top);
            if (high > result.highest) {
                result.total *= std::exp(double(result.highest) - double(high));  // 0 the first time
                result.highest = high;
            }
            const float shift = result.highest == -INFINITY ? 0 : result.highest;
            simd::f32 sum = {};
            for (int64_t j = first; j < end; j += simd::width) {
                const int n = int(std::min<int64_t>(simd::width, end - j));
                const simd::f32 v = x.load(at + j, n) - shift;
                sum += simd::keep(v == simd::splat(-INFINITY) ? simd::f32{} : simd::exp(v), n, 0);
            }
            result.total += double(simd::sum(sum));
        }
        return result;
    }
};

}  // namespace cmlx
