// From MLX's element types to the kernels'.
#pragma once
#include "../internal.hpp"
#include "simd.hpp"

namespace cmlx {

/// Calls `body(T*)` (a null pointer that carries the type) with the storage type of a float32, bfloat16 or float16.
template <class Body>
void with_type(mx::Dtype type, Body &&body) {
    if (type == mx::float32) return body(static_cast<float *>(nullptr));
    if (type == mx::bfloat16) return body(static_cast<simd::bf16 *>(nullptr));
    if (type == mx::float16) return body(static_cast<simd::half *>(nullptr));
    throw std::invalid_argument("a kernel takes float32, bfloat16 or float16 arrays");
}
template <class Body>
void with_types(mx::Dtype a, mx::Dtype b, Body &&body) {
    with_type(a, [&](auto *x) { with_type(b, [&](auto *y) { body(x, y); }); });
}
template <class T>
using Element = std::remove_pointer_t<T>;

}  // namespace cmlx
