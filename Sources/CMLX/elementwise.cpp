// Operations element by element, and products of two arrays.
#include "internal.hpp"

using namespace cmlx;

namespace {

mx::array unary(cmlx_unary_op op, const mx::array &a, mx::Stream s) {
    switch (op) {
    case CMLX_ABS: return mx::abs(a, s);
    case CMLX_NEGATIVE: return mx::negative(a, s);
    case CMLX_SIGN: return mx::sign(a, s);
    case CMLX_RECIPROCAL: return mx::reciprocal(a, s);
    case CMLX_SQUARE: return mx::square(a, s);
    case CMLX_SQRT: return mx::sqrt(a, s);
    case CMLX_RSQRT: return mx::rsqrt(a, s);
    case CMLX_EXP: return mx::exp(a, s);
    case CMLX_EXPM1: return mx::expm1(a, s);
    case CMLX_LOG: return mx::log(a, s);
    case CMLX_LOG2: return mx::log2(a, s);
    case CMLX_LOG10: return mx::log10(a, s);
    case CMLX_LOG1P: return mx::log1p(a, s);
    case CMLX_SIN: return mx::sin(a, s);
    case CMLX_COS: return mx::cos(a, s);
    case CMLX_TAN: return mx::tan(a, s);
    case CMLX_ARCSIN: return mx::arcsin(a, s);
    case CMLX_ARCCOS: return mx::arccos(a, s);
    case CMLX_ARCTAN: return mx::arctan(a, s);
    case CMLX_SINH: return mx::sinh(a, s);
    case CMLX_COSH: return mx::cosh(a, s);
    case CMLX_TANH: return mx::tanh(a, s);
    case CMLX_SIGMOID: return mx::sigmoid(a, s);
    case CMLX_ERF: return mx::erf(a, s);
    case CMLX_ERFINV: return mx::erfinv(a, s);
    case CMLX_FLOOR: return mx::floor(a, s);
    case CMLX_CEIL: return mx::ceil(a, s);
    case CMLX_LOGICAL_NOT: return mx::logical_not(a, s);
    case CMLX_BITWISE_INVERT: return mx::bitwise_invert(a, s);
    case CMLX_ISNAN: return mx::isnan(a, s);
    case CMLX_ISINF: return mx::isinf(a, s);
    case CMLX_ISFINITE: return mx::isfinite(a, s);
    case CMLX_STOP_GRADIENT: return mx::stop_gradient(a, s);
    case CMLX_CONTIGUOUS: return mx::contiguous(a, false, s);
    case CMLX_REAL: return mx::real(a, s);
    case CMLX_IMAG: return mx::imag(a, s);
    case CMLX_CONJUGATE: return mx::conjugate(a, s);
    case CMLX_ZEROS_LIKE: return mx::zeros_like(a, s);
    case CMLX_ONES_LIKE: return mx::ones_like(a, s);
    }
    throw std::invalid_argument("unknown unary operation");
}

mx::array binary(cmlx_binary_op op, const mx::array &a, const mx::array &b, mx::Stream s) {
    switch (op) {
    case CMLX_ADD: return mx::add(a, b, s);
    case CMLX_SUBTRACT: return mx::subtract(a, b, s);
    case CMLX_MULTIPLY: return mx::multiply(a, b, s);
    case CMLX_DIVIDE: return mx::divide(a, b, s);
    case CMLX_FLOOR_DIVIDE: return mx::floor_divide(a, b, s);
    case CMLX_REMAINDER: return mx::remainder(a, b, s);
    case CMLX_POWER: return mx::power(a, b, s);
    case CMLX_MAXIMUM: return mx::maximum(a, b, s);
    case CMLX_MINIMUM: return mx::minimum(a, b, s);
    case CMLX_LOGADDEXP: return mx::logaddexp(a, b, s);
    case CMLX_ARCTAN2: return mx::arctan2(a, b, s);
    case CMLX_EQUAL: return mx::equal(a, b, s);
    case CMLX_NOT_EQUAL: return mx::not_equal(a, b, s);
    case CMLX_LESS: return mx::less(a, b, s);
    case CMLX_LESS_EQUAL: return mx::less_equal(a, b, s);
    case CMLX_GREATER: return mx::greater(a, b, s);
    case CMLX_GREATER_EQUAL: return mx::greater_equal(a, b, s);
    case CMLX_LOGICAL_AND: return mx::logical_and(a, b, s);
    case CMLX_LOGICAL_OR: return mx::logical_or(a, b, s);
    case CMLX_BITWISE_AND: return mx::bitwise_and(a, b, s);
    case CMLX_BITWISE_OR: return mx::bitwise_or(a, b, s);
    case CMLX_BITWISE_XOR: return mx::bitwise_xor(a, b, s);
    case CMLX_LEFT_SHIFT: return mx::left_shift(a, b, s);
    case CMLX_RIGHT_SHIFT: return mx::right_shift(a, b, s);
    case CMLX_MATMUL: return mx::matmul(a, b, s);
    case CMLX_INNER: return mx::inner(a, b, s);
    case CMLX_OUTER: return mx::outer(a, b, s);
    }
    throw std::invalid_argument("unknown binary operation");
}

std::optional<mx::array> optional(cmlx_array a) { return a ? std::optional(a->value) : std::nullopt; }

}  // namespace

int cmlx_unary(cmlx_unary_op op, cmlx_array a, cmlx_array *out) {
    return produce(out, [&] { return unary(op, a->value, stream()); });
}

int cmlx_binary(cmlx_binary_op op, cmlx_array a, cmlx_array b, cmlx_array *out) {
    return produce(out, [&] { return binary(op, a->value, b->value, stream()); });
}

int cmlx_round(cmlx_array a, int decimals, cmlx_array *out) {
    return produce(out, [&] { return mx::round(a->value, decimals, stream()); });
}

int cmlx_clip(cmlx_array a, cmlx_array low, cmlx_array high, cmlx_array *out) {
    return produce(out, [&] { return mx::clip(a->value, optional(low), optional(high), stream()); });
}

int cmlx_where(cmlx_array condition, cmlx_array a, cmlx_array b, cmlx_array *out) {
    return produce(out, [&] { return mx::where(condition->value, a->value, b->value, stream()); });
}

int cmlx_nan_to_num(cmlx_array a, float nan, float positive, float negative, cmlx_array *out) {
    return produce(out, [&] { return mx::nan_to_num(a->value, nan, positive, negative, stream()); });
}

int cmlx_is_close(cmlx_array a, cmlx_array b, double relative, double absolute, bool equal_nan, cmlx_array *out) {
    return produce(out, [&] { return mx::isclose(a->value, b->value, relative, absolute, equal_nan, stream()); });
}

int cmlx_array_equal(cmlx_array a, cmlx_array b, bool equal_nan, cmlx_array *out) {
    return produce(out, [&] { return mx::array_equal(a->value, b->value, equal_nan, stream()); });
}
