// Cross-entropy of rows of logits with the index of a class, and its gradient. The softmax is never kept: the gradient
// takes it anew from each row's log sum of exponentials.
#include <cmath>
#include "log_sum.hpp"
#include "losses.hpp"

namespace cmlx {

namespace {

size_t rows_a_thread(int64_t width) { return size_t(8192 / std::max<int64_t>(1, width) + 1); }

/// Inputs: logits [N, classes], targets [N], log sums [N], upstream gradient [N]. Output: gradient of the logits.
class CrossEntropyGradient : public KernelPrimitive {
public:
    using KernelPrimitive::KernelPrimitive;
    const char *name() const override { return "LyraCrossEntropyGradient"; }
    bool is_equivalent(const mx::Primitive &) const override { return true; }

    void eval_cpu(const std::vector<mx::array> &inputs, std::vector<mx::array> &outputs) override {
        auto x = as_rows(inputs[0]), targets = view(inputs[1]);
        auto log_sums = as_contiguous(inputs[2], mx::float32), upstream = as_contiguous(inputs[3], mx::float32);
        auto out = allocate(outputs[0]);
        enqueue([=]() mutable {
            const auto rows = rows_of(x);
            const int64_t width = rows.width;
            const auto in = source(x);
            const auto to = target(out);
            const int32_t *classes = targets.data<int32_t>();
            const float *logs = log_sums.data<float>(), *scales = upstream.data<float>();
            parallel_ranges(size_t(rows.count), rows_a_thread(width), [=](size_t begin, size_t end) {
                simd::dispatch([=](auto) ALWAYS_INLINE {
                    for (size_t row = begin; row < end; row++) {
                        const int64_t from = int64_t(row) * rows.stride, at = int64_t(row) * width;
                        const bool valid = classes[row] < width;
                        const float scale = classes[row] < 0 ? 0 : valid ? scales[row] : NAN;
                        for (int64_t j = 0; j < width; j += simd::width) {
                            const int n = int(std::min<int64_t>(simd::width, width - j));
                            simd::f32 slope = {};
                            if (scale != 0) slope = simd::exp(in.load(from + j, n) - logs[row]) * scale;
                            to.store(at + j, slope, n);
                        }
                        if (scale != 0 && valid) {
                            const float x = in.load(from + classes[row], 1)[0];
                            to.store(at + classes[row], simd::splat(std::expm1(x - logs[row]) * scale), 1);
                        }
                    }
                });
            });
        });
    }
};

/// Inputs: logits [N, classes], targets [N]. Outputs: losses [N], and the rows' log sums for the gradient.
class CrossEntropy : public KernelPrimitive {
public:
    using KernelPrimitive::KernelPrimitive;
    const char *name() const override { return "LyraCrossEntropy"; }
    bool is_equivalent(const mx::Primitive &) const override { return true; }

    void eval_cpu(const std::vector<mx::array> &inputs, std::vector<mx::array> &outputs) override {
        auto x = as_rows(inputs[0]), targets = view(inputs[1]);
        auto losses = allocate(outputs[0]), log_sums = allocate(outputs[1]);
        enqueue([=]() mutable {
            const auto rows = rows_of(x);
            const auto in = source(x);
            const int32_t *classes = targets.data<int32_t>();
            float *loss = losses.data<float>(), *logs = log_sums.data<float>();
            parallel_ranges(size_t(rows.count), rows_a_thread(rows.width), [=](size_t begin, size_t end) {
                simd::dispatch([=](auto) ALWAYS_INLINE {
                    for (size_t row = begin; row < end; row++) {
                        if (classes[row] < 0) {
                            loss[row] = logs[row] = 0;
                            continue;
                        }
                        const int64_t from = int64_t(row) * rows.stride;
                        const LogSum sum = LogSum::of(in, from, rows.width);
                        logs[row] = float(sum.value());
                        const float x = classes[row] < rows.width ? in.load(from + classes[row], 1)[0] : NAN;
                        loss[row] = float((double(sum.highest) - double(x)) + std::log(sum.total));
                    }
                });
            });
        });
    }

    std::vector<mx::array> vjp(const std::vector<mx::array> &primals, const std::vector<mx::array> &cotangents,
                               const std::vector<int> &wanted, const std::vector<mx::array> &outputs) override {
        std::vector<mx::array> result;
        for (int i : wanted) {
            if (i != 0) throw std::invalid_argument("crossEntropy has no gradient in its targets");
            result.push_back(record<CrossEntropyGradient>(primals[0].shape(), primals[0].dtype(),
                                                          {primals[0], primals[1], outputs[1], cotangents[0]},
                                                          stream()));
        }
        return result;
    }
};

}  // namespace

mx::array cross_entropy(const mx::array &logits, const mx::array &targets, mx::Stream s) {
    const auto classes = indices(targets, s);
    if (!on_cpu(s)) return composed::cross_entropy(logits, classes, s);
    return mx::array::make_arrays({targets.shape(), targets.shape()}, {mx::float32, mx::float32},
                                  std::make_shared<CrossEntropy>(s), {logits, classes})[0];
}

}  // namespace cmlx
