// Sums within several vectors at once.
#pragma once
#include <utility>
#include "simd.hpp"

namespace cmlx::simd {

/// Sums within each of `count` vectors, a power of two up to 16, by halving: out[i] = sum(v[i]).
template <int count>
ALWAYS_INLINE inline void horizontal_sums(f32 *v, float *out) {
    const auto halve = [&](auto chunk, int left)
                           ALWAYS_INLINE {  // vectors i and i + left share one; chunks of lanes halve
        constexpr int s = decltype(chunk)::value;
        for (int i = 0; i < left; i++) {
            const f32 a = v[i], b = v[i + left];
            v[i] = [&]<int... lane>(std::integer_sequence<int, lane...>) ALWAYS_INLINE {
                constexpr auto from = [](int l) {
                    return l / (s / 2) / (16 / s) * 16 + l / (s / 2) % (16 / s) * s + l % (s / 2);
                };
                return __builtin_shufflevector(a, b, from(lane)...) +
                       __builtin_shufflevector(a, b, (from(lane) + s / 2)...);
            }(std::make_integer_sequence<int, 16>());
        }
    };
    if constexpr (count >= 2) halve(std::integral_constant<int, 16>(), count / 2);
    if constexpr (count >= 4) halve(std::integral_constant<int, 8>(), count / 4);
    if constexpr (count >= 8) halve(std::integral_constant<int, 4>(), count / 8);
    if constexpr (count >= 16) halve(std::integral_constant<int, 2>(), count / 16);
    f32 all = v[0];
    if constexpr (count <= 1)
        all += __builtin_shufflevector(all, all, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7);
    if constexpr (count <= 2)
        all += __builtin_shufflevector(all, all, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11);
    if constexpr (count <= 4)
        all += __builtin_shufflevector(all, all, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13);
    if constexpr (count <= 8)
        all += __builtin_shufflevector(all, all, 1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14);
    for (int i = 0; i < count; i++) {  // the first halving chose the lowest bit of a lane's place, and so on
        int place = 0;
        for (int bit = 1, up = count / 2; bit < count; bit *= 2, up /= 2) place += i & up ? bit : 0;
        out[i] = all[place * (16 / count)];
    }
}

}  // namespace cmlx::simd
