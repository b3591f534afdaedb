// Operations that change the shape of arrays, join or cut them.
#include "internal.hpp"

using namespace cmlx;

namespace {

mx::array layout(cmlx_layout_op op, const mx::array &a, const int32_t *values, size_t count, mx::Stream s) {
    switch (op) {
    case CMLX_RESHAPE: return mx::reshape(a, to_shape(values, count), s);
    case CMLX_TRANSPOSE: return values ? mx::transpose(a, to_ints(values, count), s) : mx::transpose(a, s);
    case CMLX_BROADCAST: return mx::broadcast_to(a, to_shape(values, count), s);
    case CMLX_EXPAND: return mx::expand_dims(a, to_ints(values, count), s);
    case CMLX_SQUEEZE: return values ? mx::squeeze(a, to_ints(values, count), s) : mx::squeeze(a, s);
    case CMLX_TILE: return mx::tile(a, to_ints(values, count), s);
    case CMLX_FLIP: return values ? mx::flip(a, to_ints(values, count), s) : mx::flip(a, s);
    }
    throw std::invalid_argument("unknown layout operation");
}

mx::array axis(cmlx_axis_op op, const mx::array &a, int x, int y, mx::Stream s) {
    switch (op) {
    case CMLX_SWAP_AXES: return mx::swapaxes(a, x, y, s);
    case CMLX_MOVE_AXIS: return mx::moveaxis(a, x, y, s);
    case CMLX_FLATTEN: return mx::flatten(a, x, y, s);
    case CMLX_REPEAT: return mx::repeat(a, x, y, s);
    case CMLX_ROLL: return mx::roll(a, x, y, s);
    case CMLX_TRIL: return mx::tril(a, x, s);
    case CMLX_TRIU: return mx::triu(a, x, s);
    case CMLX_DIAG: return mx::diag(a, x, s);
    }
    throw std::invalid_argument("unknown axis operation");
}

}  // namespace

int cmlx_layout(cmlx_layout_op op, cmlx_array a, const int32_t *values, size_t count, cmlx_array *out) {
    return produce(out, [&] { return layout(op, a->value, values, count, stream()); });
}

int cmlx_axis(cmlx_axis_op op, cmlx_array a, int x, int y, cmlx_array *out) {
    return produce(out, [&] { return axis(op, a->value, x, y, stream()); });
}

int cmlx_join(bool stack, const cmlx_array *arrays, size_t count, int axis, cmlx_array *out) {
    return produce(out, [&] {
        auto inputs = to_vector(arrays, count);
        return stack ? mx::stack(inputs, axis, stream()) : mx::concatenate(std::move(inputs), axis, stream());
    });
}

int cmlx_split(cmlx_array a, const int32_t *indices, size_t count, int axis, cmlx_array *outs) {
    return guard([&] {
        auto parts = mx::split(a->value, to_shape(indices, count), axis, stream());
        std::vector<std::unique_ptr<cmlx_array_s>> handles;  // all or none reach the caller
        for (auto &part : parts) handles.push_back(std::make_unique<cmlx_array_s>(std::move(part)));
        for (auto &handle : handles) *outs++ = handle.release();
    });
}

int cmlx_pad(cmlx_array a, const int32_t *axes, const int32_t *low, const int32_t *high, size_t count,
             cmlx_array value, const char *mode, cmlx_array *out) {
    return produce(out, [&] {
        return mx::pad(a->value, to_ints(axes, count), to_shape(low, count), to_shape(high, count), value->value,
                       mode, stream());
    });
}

int cmlx_as_strided(cmlx_array a, const int32_t *shape, const int64_t *strides, size_t rank, size_t offset,
                    cmlx_array *out) {
    return produce(out, [&] {
        return mx::as_strided(a->value, to_shape(shape, rank), mx::Strides(strides, strides + rank), offset, stream());
    });
}
