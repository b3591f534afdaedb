// Vectors of 16 floats written once and compiled for each instruction set.
//
// `dispatch(body)` calls an always-inline lambda inside a function built for the best instruction set of this machine;
// everything the body calls must be ALWAYS_INLINE too. The vectors are the compiler's generic ones: one AVX-512
// register, two AVX2 registers, or four SSE or NEON registers.
#pragma once
#include <cstdint>
#include <initializer_list>
#include <cstring>
#include <type_traits>

#define ALWAYS_INLINE __attribute__((always_inline))
#if defined(__x86_64__)
#define TARGET_AVX2 __attribute__((target("avx2,fma,f16c")))
#define TARGET_AVX512 __attribute__((target("avx2,fma,f16c,avx512f,avx512bw,avx512vl,avx512dq")))
#define TARGET_AVX512_BF16 __attribute__((target("avx2,fma,f16c,avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,avx512vnni")))
#include <immintrin.h>
#endif
#pragma clang diagnostic ignored "-Wpsabi"  // vectors cross only inlined calls

namespace cmlx {

/// Instruction sets in rising order. AVX-512 means F, BW, VL and DQ; the set with BF16 has VNNI too, as every processor
/// with BF16 does.
enum class ISA : int { portable = 0, avx2, avx512, avx512_bf16 };

/// The best set that this machine has and LYRA_ISA (portable, avx2, avx512, avx512bf16) or `set_isa_limit` allows.
ISA isa();
void set_isa_limit(ISA limit);

namespace simd {

constexpr int width = 16;
typedef float f32 __attribute__((vector_size(64)));
typedef int32_t i32 __attribute__((vector_size(64)));
typedef uint32_t u32 __attribute__((vector_size(64)));
typedef uint16_t u16 __attribute__((vector_size(32)));
typedef _Float16 f16 __attribute__((vector_size(32)));

// Half as wide: what AVX2 has a register for.
typedef float f32x8 __attribute__((vector_size(32)));
typedef int32_t i32x8 __attribute__((vector_size(32)));
typedef int16_t i16x16 __attribute__((vector_size(32)));

/// Storage of a bfloat16 and of a float16: bits only.
enum class bf16 : uint16_t {};
enum class half : uint16_t {};

template <class V, class T>
ALWAYS_INLINE inline V load_bits(const T *p) {
    V v;
    std::memcpy(&v, p, sizeof v);
    return v;
}

ALWAYS_INLINE inline f32 splat(float x) { return f32{} + x; }
ALWAYS_INLINE inline f32 max(f32 a, f32 b) { return a > b ? a : b; }  // b where a is NaN
ALWAYS_INLINE inline f32 min(f32 a, f32 b) { return a < b ? a : b; }

ALWAYS_INLINE inline f32 load(const float *p) { return load_bits<f32>(p); }
ALWAYS_INLINE inline f32 load(const bf16 *p) {
    return __builtin_bit_cast(f32, __builtin_convertvector(load_bits<u16>(p), u32) << 16);
}
ALWAYS_INLINE inline f32 load(const half *p) { return __builtin_convertvector(load_bits<f16>(p), f32); }

/// Round to nearest even; a NaN stays one.
ALWAYS_INLINE inline u16 to_bf16(f32 v) {
    const u32 bits = __builtin_bit_cast(u32, v);
    const u32 rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
    const u32 kept = v == v ? rounded : u32{} + 0x7fc0u;
    return __builtin_convertvector(kept, u16);
}

ALWAYS_INLINE inline void store(float *p, f32 v) { std::memcpy(p, &v, sizeof v); }
ALWAYS_INLINE inline void store(bf16 *p, f32 v) {
    const u16 bits = to_bf16(v);
    std::memcpy(p, &bits, sizeof bits);
}
ALWAYS_INLINE inline void store(half *p, f32 v) {
    const f16 bits = __builtin_convertvector(v, f16);
    std::memcpy(p, &bits, sizeof bits);
}

/// The first `count` elements; zeros after them.
template <class T>
ALWAYS_INLINE inline f32 load(const T *p, int count) {
    if (count >= width) return load(p);
    T buffer[width] = {};
    std::memcpy(buffer, p, size_t(count) * sizeof(T));
    return load(buffer);
}
template <class T>
ALWAYS_INLINE inline void store(T *p, f32 v, int count) {
    if (count >= width) return store(p, v);
    T buffer[width];
    store(buffer, v);
    std::memcpy(p, buffer, size_t(count) * sizeof(T));
}

/// Folds the 16 elements with `join`.
template <class Join>
ALWAYS_INLINE inline float fold(f32 v, Join &&join) {
    typedef float f32x4 __attribute__((vector_size(16)));
    const f32x8 a = join(__builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7),
                         __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15));
    const f32x4 b = join(__builtin_shufflevector(a, a, 0, 1, 2, 3), __builtin_shufflevector(a, a, 4, 5, 6, 7));
    const f32x4 c = join(b, __builtin_shufflevector(b, b, 2, 3, 0, 1));
    return join(c, __builtin_shufflevector(c, c, 1, 0, 3, 2))[0];
}
ALWAYS_INLINE inline float sum(f32 v) {
    return fold(v, [](auto a, auto b) ALWAYS_INLINE { return a + b; });
}
ALWAYS_INLINE inline float highest(f32 v) {
    return fold(v, [](auto a, auto b) ALWAYS_INLINE { return a > b ? a : b; });
}

