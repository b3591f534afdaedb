// Operations along axes: reductions, softmax, running sums, sorting.
#include "internal.hpp"
#include <numeric>

using namespace cmlx;

namespace {

std::vector<int> axes_or_all(const mx::array &a, const int32_t *axes, size_t count) {
    if (axes) return to_ints(axes, count);
    std::vector<int> all(a.ndim());
    std::iota(all.begin(), all.end(), 0);
    return all;
}

mx::array reduce(cmlx_reduce_op op, const mx::array &a, const std::vector<int> &axes, bool keep, int ddof,
                 mx::Stream s) {
    switch (op) {
    case CMLX_SUM: return mx::sum(a, axes, keep, s);
    case CMLX_PRODUCT: return mx::prod(a, axes, keep, s);
    case CMLX_MEAN: return mx::mean(a, axes, keep, s);
    case CMLX_MEDIAN: return mx::median(a, axes, keep, s);
    case CMLX_MAX: return mx::max(a, axes, keep, s);
    case CMLX_MIN: return mx::min(a, axes, keep, s);
    case CMLX_VARIANCE: return mx::var(a, axes, keep, ddof, s);
    case CMLX_STD: return mx::std(a, axes, keep, ddof, s);
    case CMLX_LOGSUMEXP: return mx::logsumexp(a, axes, keep, s);
    case CMLX_ALL: return mx::all(a, axes, keep, s);
    case CMLX_ANY: return mx::any(a, axes, keep, s);
    }
    throw std::invalid_argument("unknown reduction");
}

mx::array scan(cmlx_scan_op op, const mx::array &a, int axis, bool reverse, bool inclusive, mx::Stream s) {
    switch (op) {
    case CMLX_CUMSUM: return mx::cumsum(a, axis, reverse, inclusive, s);
    case CMLX_CUMPROD: return mx::cumprod(a, axis, reverse, inclusive, s);
    case CMLX_CUMMAX: return mx::cummax(a, axis, reverse, inclusive, s);
    case CMLX_CUMMIN: return mx::cummin(a, axis, reverse, inclusive, s);
    case CMLX_LOGCUMSUMEXP: return mx::logcumsumexp(a, axis, reverse, inclusive, s);
    }
    throw std::invalid_argument("unknown scan");
}

mx::array sort(cmlx_sort_op op, const mx::array &a, int k, int axis, mx::Stream s) {
    switch (op) {
    case CMLX_SORT: return mx::sort(a, axis, s);
    case CMLX_ARGSORT: return mx::argsort(a, axis, s);
    case CMLX_PARTITION: return mx::partition(a, k, axis, s);
    case CMLX_ARGPARTITION: return mx::argpartition(a, k, axis, s);
    case CMLX_TOPK: return mx::topk(a, k, axis, s);
    }
    throw std::invalid_argument("unknown sort");
}

}  // namespace

int cmlx_reduce(cmlx_reduce_op op, cmlx_array a, const int32_t *axes, size_t count, bool keep, int ddof,
                cmlx_array *out) {
    return produce(out, [&] { return reduce(op, a->value, axes_or_all(a->value, axes, count), keep, ddof, stream()); });
}

int cmlx_arg_reduce(bool largest, cmlx_array a, const int32_t *axis, bool keep, cmlx_array *out) {
    return produce(out, [&] {
        const auto s = stream();
        if (axis) return largest ? mx::argmax(a->value, *axis, keep, s) : mx::argmin(a->value, *axis, keep, s);
        return largest ? mx::argmax(a->value, keep, s) : mx::argmin(a->value, keep, s);
    });
}

int cmlx_softmax(cmlx_array a, const int32_t *axes, size_t count, bool precise, cmlx_array *out) {
    return produce(out, [&] { return mx::softmax(a->value, axes_or_all(a->value, axes, count), precise, stream()); });
}

int cmlx_scan(cmlx_scan_op op, cmlx_array a, int axis, bool reverse, bool inclusive, cmlx_array *out) {
    return produce(out, [&] { return scan(op, a->value, axis, reverse, inclusive, stream()); });
}

int cmlx_sort(cmlx_sort_op op, cmlx_array a, int k, int axis, cmlx_array *out) {
    return produce(out, [&] { return sort(op, a->value, k, axis, stream()); });
}
