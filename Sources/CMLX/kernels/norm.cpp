// RMS and layer normalisation over the last axis, and their gradients. Statistics in float32.
#include "norm.hpp"
#include <cmath>
#include "composed.hpp"
#include "elements.hpp"

namespace cmlx {

namespace {

using simd::f32;

/// Visits a row 16 elements at a time: `body(column, n)`.
template <class Body>
ALWAYS_INLINE inline void for_columns(int64_t width, Body &&body) {
    for (int64_t j = 0; j < width; j += simd::width) body(j, int(std::min<int64_t>(simd::width, width - j)));
}

/// Zeros from element n on, so that padding adds nothing to a sum.
ALWAYS_INLINE inline f32 keep(f32 v, int n) {
    const simd::i32 lane = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    return lane < n ? v : f32{};
}

struct Statistics {
    float mean, scale;  // normalised = (x - mean) * scale
};

ALWAYS_INLINE inline Statistics statistics(const Source &x, int64_t at, int64_t width, bool centred, float eps) {
    f32 total = {};
    if (centred) for_columns(width, [&](int64_t j, int n) ALWAYS_INLINE { total += x.load(at + j, n); });
    const float mean = simd::sum(total) / float(width);  // 0 where not centred
    f32 squares = {};
    for_columns(width, [&](int64_t j, int n) ALWAYS_INLINE {
        const f32 v = keep(x.load(at + j, n) - mean, n);
        squares += v * v;
    });
    return {mean, 1.0f / std::sqrt(simd::sum(squares) / float(width) + eps)};
}

}  // namespace

void norm_rows(const Source &x, const Rows &rows, const Source &weight, const Source &bias, bool centred, float eps,
               const Target &out) {
    parallel_ranges(rows.count, size_t(8192 / std::max<int64_t>(1, rows.width) + 1), [=](size_t begin, size_t end) {
        simd::dispatch([=](auto) ALWAYS_INLINE {
            for (size_t row = begin; row < end; row++) {
                const int64_t at = row * rows.stride, to = row * rows.width;
                const auto s = statistics(x, at, rows.width, centred, eps);
                for_columns(rows.width, [&](int64_t j, int n) ALWAYS_INLINE {
                    f32 v = (x.load(at + j, n) - s.mean) * s.scale;
                    if (weight.data) v = v * weight.load(j, n);
                    if (bias.data) v = v + bias.load(j, n);
                    out.store(to + j, v, n);
                });
            }
        });
    });
}

namespace {

/// Inputs: x, then weight and bias where present.
class Norm : public KernelPrimitive {
public:
    Norm(mx::Stream s, bool centred, float eps, bool has_weight, bool has_bias)
        : KernelPrimitive(s), centred_(centred), has_weight_(has_weight), has_bias_(has_bias), eps_(eps) {}
    const char *name() const override { return "LyraNorm"; }
    bool is_equivalent(const mx::Primitive &other) const override {
        const auto &o = static_cast<const Norm &>(other);
        return centred_ == o.centred_ && eps_ == o.eps_ && has_weight_ == o.has_weight_ && has_bias_ == o.has_bias_;
    }

    void eval_cpu(const std::vector<mx::array> &inputs, std::vector<mx::array> &outputs) override {
        auto x = as_rows(inputs[0]), out = allocate(outputs[0]);
        std::optional<mx::array> weight, bias;
        if (has_weight_) weight = as_contiguous(inputs[1], inputs[1].dtype());
        if (has_bias_) bias = as_contiguous(inputs[1 + has_weight_], inputs[1 + has_weight_].dtype());
        enqueue([=, centred = centred_, eps = eps_]() mutable {
            norm_rows(source(x), rows_of(x), weight ? source(*weight) : Source{}, bias ? source(*bias) : Source{}, centred,
                      eps, target(out));
        });
    }

    std::vector<mx::array> vjp(const std::vector<mx::array> &primals, const std::vector<mx::array> &cotangents,
                               const std::vector<int> &wanted, const std::vector<mx::array> &) override;

private:
    const bool centred_, has_weight_, has_bias_;
    const float eps_;
};

/// Inputs: x, the upstream gradient, then the weight where present. Outputs: gradients of x, weight, bias.
class NormGradient : public KernelPrimitive {
public:
    NormGradient(mx::Stream s, bool centred, float eps) : KernelPrimitive(s), centred_(centred), eps_(eps) {}
    const char *name() const override { return "LyraNormGradient"; }
    bool is_equivalent(const mx::Primitive &other) const override {
        const auto &o = static_cast<const NormGradient &>(other);
        return centred_ == o.centred_ && eps_ == o.eps_;
    }

