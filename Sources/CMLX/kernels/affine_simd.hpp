// MLX's affine group format in vectors: w = scale q + bias for each group of 32, 64 or 128 consecutive weights of a row.
#pragma once
#include <algorithm>
#include "weights.hpp"

namespace cmlx {

/// 16 integers from element `at` (a multiple of 16) of a row of packed ones, as float32.
template <int bits>
ALWAYS_INLINE inline simd::f32 unpack16(const uint8_t *row, int64_t at) {
    if constexpr (bits == 8) {
        typedef uint8_t u8 __attribute__((vector_size(16)));
        return __builtin_convertvector(simd::load_bits<u8>(row + at), simd::f32);
    } else {
        uint32_t words[2];
        std::memcpy(words, row + at / 2, sizeof words);
        const simd::u32 shifts = {0, 4, 8, 12, 16, 20, 24, 28, 0, 4, 8, 12, 16, 20, 24, 28};
        const simd::u32 both = simd::lanes() < 8 ? simd::u32{} + words[0] : simd::u32{} + words[1];
        return __builtin_convertvector(__builtin_bit_cast(simd::i32, (both >> shifts) & 15u), simd::f32);
    }
}

/// Elements `first` ..< `first + count` of row n as they were before quantising, about; both multiples of 16.
template <int bits, class T>
ALWAYS_INLINE inline void dequantize_row(const WeightData &w, int64_t n, int64_t first, int64_t count, T *out) {
    const uint8_t *row = w.row(n);
    const int64_t group = w.kind.group, groups = n * w.kind.groups();
    for (int64_t at = first; at < first + count;) {
        const int64_t g = at / group, end = std::min((g + 1) * group, first + count);
        const auto scale = simd::splat(w.scales.load(groups + g, 1)[0]), bias = simd::splat(w.biases.load(groups + g, 1)[0]);
        for (; at < end; at += simd::width) simd::store(out + at - first, unpack16<bits>(row, at) * scale + bias);
    }
}

/// Calls `body(std::integral_constant<int, bits>())` for 4 or 8.
template <class Body>
ALWAYS_INLINE inline void with_bits(int bits, Body &&body) {
    if (bits == 4)
        body(std::integral_constant<int, 4>());
    else
        body(std::integral_constant<int, 8>());
}

/// The first `count` elements from place i on, zeros after them, without a detour through memory.
template <ISA set>
ALWAYS_INLINE inline simd::f32 load_floats(const Source &source, int64_t i, int count) {
    if constexpr (set < ISA::avx512) return source.load(i, count);
    if (count >= simd::width) return source.load(i, simd::width);
    typedef uint16_t u16x32 __attribute__((vector_size(64)));
    const auto v = simd::load_bytes<set>(static_cast<const char *>(source.data) + i * source.size(), count * source.size());
    if (source.type == FloatType::f32) return __builtin_bit_cast(simd::f32, v);
    const auto all = __builtin_bit_cast(u16x32, v);
    const simd::u16 low = __builtin_shufflevector(all, all, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    if (source.type == FloatType::bf16) return __builtin_bit_cast(simd::f32, __builtin_convertvector(low, simd::u32) << 16);
    return __builtin_convertvector(__builtin_bit_cast(simd::f16, low), simd::f32);
}

}  // namespace cmlx
