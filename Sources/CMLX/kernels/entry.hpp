// What the C entry points of the kernels share: optional handles, and checks whose message names the shapes.
#pragma once
#include <initializer_list>
#include <string>
#include "composed.hpp"

namespace cmlx {

inline composed::Optional optional(cmlx_array array) {
    return array ? composed::Optional(array->value) : composed::Optional();
}

inline std::string describe(const mx::array &a) {
    std::string text = "[";
    for (size_t i = 0; i < a.ndim(); i++) text += (i ? ", " : "") + std::to_string(a.shape(int(i)));
    return text + "]";
}

/// Throws unless `condition`: `what`, then the shapes involved.
inline void require(bool condition, const char *what, std::initializer_list<const mx::array *> arrays) {
    if (condition) return;
    std::string message = what;
    for (const auto *a : arrays) message += " " + describe(*a);
    throw std::invalid_argument(message);
}

}  // namespace cmlx