    void eval_cpu(const std::vector<mx::array> &inputs, std::vector<mx::array> &outputs) override {
        auto x = as_rows(inputs[0]), upstream = as_rows(inputs[1]);
        std::optional<mx::array> weight;
        if (inputs.size() > 2) weight = as_contiguous(inputs[2], inputs[2].dtype());
        auto dx = allocate(outputs[0]), dweight = allocate(outputs[1]), dbias = allocate(outputs[2]);
        enqueue([=, centred = centred_, eps = eps_]() mutable {
            const auto rows = rows_of(x), up_rows = rows_of(upstream);
            const int64_t width = rows.width;
            const auto in = source(x), up = source(upstream), w = source(weight ? *weight : x);
            const auto out = target(dx);
            const bool scaled = weight.has_value();
            const size_t threads = size_t(max_threads()), padded = size_t(width + simd::width);
            std::vector<float> sums(threads * 2 * padded);  // of each thread: for the weight, for the bias
            parallel(int(threads), [=, sums = sums.data()](int thread, int count) {
                float *weight_sum = sums + thread * 2 * padded, *bias_sum = weight_sum + padded;
                simd::dispatch([=](auto) ALWAYS_INLINE {
                    for (int64_t row = rows.count * thread / count, end = rows.count * (thread + 1) / count; row < end;
                         row++) {
                        const int64_t at = row * rows.stride, from = row * up_rows.stride;
                        const auto s = statistics(in, at, width, centred, eps);
                        // With g = upstream * weight and h the normalised x: dx = scale (g - mean(g) - h mean(g h)).
                        f32 g_sum = {}, gh_sum = {};
                        for_columns(width, [&](int64_t j, int n) ALWAYS_INLINE {
                            const f32 d = up.load(from + j, n), h = (in.load(at + j, n) - s.mean) * s.scale;
                            const f32 g = scaled ? d * w.load(j, n) : d;
                            g_sum += g;
                            gh_sum += g * h;  // g is zero in the padding
                            simd::store(weight_sum + j, simd::load(weight_sum + j) + d * h);
                            simd::store(bias_sum + j, simd::load(bias_sum + j) + d);
                        });
                        const float mean_g = centred ? simd::sum(g_sum) / float(width) : 0;
                        const float mean_gh = simd::sum(gh_sum) / float(width);
                        for_columns(width, [&](int64_t j, int n) ALWAYS_INLINE {
                            const f32 d = up.load(from + j, n), h = (in.load(at + j, n) - s.mean) * s.scale;
                            const f32 g = scaled ? d * w.load(j, n) : d;
                            out.store(row * width + j, s.scale * (g - mean_g - h * mean_gh), n);
                        });
                    }
                });
            });
            const auto collect = [&](mx::array &total, size_t part) {
                const auto to = target(total);
                simd::dispatch([=, sums = sums.data()](auto) ALWAYS_INLINE {
                    for_columns(width, [&](int64_t j, int n) ALWAYS_INLINE {
                        f32 v = {};
                        for (size_t t = 0; t < threads; t++) v += simd::load(sums + (2 * t + part) * padded + j);
                        to.store(j, v, n);
                    });
                });
            };
            collect(dweight, 0);
            collect(dbias, 1);
        });
    }

private:
    const bool centred_;
    const float eps_;
};

std::vector<mx::array> Norm::vjp(const std::vector<mx::array> &primals, const std::vector<mx::array> &cotangents,
                                 const std::vector<int> &wanted, const std::vector<mx::array> &) {
    std::vector<mx::array> inputs = {primals[0], cotangents[0]};
    if (has_weight_) inputs.push_back(primals[1]);
    const mx::Shape width = {primals[0].shape(-1)};
    const auto bias_type = has_bias_ ? primals.back().dtype() : mx::float32;
    const auto all =
        mx::array::make_arrays({primals[0].shape(), width, width},
                               {primals[0].dtype(), has_weight_ ? primals[1].dtype() : mx::float32, bias_type},
                               std::make_shared<NormGradient>(stream(), centred_, eps_), inputs);
    std::vector<mx::array> result;
    for (int i : wanted) result.push_back(i == 0 ? all[0] : i == 1 && has_weight_ ? all[1] : all[2]);
    return result;
}

mx::array norm(const mx::array &x, const std::optional<mx::array> &weight, const std::optional<mx::array> &bias,
               bool centred, float eps, mx::Dtype output, mx::Stream s) {
    std::vector<mx::array> inputs = {x};
    if (weight) inputs.push_back(*weight);
    if (bias) inputs.push_back(*bias);
    return record<Norm>(x.shape(), output, inputs, s, centred, eps, weight.has_value(), bias.has_value());
}

}  // namespace

mx::array rms_norm(const mx::array &x, const mx::array &weight, float eps, mx::Dtype output, mx::Stream s) {
    if (!on_cpu(s)) return composed::rms_norm(x, weight, eps, output, s);
    return norm(x, weight, {}, false, eps, output, s);
}

mx::array layer_norm(const mx::array &x, const std::optional<mx::array> &weight, const std::optional<mx::array> &bias,
                     float eps, mx::Dtype output, mx::Stream s) {
    if (!on_cpu(s)) return composed::layer_norm(x, weight, bias, eps, output, s);
    return norm(x, weight, bias, true, eps, output, s);
}

}  // namespace cmlx