/// 2^f for |f| <= 0.5.
ALWAYS_INLINE inline f32 exp2_fraction(f32 f) {
    f32 p = splat(1.53533616e-4f);
    p = p * f + 1.33988744e-3f;
    p = p * f + 9.61843736e-3f;
    p = p * f + 5.55033247e-2f;
    p = p * f + 2.40226479e-1f;
    p = p * f + 6.93147203e-1f;
    return p * f + 1.0f;
}
/// 2^x. Relative error below 1.2e-7 (2 units in the last place); 0 below -126, infinity above 128, NaN stays.
ALWAYS_INLINE inline f32 exp2(f32 x) {
    const f32 clamped = min(splat(128), max(splat(-127), x));  // in this order a NaN comes through
    const f32 shifted = clamped + 12582912.0f;                 // rounds to an integer held in the low bits
    const f32 f = clamped - (shifted - 12582912.0f);           // -0.5 ... 0.5
    const i32 exponent = (__builtin_bit_cast(i32, shifted) << 23) + (127 << 23);
    return exp2_fraction(f) * __builtin_bit_cast(f32, exponent);
}
/// 2^x for x <= 0. Where the result is about to be rounded to bfloat16, a shorter polynomial does: relative error 1e-4.
template <bool rough>
ALWAYS_INLINE inline f32 exp2_below_one(f32 x) {
    const f32 clamped = max(splat(-127), x);
    const f32 shifted = clamped + 12582912.0f;
    const f32 f = clamped - (shifted - 12582912.0f);
    f32 p;
    if constexpr (rough) {
        p = splat(5.5008931e-2f);
        p = p * f + 2.4221096e-1f;
        p = p * f + 6.93282927e-1f;
        p = p * f + 1.0f;
    } else {
        p = exp2_fraction(f);
    }
    return p * __builtin_bit_cast(f32, (__builtin_bit_cast(i32, shifted) << 23) + (127 << 23));
}
/// e^x; the argument is reduced in two parts so that large |x| keeps the accuracy of exp2.
ALWAYS_INLINE inline f32 exp(f32 x) {
    constexpr float log2e = 1.44269504f;
    const f32 clamped = min(splat(88.8f), max(splat(-87.5f), x));
    const f32 shifted = clamped * log2e + 12582912.0f;
    const f32 n = shifted - 12582912.0f;
    const f32 r = (clamped - n * 0.693359375f) - n * -2.12194440e-4f;  // ln 2 in two parts
    f32 p = splat(1.9875691e-4f);
    p = p * r + 1.3981999e-3f;
    p = p * r + 8.3334519e-3f;
    p = p * r + 4.1665796e-2f;
    p = p * r + 1.6666665e-1f;
    p = p * r + 5.0000001e-1f;
    p = p * (r * r) + r + 1.0f;
    // In two steps, for n = 128 alone would overflow the exponent.
    const i32 half_n = __builtin_bit_cast(i32, shifted) - 0x4b400000;
    const i32 low = half_n >> 1, high = half_n - low;
    return p * __builtin_bit_cast(f32, (low + 127) << 23) * __builtin_bit_cast(f32, (high + 127) << 23);
}

/// ln x of a normal positive number, within 1e-7 (absolute near 1, else relative); NaN stays.
ALWAYS_INLINE inline f32 log(f32 x) {
    // x = 2^n m with m from sqrt(1/2) to sqrt 2
    const i32 bits = __builtin_bit_cast(i32, x);
    const i32 exponent = (bits - 0x3f3504f3) >> 23;
    const f32 n = __builtin_convertvector(exponent, f32);
    const f32 f = __builtin_bit_cast(f32, bits - (exponent << 23)) - 1.0f;
    const f32 z = f * f;
    f32 p = splat(7.0376836e-2f);
    p = p * f - 1.1514610e-1f;
    p = p * f + 1.1676999e-1f;
    p = p * f - 1.2420141e-1f;
    p = p * f + 1.4249323e-1f;
    p = p * f - 1.6668058e-1f;
    p = p * f + 2.0000715e-1f;
    p = p * f - 2.4999994e-1f;
    p = p * f + 3.3333331e-1f;
    const f32 result = n * 0.693359375f + (f + (f * z * p - 0.5f * z + n * -2.12194440e-4f));  // ln 2 in two parts
    return x == x ? result : x;
}

