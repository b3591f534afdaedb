// Elementwise kernels and their gradients: activations, SwiGLU, addition, conversion.
#include "activation.hpp"
#include "composed.hpp"
#include "elements.hpp"
#include "elementwise.hpp"
#include "mlx/random.h"

namespace cmlx {

namespace {

/// Inputs: x, and for the gradient the upstream gradient too.
class Activation : public KernelPrimitive {
public:
    Activation(mx::Stream s, cmlx_activation kind, float parameter, bool gradient)
        : KernelPrimitive(s), kind_(kind), parameter_(parameter), gradient_(gradient) {}
    const char *name() const override { return "LyraActivation"; }
    bool is_equivalent(const mx::Primitive &other) const override {
        const auto &o = static_cast<const Activation &>(other);
        return kind_ == o.kind_ && parameter_ == o.parameter_ && gradient_ == o.gradient_;
    }

    void eval_cpu(const std::vector<mx::array> &inputs, std::vector<mx::array> &outputs) override {
        auto x = as_rows(inputs[0]), out = allocate(outputs[0]);
        auto upstream = gradient_ ? as_rows(inputs[1]) : x;
        enqueue([=, kind = kind_, parameter = parameter_, gradient = gradient_]() mutable {
            const auto rows = rows_of(x);
            const auto in = source(x), up = source(upstream);
            const auto y = target(out);
            simd::with_activation(kind, [&](auto k) {
                constexpr auto activation = decltype(k)::value;
                if (gradient)
                    for_elements<3>(rows.count, rows.width, {rows.stride, rows_of(upstream).stride, rows.width},
                                    [=](auto at, int n) ALWAYS_INLINE {
                        const simd::f32 slope = simd::slope<activation>(in.load(at[0], n), parameter);
                        y.store(at[2], up.load(at[1], n) * slope, n);
                    });
                else
                    for_elements<2>(rows.count, rows.width, {rows.stride, rows.width},
                                    [=](auto at, int n) ALWAYS_INLINE {
                        y.store(at[1], simd::activate<activation>(in.load(at[0], n), parameter), n);
                    });
            });
        });
    }

    std::vector<mx::array> vjp(const std::vector<mx::array> &primals, const std::vector<mx::array> &cotangents,
                               const std::vector<int> &wanted, const std::vector<mx::array> &) override {
        if (gradient_) throw std::runtime_error("activations have no second derivative here");
        return std::vector<mx::array>(wanted.size(),
                                      activation_gradient(primals[0], cotangents[0], kind_, parameter_, stream()));
    }

private:
    const cmlx_activation kind_;
    const float parameter_;
    const bool gradient_;
};

}  // namespace

void swiglu_rows(const Source &gate, int64_t gate_stride, const Source &up, int64_t up_stride, int64_t count, int64_t width,
                 const Target &out) {
    for_elements<3>(count, width, {gate_stride, up_stride, width}, [=](auto at, int n) ALWAYS_INLINE {
        const simd::f32 v = gate.load(at[0], n);
        out.store(at[2], v * simd::sigmoid(v) * up.load(at[1], n), n);
    });
}

namespace {

/// Inputs: gate and up, or one array with both as halves of its last axis.
class SwiGLU : public KernelPrimitive {
public:
    using KernelPrimitive::KernelPrimitive;
    const char *name() const override { return "LyraSwiGLU"; }
    bool is_equivalent(const mx::Primitive &) const override { return true; }

    void eval_cpu(const std::vector<mx::array> &inputs, std::vector<mx::array> &outputs) override {
        auto gate = as_rows(inputs[0]), up = inputs.size() > 1 ? as_rows(inputs[1]) : gate, out = allocate(outputs[0]);
        const bool fused = inputs.size() == 1;
        enqueue([=]() mutable {
            const auto rows = rows_of(gate);
            const int64_t width = fused ? rows.width / 2 : rows.width, shift = fused ? width : 0;
            const auto g = source(gate), u = source(up);
            const auto y = target(out);
            swiglu_rows(g, rows.stride, {u.type, static_cast<const char *>(u.data) + shift * u.size()}, rows_of(up).stride,
                        rows.count, width, y);
        });
    }

    std::vector<mx::array> vjp(const std::vector<mx::array> &primals, const std::vector<mx::array> &cotangents,
                               const std::vector<int> &wanted, const std::vector<mx::array> &) override;
};

/// Inputs: those of SwiGLU and the upstream gradient. Outputs: one gradient for each of its inputs.
class SwiGLUGradient : public KernelPrimitive {
public:
    using KernelPrimitive::KernelPrimitive;
    const char *name() const override { return "LyraSwiGLUGradient"; }
    bool is_equivalent(const mx::Primitive &) const override { return true; }

