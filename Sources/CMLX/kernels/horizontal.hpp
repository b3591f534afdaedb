// Sums within several vectors at once.
#pragma once
#include <utility>
#include "simd.hpp"

namespace cmlx::simd {

/// Half way from two vectors' sums to one that holds both: chunks of `s` lanes are halved, those of a first.
template <int s>
ALWAYS_INLINE inline f32 halve(const f32 &a, const f32 &b) {
    return [&]<int... lane>(std::integer_sequence<int, lane...>) ALWAYS_INLINE {
        constexpr auto from = [](int l) {
            return l / (s / 2) / (16 / s) * 16 + l / (s / 2) % (16 / s) * s + l % (s / 2);
        };
        return __builtin_shufflevector(a, b, from(lane)...) + __builtin_shufflevector(a, b, (from(lane) + s / 2)...);
    }(std::make_integer_sequence<int, 16>());
}

/// Sums within each of `count` vectors, a power of two up to 16, by halving: out[i] = sum(v[i]).
template <int count>
ALWAYS_INLINE inline void horizontal_sums(f32 *v, float *out) {
    const auto pairs = [&](auto chunk, int left) ALWAYS_INLINE {  // vectors i and i + left share one
        for (int i = 0; i < left; i++) v[i] = halve<decltype(chunk)::value>(v[i], v[i + left]);
    };
    if constexpr (count >= 2) pairs(std::integral_constant<int, 16>(), count / 2);
    if constexpr (count >= 4) pairs(std::integral_constant<int, 8>(), count / 4);
    if constexpr (count >= 8) pairs(std::integral_constant<int, 4>(), count / 8);
    if constexpr (count >= 16) pairs(std::integral_constant<int, 2>(), count / 16);
    f32 all = v[0];
    if constexpr (count <= 1)
        all += __builtin_shufflevector(all, all, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7);
    if constexpr (count <= 2)
        all += __builtin_shufflevector(all, all, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11);
    if constexpr (count <= 4)
        all += __builtin_shufflevector(all, all, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13);
    if constexpr (count <= 8)
        all += __builtin_shufflevector(all, all, 1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14);
    if constexpr (count == 16) {  // the same as below, for all places at once
        all = __builtin_shufflevector(all, all, 0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15);
        std::memcpy(out, &all, sizeof all);
        return;
    }
    for (int i = 0; i < count; i++) {  // the first halving chose the lowest bit of a lane's place, and so on
        int place = 0;
        for (int bit = 1, up = count / 2; bit < count; bit *= 2, up /= 2) place += i & up ? bit : 0;
        out[i] = all[place * (16 / count)];
    }
}

}  // namespace cmlx::simd
