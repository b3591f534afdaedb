// What the kernels' primitives share: how they run on MLX's stream thread, and views of arrays as rows.
#pragma once
#include <functional>
#include <vector>
#include "../internal.hpp"
#include "mlx/primitives.h"

namespace cmlx {

/// A primitive that exists on a CPU only; the entry points compose MLX operations on other devices.
class KernelPrimitive : public mx::Primitive {
public:
    using mx::Primitive::Primitive;
    void eval_gpu(const std::vector<mx::array> &, std::vector<mx::array> &) override {
        throw std::runtime_error(std::string(name()) + " runs on a CPU only");
    }

protected:
    /// Runs `work` on the stream's thread, after everything recorded before it. Arrays that it uses are captured
    /// through `view`: MLX keeps the buffers of a primitive's inputs, outputs and temporaries until its work is done.
    void enqueue(std::function<void()> work);
    static mx::array view(const mx::array &a) { return mx::array::unsafe_weak_copy(a); }
    static mx::array allocate(mx::array &a) {
        a.set_data(mx::allocator::malloc(a.nbytes()));
        return view(a);
    }
    /// A buffer that lives until the work of this primitive is done.
    mx::array temporary(mx::Shape shape, mx::Dtype type);
    /// Lets an array live until then.
    void keep(const mx::array &a);

    /// `a` where its last axis is contiguous and its leading axes are evenly spaced rows; else a contiguous copy.
    mx::array as_rows(const mx::array &a);
    /// `a` where its last axis is contiguous, whatever the others; else a contiguous copy.
    mx::array with_contiguous_rows(const mx::array &a) {
        return a.shape(-1) == 1 || a.strides(-1) == 1 ? view(a) : as_contiguous(a, a.dtype());
    }
    /// `a`, which is of any type and known to be contiguous; throws where it is not.
    static mx::array contiguous(const mx::array &a);
    /// `a` converted to `type`, contiguous; `a` itself where it is that already.
    mx::array as_contiguous(const mx::array &a, mx::Dtype type);
};

/// Whether tests want kernels composed of MLX operations here too.
bool composing();
inline bool on_cpu(mx::Stream s) { return s.device == mx::Device::cpu && !composing(); }
inline bool is_bf16(const mx::array &a) { return a.dtype() == mx::bfloat16; }

/// An array seen as `count` rows of `width` contiguous elements, `stride` elements apart.
struct Rows {
    int64_t count, width, stride;
};
/// Whether the leading axes of `a` are evenly spaced rows, and how.
bool rows_of(const mx::array &a, Rows *rows);
/// The same for an array known to be so (from `as_rows`).
inline Rows rows_of(const mx::array &a) {
    Rows rows;
    if (!rows_of(a, &rows)) throw std::logic_error("rows_of: not evenly spaced rows");
    return rows;
}

/// Element conversions and strided copies, multi-threaded: `out` is contiguous, of any of the three float types.
void copy_convert(const mx::array &in, mx::array &out);

/// Records a primitive with one output.
template <class P, class... Arguments>
mx::array record(mx::Shape shape, mx::Dtype type, std::vector<mx::array> inputs, mx::Stream s,
                 Arguments &&...arguments) {
    return mx::array(std::move(shape), type, std::make_shared<P>(s, std::forward<Arguments>(arguments)...),
                     std::move(inputs));
}

}  // namespace cmlx
