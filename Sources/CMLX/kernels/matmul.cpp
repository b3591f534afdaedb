// Products of two matrices or batches of them, and their gradients.
#include "linear.hpp"
#include "composed.hpp"
#include "elementwise.hpp"
#include "gemm.hpp"
#include "primitive.hpp"

namespace cmlx {

namespace {

/// Inputs: a, b.
class Matmul : public KernelPrimitive {
public:
    Matmul(mx::Stream s, bool transpose_a, bool transpose_b)
        : KernelPrimitive(s), transpose_a_(transpose_a), transpose_b_(transpose_b) {}
    const char *name() const override { return "LyraMatmul"; }
    bool is_equivalent(const mx::Primitive &other) const override {
        const auto &o = static_cast<const Matmul &>(other);
        return transpose_a_ == o.transpose_a_ && transpose_b_ == o.transpose_b_;
    }

    void eval_cpu(const std::vector<mx::array> &inputs, std::vector<mx::array> &outputs) override {
        const auto type = is_bf16(inputs[0]) && is_bf16(inputs[1]) ? mx::bfloat16 : mx::float32;
        auto a = strided(inputs[0], type), b = strided(inputs[1], type);
        auto out = allocate(outputs[0]);
        enqueue([=, transpose_a = transpose_a_, transpose_b = transpose_b_]() mutable {
            const auto matrix = [](mx::array &x, bool transpose) {
                Matrix m{x.data<void>(), is_bf16(x), x.strides(-2), x.strides(-1), 0};
                if (x.ndim() > 2) m.batch_stride = rows_of_batch(x);
                if (transpose) std::swap(m.row_stride, m.column_stride);
                return m;
            };
            auto left = matrix(a, transpose_a), right = matrix(b, transpose_b);
            const int64_t m = out.shape(-2), n = out.shape(-1), k = a.shape(transpose_a ? -2 : -1);
            const int64_t batch = m * n > 0 ? int64_t(out.size()) / (m * n) : 0;
            gemm(batch, m, n, k, left, right, {out.data<void>(), is_bf16(out), n, 1, m * n});
        });
    }

    std::vector<mx::array> vjp(const std::vector<mx::array> &primals, const std::vector<mx::array> &cotangents,
                               const std::vector<int> &wanted, const std::vector<mx::array> &) override {
        const auto s = stream();
        const auto &a = primals[0], &b = primals[1];
        const auto type = is_bf16(a) && is_bf16(b) ? mx::bfloat16 : mx::float32;
        const auto delta = convert(cotangents[0], type, s);  // [..., m, n]
        std::vector<mx::array> gradients;
        for (int index : wanted) {
            if (index == 0) {
                gradients.push_back(transpose_a_ ? matmul(b, delta, transpose_b_, true, a.dtype(), s)
                                                 : matmul(delta, b, false, !transpose_b_, a.dtype(), s));
            } else {
                gradients.push_back(transpose_b_ ? matmul(delta, a, true, transpose_a_, b.dtype(), s)
                                                 : matmul(a, delta, !transpose_a_, false, b.dtype(), s));
            }
        }
        return gradients;
    }

private:
    const bool transpose_a_, transpose_b_;

    /// Elements between the matrices of a batch, or -1 where they are not evenly spaced.
    static int64_t rows_of_batch(const mx::array &x) {
        int64_t stride = 0, count = 1;
        for (int axis = int(x.ndim()) - 3; axis >= 0; axis--) {
            if (x.shape(axis) == 1) continue;
            if (count == 1)
                stride = x.strides(axis);
            else if (x.strides(axis) != stride * count)
                return -1;
            count *= x.shape(axis);
        }
        return count == 1 ? int64_t(x.shape(-1)) * x.shape(-2) : stride;
    }

    /// `x` itself where a product can read it: one unit stride, evenly spaced matrices.
    mx::array strided(const mx::array &x, mx::Dtype type) {
        const int64_t rows = x.shape(-2), columns = x.shape(-1);
        const bool by_rows = x.strides(-1) == 1 && x.strides(-2) >= columns;
        const bool by_columns = x.strides(-2) == 1 && x.strides(-1) >= rows;
        const bool readable = (by_rows || by_columns) && (x.ndim() == 2 || rows_of_batch(x) >= rows * columns);
        return x.dtype() == type && readable ? view(x) : as_contiguous(x, type);
    }
};

}  // namespace

mx::array matmul(const mx::array &a, const mx::array &b, bool transpose_a, bool transpose_b, mx::Dtype output,
                 mx::Stream s) {
    if (!on_cpu(s)) return composed::matmul(a, b, transpose_a, transpose_b, output, s);
    if (b.ndim() == 2 && a.ndim() > 2 && !transpose_a) {  // one matrix for all of the batch: fold the batch into rows
        auto shape = a.shape();
        shape.back() = b.shape(transpose_b ? 0 : 1);
        const auto rows = mx::reshape(a, {-1, a.shape(-1)}, s);
        return mx::reshape(matmul(rows, b, false, transpose_b, output, s), shape, s);
    }
    auto shape = a.shape();
    shape[shape.size() - 2] = a.shape(transpose_a ? -1 : -2);
    shape.back() = b.shape(transpose_b ? -2 : -1);
    return record<Matmul>(shape, output, {a, b}, s, transpose_a, transpose_b);
}

}  // namespace cmlx
