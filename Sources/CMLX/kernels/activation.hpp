// Activations and their derivatives on vectors.
#pragma once
#include <stdexcept>
#include "cmlx_kernels.h"
#include "simd.hpp"

namespace cmlx::simd {

/// 1 / (1 + e^-x), relative error about 3e-7.
ALWAYS_INLINE inline f32 sigmoid(f32 x) { return 1.0f / (1.0f + exp(-x)); }

/// The normal distribution function, absolute error below 1e-7: Abramowitz and Stegun 7.1.26 taken on the side where it
/// has no cancellation.
ALWAYS_INLINE inline f32 normal_cdf(f32 x) {
    const f32 z = (x < 0 ? -x : x) * 0.70710678f;
    const f32 t = 1.0f / (1.0f + 0.3275911f * z);
    f32 p = splat(1.061405429f);
    p = p * t - 1.453152027f;
    p = p * t + 1.421413741f;
    p = p * t - 0.284496736f;
    p = p * t + 0.254829592f;
    const f32 tail = 0.5f * p * t * exp(-z * z);
    return x < 0 ? tail : 1.0f - tail;
}

/// x times the normal distribution function, absolute error below 4.2e-5, at half the cost: for results that are rounded to 8 bits.
/// Up to 4.4 the function less a half is x times a polynomial of x^2, the best in this sense; beyond, it is 0 or 1.
ALWAYS_INLINE inline f32 near_gelu(f32 x) {
    const f32 z = x * x;
    f32 p = splat(3.58208376e-11f);
    p = p * z - 3.76500825e-9f;
    p = p * z + 1.74481044e-7f;
    p = p * z - 4.73261756e-6f;
    p = p * z + 8.43816199e-5f;
    p = p * z - 1.05558979e-3f;
    p = p * z + 9.64529567e-3f;
    p = p * z - 6.60807189e-2f;
    p = p * z + 3.98764540e-1f;
    return x > 4.4f ? x : x < -4.4f ? splat(0) : x * (0.5f + x * p);
}

template <cmlx_activation kind>
ALWAYS_INLINE inline f32 activate(f32 x, float parameter) {
    if constexpr (kind == CMLX_ACTIVATION_GELU) return x * normal_cdf(x);
    if constexpr (kind == CMLX_ACTIVATION_QUICK_GELU) return x * sigmoid(1.702f * x);
    if constexpr (kind == CMLX_ACTIVATION_RELU) return x < 0 ? splat(0) : x;
    if constexpr (kind == CMLX_ACTIVATION_SILU) return x * sigmoid(x);
    if constexpr (kind == CMLX_ACTIVATION_LEAKY_RELU) return x > 0 ? x : x * parameter;
    return x;
}

/// d activate / d x.
template <cmlx_activation kind>
ALWAYS_INLINE inline f32 slope(f32 x, float parameter) {
    if constexpr (kind == CMLX_ACTIVATION_GELU) return normal_cdf(x) + x * 0.39894228f * exp(-0.5f * x * x);
    if constexpr (kind == CMLX_ACTIVATION_QUICK_GELU || kind == CMLX_ACTIVATION_SILU) {
        constexpr float a = kind == CMLX_ACTIVATION_SILU ? 1.0f : 1.702f;
        const f32 s = sigmoid(a * x);
        return s + a * x * s * (1.0f - s);
    }
    if constexpr (kind == CMLX_ACTIVATION_RELU) return x > 0 ? splat(1) : splat(0);
    if constexpr (kind == CMLX_ACTIVATION_LEAKY_RELU) return x > 0 ? splat(1) : splat(parameter);
    return splat(1);
}

/// Calls `body(std::integral_constant<cmlx_activation, kind>())`.
template <class Body>
void with_activation(cmlx_activation kind, Body &&body) {
    switch (kind) {
#define CASE(K) \
    case K:     \
        return body(std::integral_constant<cmlx_activation, K>());
        CASE(CMLX_ACTIVATION_NONE)
        CASE(CMLX_ACTIVATION_GELU)
        CASE(CMLX_ACTIVATION_QUICK_GELU)
        CASE(CMLX_ACTIVATION_RELU)
        CASE(CMLX_ACTIVATION_SILU)
        CASE(CMLX_ACTIVATION_LEAKY_RELU)
#undef CASE
    }
    throw std::invalid_argument("unknown activation");
}

}  // namespace cmlx::simd