/// Sixteen float64.
typedef double f64 __attribute__((vector_size(128)));
ALWAYS_INLINE inline f64 min(f64 a, f64 b) { return a < b ? a : b; }
ALWAYS_INLINE inline f32 narrowed(f64 v) { return __builtin_convertvector(v, f32); }
ALWAYS_INLINE inline f64 widened(f32 v) { return __builtin_convertvector(v, f64); }
ALWAYS_INLINE inline f64 load(const double *p) { return load_bits<f64>(p); }
ALWAYS_INLINE inline void store(double *p, f64 v) { std::memcpy(p, &v, sizeof v); }

/// 0, 1, ... 15
ALWAYS_INLINE inline i32 lanes() { return i32{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}; }
/// The first `count` elements of v, `rest` after them.
ALWAYS_INLINE inline f32 keep(f32 v, int64_t count, float rest) { return lanes() < int32_t(count) ? v : splat(rest); }

/// acc[i] += a[2i] b[2i] + a[2i+1] b[2i+1] on pairs of bfloat16; only in code for ISA::avx512_bf16. Not ALWAYS_INLINE,
/// for a function may only be forced into one that is itself built for AVX-512; inlining follows by itself.
#if defined(__x86_64__)
/// acc[i] += a[2i] b[2i] + a[2i+1] b[2i+1] on words; only in code for AVX2 and above.
TARGET_AVX2 inline void dot_words(i32x8 &acc, const i16x16 &a, const i16x16 &b) {
    acc = (i32x8)_mm256_add_epi32((__m256i)acc, _mm256_madd_epi16((__m256i)a, (__m256i)b));
}
TARGET_AVX512_BF16 inline void dot_pairs(f32 &acc, const u32 &a, const u32 &b) {
    acc = (f32)_mm512_dpbf16_ps((__m512)acc, (__m512bh)a, (__m512bh)b);
}
/// acc[i] += the sum of four products of unsigned bytes of a with signed ones of b; only in code for ISA::avx512_bf16.
TARGET_AVX512_BF16 inline void dot_quads(i32 &acc, const u32 &a, const u32 &b) {
    acc = (i32)_mm512_dpbusd_epi32((__m512i)acc, (__m512i)a, (__m512i)b);
}
/// out[i] = v[at[i]]; only in code for AVX-512.
TARGET_AVX512 inline void permute(f32 &out, const f32 &v, const i32 &at) {
    out = (f32)_mm512_permutexvar_ps((__m512i)at, (__m512)v);
}
TARGET_AVX512 inline void load_masked(u32 &v, const void *p, uint64_t mask) {
    v = (u32)_mm512_maskz_loadu_epi8(mask, p);
}
TARGET_AVX512_BF16 inline void narrow_native(u16 &out, const f32 &v) { out = (u16)_mm512_cvtneps_pbh((__m512)v); }
#else
inline void dot_words(i32x8 &, const i16x16 &, const i16x16 &) {}
inline void dot_pairs(f32 &, const u32 &, const u32 &) {}
inline void dot_quads(i32 &, const u32 &, const u32 &) {}
inline void permute(f32 &, const f32 &, const i32 &) {}
#endif
/// The first `bytes` of 64, zeros after them.
template <ISA set>
ALWAYS_INLINE inline u32 load_bytes(const void *p, int64_t bytes) {
    u32 v = {};
#if defined(__x86_64__)
    if constexpr (set >= ISA::avx512) {
        load_masked(v, p, bytes >= 64 ? ~0ull : (1ull << bytes) - 1);
        return v;
    }
#endif
    std::memcpy(&v, p, size_t(bytes < 64 ? bytes : 64));
    return v;
}
/// `to_bf16` with the instruction that AVX-512 BF16 has for it.
template <ISA set>
ALWAYS_INLINE inline u16 narrow(f32 v) {
#if defined(__x86_64__)
    if constexpr (set == ISA::avx512_bf16) {
        u16 result;
        narrow_native(result, v);
        return result;
    }
#endif
    return to_bf16(v);
}

template <ISA set>
using Level = std::integral_constant<ISA, set>;

#if defined(__x86_64__)
template <class Body>
TARGET_AVX2 void call_avx2(Body &body) {
    body(Level<ISA::avx2>());
}
template <class Body>
TARGET_AVX512 void call_avx512(Body &body) {
    body(Level<ISA::avx512>());
}
template <class Body>
TARGET_AVX512_BF16 void call_avx512_bf16(Body &body) {
    body(Level<ISA::avx512_bf16>());
}
#endif

/// Calls `body(level)`, built for the instruction set `decltype(level)::value`.
template <class Body>
void dispatch(Body &&body) {
#if defined(__x86_64__)
    switch (isa()) {
    case ISA::avx512_bf16:
        return call_avx512_bf16(body);
    case ISA::avx512:
        return call_avx512(body);
    case ISA::avx2:
        return call_avx2(body);
    case ISA::portable:
        break;
    }
#endif
    body(Level<ISA::portable>());
}

}  // namespace simd
}  // namespace cmlx
