// Memory of one of the three float types, read and written as float32 vectors.
#pragma once
#include "simd.hpp"

namespace cmlx {

enum class FloatType : uint8_t { f32, bf16, f16 };

/// The type is asked at every vector: the branch is always predicted and spares a copy of each kernel for every combination
/// of types.
template <class Void>
struct TypedPointer {
    FloatType type = FloatType::f32;
    Void *data = nullptr;

    ALWAYS_INLINE simd::f32 load(int64_t i, int count) const {
        if (type == FloatType::f32) return simd::load(static_cast<const float *>(data) + i, count);
        if (type == FloatType::bf16) return simd::load(static_cast<const simd::bf16 *>(data) + i, count);
        return simd::load(static_cast<const simd::half *>(data) + i, count);
    }
    ALWAYS_INLINE float load_one(int64_t i) const {
        if (type == FloatType::f32) return static_cast<const float *>(data)[i];
        uint16_t bits;
        std::memcpy(&bits, static_cast<const char *>(data) + 2 * i, sizeof bits);
        if (type == FloatType::bf16) return __builtin_bit_cast(float, uint32_t(bits) << 16);
        return float(__builtin_bit_cast(_Float16, bits));
    }
    ALWAYS_INLINE void store(int64_t i, simd::f32 v, int count) const {
        if (type == FloatType::f32) return simd::store(static_cast<float *>(data) + i, v, count);
        if (type == FloatType::bf16) return simd::store(static_cast<simd::bf16 *>(data) + i, v, count);
        simd::store(static_cast<simd::half *>(data) + i, v, count);
    }
    /// Bytes of an element.
    int64_t size() const { return type == FloatType::f32 ? 4 : 2; }
};
using Source = TypedPointer<const void>;
using Target = TypedPointer<void>;

}  // namespace cmlx