    void eval_cpu(const std::vector<mx::array> &inputs, std::vector<mx::array> &outputs) override {
        const bool fused = inputs.size() == 2;
        auto gate = as_rows(inputs[0]), up = fused ? gate : as_rows(inputs[1]), upstream = as_rows(inputs.back());
        auto gate_out = allocate(outputs[0]), up_out = fused ? gate_out : allocate(outputs[1]);
        enqueue([=]() mutable {
            const auto rows = rows_of(gate);
            const int64_t width = fused ? rows.width / 2 : rows.width, shift = fused ? width : 0;
            const auto g = source(gate), u = source(up), d = source(upstream);
            const auto dg = target(gate_out), du = target(up_out);
            for_elements<4>(rows.count, width, {rows.stride, rows_of(up).stride, rows_of(upstream).stride, rows.width},
                            [=](auto at, int n) ALWAYS_INLINE {
                const simd::f32 v = g.load(at[0], n), w = u.load(at[1] + shift, n), delta = d.load(at[2], n);
                const simd::f32 s = simd::sigmoid(v);
                dg.store(at[3], delta * w * (s + v * s * (1.0f - s)), n);
                du.store(at[3] + shift, delta * v * s, n);
            });
        });
    }
};

std::vector<mx::array> SwiGLU::vjp(const std::vector<mx::array> &primals, const std::vector<mx::array> &cotangents,
                                   const std::vector<int> &wanted, const std::vector<mx::array> &) {
    auto inputs = primals;
    inputs.push_back(cotangents[0]);
    std::vector<mx::Shape> shapes;
    std::vector<mx::Dtype> types;
    for (const auto &p : primals) shapes.push_back(p.shape()), types.push_back(p.dtype());
    const auto all = mx::array::make_arrays(shapes, types, std::make_shared<SwiGLUGradient>(stream()), inputs);
    std::vector<mx::array> result;
    for (int i : wanted) result.push_back(all[i]);
    return result;
}

/// Inputs: one or two arrays of one shape. Output: their sum in any type.
class Sum : public KernelPrimitive {
public:
    using KernelPrimitive::KernelPrimitive;
    const char *name() const override { return "LyraSum"; }
    bool is_equivalent(const mx::Primitive &) const override { return true; }

    void eval_cpu(const std::vector<mx::array> &inputs, std::vector<mx::array> &outputs) override {
        auto a = as_rows(inputs[0]), out = allocate(outputs[0]);
        auto b = inputs.size() > 1 ? as_rows(inputs[1]) : a;
        enqueue([=, two = inputs.size() > 1]() mutable {
            const auto rows = rows_of(a);
            const auto x = source(a), y = source(b);
            const auto z = target(out);
            if (two)
                for_elements<3>(rows.count, rows.width, {rows.stride, rows_of(b).stride, rows.width},
                                [=](auto at, int n)
                                    ALWAYS_INLINE { z.store(at[2], x.load(at[0], n) + y.load(at[1], n), n); });
            else
                for_elements<2>(rows.count, rows.width, {rows.stride, rows.width},
                                [=](auto at, int n) ALWAYS_INLINE { z.store(at[1], x.load(at[0], n), n); });
        });
    }

    std::vector<mx::array> vjp(const std::vector<mx::array> &primals, const std::vector<mx::array> &cotangents,
                               const std::vector<int> &wanted, const std::vector<mx::array> &) override {
        std::vector<mx::array> result;
        for (int i : wanted) result.push_back(convert(cotangents[0], primals[i].dtype(), stream()));
        return result;
    }
};

/// Input: [rows, n]. Output: [n], added up in an order that does not depend on threads.
class ColumnSums : public KernelPrimitive {
public:
    using KernelPrimitive::KernelPrimitive;
    const char *name() const override { return "LyraColumnSums"; }
    bool is_equivalent(const mx::Primitive &) const override { return true; }

    void eval_cpu(const std::vector<mx::array> &inputs, std::vector<mx::array> &outputs) override {
        auto x = as_rows(inputs[0]), out = allocate(outputs[0]);
        enqueue([=]() mutable {
            constexpr int64_t block = 64, together = 256;  // columns a task, rows added up before they join the rest
            const auto rows = rows_of(x);
            const auto in = source(x);
            float *sums = out.data<float>();
            parallel_tasks(size_t((rows.width + block - 1) / block), [=](size_t task, int) {
                simd::dispatch([=](auto) ALWAYS_INLINE {
                    const int64_t end = std::min(rows.width, int64_t(task + 1) * block);
                    for (int64_t j = int64_t(task) * block; j < end; j += simd::width) {
                        const int n = int(std::min<int64_t>(simd::width, end - j));
                        simd::f32 total = {};
                        for (int64_t first = 0; first < rows.count; first += together) {
                            simd::f32 sum = {};
                            for (int64_t row = first; row < std::min(rows.count, first + together); row++)
                                sum += in.load(row * rows.stride + j, n);
                            total += sum;
                        }
                        simd::store(sums + j, total, n);
                    }
                });
            });
        });
    }
};

/// Input: x. Which elements are dropped depends on their place and the seed alone, so gradients drop the same.
class Dropout : public KernelPrimitive {
public:
    Dropout(mx::Stream s, float rate, uint64_t seed) : KernelPrimitive(s), rate_(rate), seed_(seed) {}
    const char *name() const override { return "LyraDropout"; }
    bool is_equivalent(const mx::Primitive &other) const override {
        const auto &o = static_cast<const Dropout &>(other);
        return rate_ == o.rate_ && seed_ == o.seed_;
    }

