// Arrays made from numbers, and changes of element type.
#include "internal.hpp"

using namespace cmlx;

int cmlx_full(const int32_t *shape, size_t rank, cmlx_array value, cmlx_dtype type, cmlx_array *out) {
    return produce(out, [&] { return mx::full(to_shape(shape, rank), value->value, to_dtype(type), stream()); });
}

int cmlx_arange(double start, double stop, double step, cmlx_dtype type, cmlx_array *out) {
    return produce(out, [&] { return mx::arange(start, stop, step, to_dtype(type), stream()); });
}

int cmlx_linspace(double start, double stop, int count, cmlx_dtype type, cmlx_array *out) {
    return produce(out, [&] { return mx::linspace(start, stop, count, to_dtype(type), stream()); });
}

int cmlx_eye(int rows, int columns, int diagonal, cmlx_dtype type, cmlx_array *out) {
    return produce(out, [&] { return mx::eye(rows, columns, diagonal, to_dtype(type), stream()); });
}

int cmlx_astype(cmlx_array a, cmlx_dtype type, cmlx_array *out) {
    return produce(out, [&] { return mx::astype(a->value, to_dtype(type), stream()); });
}

int cmlx_view(cmlx_array a, cmlx_dtype type, cmlx_array *out) {
    return produce(out, [&] { return mx::view(a->value, to_dtype(type), stream()); });
}
