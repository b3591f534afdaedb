// Reading and writing parts of arrays.
#include "internal.hpp"

using namespace cmlx;

int cmlx_slice(cmlx_array a, const int32_t *start, const int32_t *stop, const int32_t *strides, cmlx_array *out) {
    return produce(out, [&] {
        const size_t rank = a->value.ndim();
        return mx::slice(a->value, to_shape(start, rank), to_shape(stop, rank), to_shape(strides, rank), stream());
    });
}

int cmlx_slice_update(cmlx_array a, cmlx_array update, const int32_t *start, const int32_t *stop,
                      const int32_t *strides, cmlx_array *out) {
    return produce(out, [&] {
        const size_t rank = a->value.ndim();
        return mx::slice_update(a->value, update->value, to_shape(start, rank), to_shape(stop, rank),
                                to_shape(strides, rank), stream());
    });
}

int cmlx_slice_dynamic(cmlx_array a, cmlx_array start, const int32_t *axes, size_t count, const int32_t *size,
                       cmlx_array *out) {
    return produce(out, [&] {
        return mx::slice(a->value, start->value, to_ints(axes, count), to_shape(size, a->value.ndim()), stream());
    });
}

int cmlx_slice_update_dynamic(cmlx_array a, cmlx_array update, cmlx_array start, const int32_t *axes, size_t count,
                              cmlx_array *out) {
    return produce(out, [&] {
        return mx::slice_update(a->value, update->value, start->value, to_ints(axes, count), stream());
    });
}

int cmlx_take(cmlx_array a, cmlx_array indices, const int32_t *axis, cmlx_array *out) {
    return produce(out, [&] {
        return axis ? mx::take(a->value, indices->value, *axis, stream())
                    : mx::take(a->value, indices->value, stream());
    });
}

int cmlx_take_along(cmlx_array a, cmlx_array indices, int axis, cmlx_array *out) {
    return produce(out, [&] { return mx::take_along_axis(a->value, indices->value, axis, stream()); });
}

int cmlx_put_along(bool add, cmlx_array a, cmlx_array indices, cmlx_array values, int axis, cmlx_array *out) {
    return produce(out, [&] {
        return add ? mx::scatter_add_axis(a->value, indices->value, values->value, axis, stream())
                   : mx::put_along_axis(a->value, indices->value, values->value, axis, stream());
    });
}

int cmlx_scatter(cmlx_scatter_op op, cmlx_array a, cmlx_array indices, cmlx_array updates, int axis, cmlx_array *out) {
    return produce(out, [&] {
        const auto s = stream();
        switch (op) {
        case CMLX_SCATTER_SET: return mx::scatter(a->value, indices->value, updates->value, axis, s);
        case CMLX_SCATTER_ADD: return mx::scatter_add(a->value, indices->value, updates->value, axis, s);
        case CMLX_SCATTER_MULTIPLY: return mx::scatter_prod(a->value, indices->value, updates->value, axis, s);
        case CMLX_SCATTER_MAX: return mx::scatter_max(a->value, indices->value, updates->value, axis, s);
        case CMLX_SCATTER_MIN: return mx::scatter_min(a->value, indices->value, updates->value, axis, s);
        }
        throw std::invalid_argument("unknown scatter");
    });
}
