// The linear layer: activation(x W^T + bias) + residual, and its gradients.
#include "linear.hpp"
#include "composed.hpp"
#include "elementwise.hpp"
#include "gemm.hpp"
#include "primitive.hpp"
#include "skinny.hpp"

namespace cmlx {

namespace {

/// Inputs: x, weight, then bias and residual where present.
class Linear : public KernelPrimitive {
public:
    Linear(mx::Stream s, bool has_bias, cmlx_activation activation, bool has_residual)
        : KernelPrimitive(s), has_bias_(has_bias), has_residual_(has_residual), activation_(activation) {}
    const char *name() const override { return "LyraLinear"; }
    bool is_equivalent(const mx::Primitive &other) const override {
        const auto &o = static_cast<const Linear &>(other);
        return has_bias_ == o.has_bias_ && has_residual_ == o.has_residual_ && activation_ == o.activation_;
    }

    void eval_cpu(const std::vector<mx::array> &inputs, std::vector<mx::array> &outputs) override {
        const bool bf16 = is_bf16(inputs[1]);
        const int64_t rows_count = inputs[0].shape(-1) ? int64_t(inputs[0].size()) / inputs[0].shape(-1)
                                                       : int64_t(outputs[0].size()) / std::max(1, outputs[0].shape(-1));
        const bool few = rows_count <= skinny_rows;
        auto x = is_bf16(inputs[0]) == bf16 ? as_rows(inputs[0]) : as_contiguous(inputs[0], inputs[1].dtype());
        auto weight = as_contiguous(inputs[1], inputs[1].dtype());
        std::optional<mx::array> bias, residual;
        if (has_bias_) bias = as_contiguous(inputs[2], inputs[2].dtype());
        if (has_residual_) residual = as_rows(inputs[2 + has_bias_]);
        auto out = allocate(outputs[0]);
        enqueue([=, activation = activation_]() mutable {
            const int64_t n = weight.shape(0), k = weight.shape(1);
            const auto matrix = [](mx::array &a) {
                return Matrix{a.data<void>(), is_bf16(a), rows_of(a).stride, 1, 0};
            };
            Epilogue epilogue{.activation = activation};
            if (bias) epilogue.bias = bias->data<void>(), epilogue.bias_bf16 = is_bf16(*bias);
            if (residual) epilogue.residual = matrix(*residual);
            const Matrix target{out.data<void>(), is_bf16(out), n, 1, 0};
            if (few && k > 0)
                skinny(rows_count, n, k, matrix(x), weight.data<void>(), target, epilogue);
            else
                gemm(1, rows_count, n, k, matrix(x), Matrix{weight.data<void>(), bf16, 1, k, 0}, target, epilogue);
        });
    }

    std::vector<mx::array> vjp(const std::vector<mx::array> &primals, const std::vector<mx::array> &cotangents,
                               const std::vector<int> &wanted, const std::vector<mx::array> &) override {
        const auto s = stream();
        const auto &x = primals[0], &weight = primals[1];
        const int n = weight.shape(0), k = weight.shape(1);
        auto upstream = cotangents[0];
        if (activation_ != CMLX_ACTIVATION_NONE) {
            const auto bias = has_bias_ ? std::optional(primals[2]) : std::nullopt;
            const auto before = linear(x, weight, bias, CMLX_ACTIVATION_NONE, {}, mx::float32, s);
            upstream = activation_gradient(before, upstream, activation_, 0, s);
        }
        const auto flat = [&](const mx::array &a, int width) { return mx::reshape(a, {-1, width}, s); };
        const auto delta = flat(convert(upstream, weight.dtype(), s), n);
        std::vector<mx::array> gradients;
        for (int index : wanted) {
            const auto &primal = primals[index];
            if (index == 0) {
                gradients.push_back(mx::reshape(matmul(delta, weight, false, false, x.dtype(), s), x.shape(), s));
            } else if (index == 1) {
                const auto rows = flat(convert(x, weight.dtype(), s), k);
                gradients.push_back(matmul(delta, rows, true, false, weight.dtype(), s));
            } else if (index == 2 && has_bias_) {
                gradients.push_back(convert(column_sums(flat(upstream, n), s), primal.dtype(), s));
            } else {
                gradients.push_back(convert(cotangents[0], primal.dtype(), s));
            }
        }
        return gradients;
    }

private:
    const bool has_bias_, has_residual_;
    const cmlx_activation activation_;
};

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

mx::array linear(const mx::array &x, const mx::array &weight, const std::optional<mx::array> &bias,
                 cmlx_activation activation, const std::optional<mx::array> &residual, mx::Dtype output, mx::Stream s) {
    if (!on_cpu(s)) return composed::linear(x, weight, bias, activation, residual, output, s);
    // For gradients what an activation is applied to is kept, rather than multiplied again.
    if (activation != CMLX_ACTIVATION_NONE && !residual && (x.is_tracer() || weight.is_tracer()))
        return cmlx::activation(linear(x, weight, bias, CMLX_ACTIVATION_NONE, {}, output, s), activation, 0, s);
    auto shape = x.shape();
    shape.back() = weight.shape(0);
    std::vector<mx::array> inputs = {x, weight};
    if (bias) inputs.push_back(*bias);
    if (residual) inputs.push_back(*residual);
    return record<Linear>(shape, output, inputs, s, bias.has_value(), activation, residual.has_value());
}

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
