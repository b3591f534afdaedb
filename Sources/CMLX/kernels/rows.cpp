// Arrays as rows; conversion between float types; strided copies.
#include "convert.hpp"
#include "parallel.hpp"
#include "primitive.hpp"
#include "types.hpp"
#pragma clang diagnostic ignored "-Wdeprecated-declarations"  // std::bind inside MLX's header
#include "mlx/backend/cpu/encoder.h"

namespace cmlx {

bool rows_of(const mx::array &a, Rows *rows) {
    const int n = int(a.ndim());
    if (n == 0) return *rows = {1, 1, 1}, true;
    const int64_t width = a.shape(n - 1);
    if (width > 1 && a.strides(n - 1) != 1) return false;
    int64_t count = 1, stride = width;
    bool first = true;
    for (int axis = n - 2; axis >= 0; axis--) {
        if (a.shape(axis) == 1) continue;
        if (first) {
            stride = a.strides(axis);
            first = false;
        } else if (a.strides(axis) != stride * count) {
            return false;
        }
        count *= a.shape(axis);
    }
    if (count > 1 && stride < width) return false;  // broadcast or overlapping rows
    return *rows = {count, width, stride}, true;
}

namespace {

template <class From, class To>
void gather(const From *from, int64_t stride, To *to, size_t count) {
    constexpr int chunk = 256;
    From buffer[chunk];
    for (size_t done = 0; done < count; done += chunk) {
        const size_t n = std::min<size_t>(chunk, count - done);
        for (size_t i = 0; i < n; i++) buffer[i] = from[int64_t(done + i) * stride];
        convert_row(buffer, to + done, n);
    }
}

}  // namespace

void copy_convert(const mx::array &in, mx::array &out) {
    constexpr size_t grain = 16384;  // elements worth a thread
    with_types(in.dtype(), out.dtype(), [&](auto *f, auto *t) {
        using From = Element<decltype(f)>;
        using To = Element<decltype(t)>;
        const From *from = in.data<From>();
        To *to = out.data<To>();
        if (in.flags().row_contiguous || in.size() <= 1) {
            parallel_ranges(in.size(), grain,
                            [&](size_t begin, size_t end) { convert_row(from + begin, to + begin, end - begin); });
            return;
        }
        const int last = int(in.ndim()) - 1;
        const size_t width = in.shape(last), count = width ? in.size() / width : 0;
        const int64_t stride = in.strides(last);
        parallel_ranges(count, std::max<size_t>(1, grain / std::max<size_t>(1, width)), [&](size_t begin, size_t end) {
            for (size_t row = begin; row < end; row++) {
                int64_t offset = 0;
                size_t rest = row;
                for (int axis = last - 1; axis >= 0; axis--) {
                    offset += int64_t(rest % in.shape(axis)) * in.strides(axis);
                    rest /= in.shape(axis);
                }
                if (stride == 1)
                    convert_row(from + offset, to + row * width, width);
                else
                    gather(from + offset, stride, to + row * width, width);
            }
        });
    });
}

void KernelPrimitive::enqueue(std::function<void()> work) {
    mx::cpu::get_command_encoder(stream()).dispatch(std::move(work));
}

mx::array KernelPrimitive::temporary(mx::Shape shape, mx::Dtype type) {
    mx::array a(std::move(shape), type, nullptr, {});
    a.set_data(mx::allocator::malloc(a.nbytes()));
    keep(a);
    return a;
}

void KernelPrimitive::keep(const mx::array &a) { mx::cpu::get_command_encoder(stream()).add_temporary(a); }

mx::array KernelPrimitive::as_rows(const mx::array &a) {
    Rows rows;
    return rows_of(a, &rows) ? view(a) : as_contiguous(a, a.dtype());
}

mx::array KernelPrimitive::contiguous(const mx::array &a) {
    if (!a.flags().row_contiguous) throw std::invalid_argument("packed weights must be contiguous");
    return view(a);
}

mx::array KernelPrimitive::as_contiguous(const mx::array &a, mx::Dtype type) {
    if (a.dtype() == type && a.flags().row_contiguous) return view(a);
    auto copy = temporary(a.shape(), type);
    enqueue([in = view(a), out = view(copy)]() mutable { copy_convert(in, out); });
    return view(copy);
}

}  // namespace cmlx