    void eval_cpu(const std::vector<mx::array> &inputs, std::vector<mx::array> &outputs) override {
        auto x = as_rows(inputs[0]), out = allocate(outputs[0]);
        enqueue([=, rate = rate_, seed = seed_]() mutable {
            const auto rows = rows_of(x);
            const auto in = source(x);
            const auto y = target(out);
            const float factor = 1 / (1 - rate);
            const uint32_t least = uint32_t(std::min(double(rate) * 4294967296.0, 4294967295.0));
            const uint32_t low = uint32_t(seed), high = uint32_t(seed >> 32);
            for_elements<2>(rows.count, rows.width, {rows.stride, rows.width}, [=](auto at, int n) ALWAYS_INLINE {
                // Counters, mixed twice with a part of the seed each ("lowbias32" by C. Wellons).
                simd::u32 h = (__builtin_bit_cast(simd::u32, simd::lanes()) + uint32_t(at[1])) ^ low;
                for (int round = 0; round < 2; round++) {
                    h ^= h >> 16;
                    h *= 0x7feb352du;
                    h ^= h >> 15;
                    h *= 0x846ca68bu;
                    h ^= h >> 16;
                    h += high;
                }
                y.store(at[1], h >= least ? in.load(at[0], n) * factor : simd::f32{}, n);
            });
        });
    }

    std::vector<mx::array> vjp(const std::vector<mx::array> &, const std::vector<mx::array> &cotangents,
                               const std::vector<int> &wanted, const std::vector<mx::array> &) override {
        return std::vector<mx::array>(wanted.size(), dropout(cotangents[0], rate_, seed_, stream()));
    }

private:
    const float rate_;
    const uint64_t seed_;
};

}  // namespace

mx::array column_sums(const mx::array &x, mx::Stream s) {
    return record<ColumnSums>({x.shape(-1)}, mx::float32, {x}, s);
}

mx::array dropout(const mx::array &x, float rate, uint64_t seed, mx::Stream s) {
    if (on_cpu(s)) return record<Dropout>(x.shape(), x.dtype(), {x}, s, rate, seed);
    const auto kept = mx::random::bernoulli(mx::array(1 - rate), x.shape(), mx::random::key(seed), s);
    return mx::multiply(x, mx::astype(mx::multiply(mx::astype(kept, mx::float32, s), mx::array(1 / (1 - rate)), s), x.dtype(), s), s);
}

mx::array activation(const mx::array &x, cmlx_activation kind, float parameter, mx::Stream s) {
    if (!on_cpu(s)) return composed::activation(x, kind, parameter, s);
    return record<Activation>(x.shape(), x.dtype(), {x}, s, kind, parameter, false);
}

mx::array activation_gradient(const mx::array &x, const mx::array &upstream, cmlx_activation kind, float parameter,
                              mx::Stream s) {
    return record<Activation>(x.shape(), x.dtype(), {x, upstream}, s, kind, parameter, true);
}

mx::array swiglu(const mx::array &gate, const std::optional<mx::array> &up, mx::Stream s) {
    if (!on_cpu(s))
        return up ? composed::swiglu(gate, *up, s)
                  : composed::swiglu(composed::half(gate, 0, s), composed::half(gate, 1, s), s);
    auto shape = gate.shape();
    if (up) return record<SwiGLU>(shape, gate.dtype(), {gate, *up}, s);
    shape.back() /= 2;
    return record<SwiGLU>(shape, gate.dtype(), {gate}, s);
}

std::vector<mx::array> swiglu_gradients(const mx::array &gate, const mx::array &up, const mx::array &upstream,
                                        mx::Stream s) {
    return mx::array::make_arrays({gate.shape(), up.shape()}, {gate.dtype(), up.dtype()},
                                  std::make_shared<SwiGLUGradient>(s), {gate, up, upstream});
}

mx::array add(const mx::array &a, const mx::array &b, mx::Dtype output, mx::Stream s) {
    if (!on_cpu(s)) {
        const auto wide = [&](const mx::array &x) { return mx::astype(x, mx::float32, s); };
        return mx::astype(mx::add(wide(a), wide(b), s), output, s);
    }
    return record<Sum>(a.shape(), output, {a, b}, s);
}

mx::array convert(const mx::array &x, mx::Dtype output, mx::Stream s) {
    const auto is_float = [](mx::Dtype t) { return t == mx::float32 || t == mx::bfloat16 || t == mx::float16; };
    if (x.dtype() == output) return x;
    if (!on_cpu(s) || !is_float(x.dtype()) || !is_float(output)) return mx::astype(x, output, s);
    return record<Sum>(x.shape(), output, {x}, s);
}

}  // namespace cmlx
