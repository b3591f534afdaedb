// Rotary position embedding by half rotation. Its gradient is the rotation backwards.
#include "composed.hpp"
#include "elements.hpp"
#include "norm.hpp"

namespace cmlx {

namespace {

/// Inputs: x [B, L, H, D], cos and sin [L, D/2] in float32.
class Rotary : public KernelPrimitive {
public:
    Rotary(mx::Stream s, bool backwards) : KernelPrimitive(s), backwards_(backwards) {}
    const char *name() const override { return "LyraRotary"; }
    bool is_equivalent(const mx::Primitive &other) const override {
        return backwards_ == static_cast<const Rotary &>(other).backwards_;
    }

    void eval_cpu(const std::vector<mx::array> &inputs, std::vector<mx::array> &outputs) override {
        auto x = with_contiguous_rows(inputs[0]);
        auto cos = as_contiguous(inputs[1], mx::float32), sin = as_contiguous(inputs[2], mx::float32);
        auto out = allocate(outputs[0]);
        enqueue([=, sign = backwards_ ? -1.0f : 1.0f]() mutable {
            const auto &strides = x.strides();
            rotate_rows(source(x), {strides[0], strides[1], strides[2]}, x.shape(0), x.shape(1), x.shape(2), x.shape(3) / 2,
                        cos.data<float>(), sin.data<float>(), sign, target(out));
        });
    }

    std::vector<mx::array> vjp(const std::vector<mx::array> &primals, const std::vector<mx::array> &cotangents,
                               const std::vector<int> &wanted, const std::vector<mx::array> &) override {
        std::vector<mx::array> result;
        for (int i : wanted) {
            if (i != 0) throw std::runtime_error("rotary has no gradient with respect to its tables");
            result.push_back(record<Rotary>(primals[0].shape(), primals[0].dtype(),
                                            {cotangents[0], primals[1], primals[2]}, stream(), !backwards_));
        }
        return result;
    }

private:
    const bool backwards_;
};

}  // namespace

void rotate_rows(const Source &x, const std::array<int64_t, 3> &strides, int64_t batch, int64_t positions, int64_t heads,
                 int64_t half, const float *cos, const float *sin, float sign, const Target &out) {
    parallel_ranges(size_t(batch * positions), size_t(8192 / (heads * half + 1) + 1), [=](size_t begin, size_t end) {
        simd::dispatch([=](auto) ALWAYS_INLINE {
            for (size_t i = begin; i < end; i++) {
                const int64_t element = int64_t(i) / positions, position = int64_t(i) % positions;
                for (int64_t h = 0; h < heads; h++) {
                    const int64_t from = element * strides[0] + position * strides[1] + h * strides[2];
                    const int64_t to = (int64_t(i) * heads + h) * 2 * half;
                    for (int64_t j = 0; j < half; j += simd::width) {
                        const int count = int(std::min<int64_t>(simd::width, half - j));
                        const simd::f32 cosine = simd::load(cos + position * half + j, count);
                        const simd::f32 sine = sign * simd::load(sin + position * half + j, count);
                        const simd::f32 x1 = x.load(from + j, count), x2 = x.load(from + half + j, count);
                        out.store(to + j, x1 * cosine - x2 * sine, count);
                        out.store(to + half + j, x2 * cosine + x1 * sine, count);
                    }
                }
            }
        });
    });
}

mx::array rotary(const mx::array &x, const mx::array &cos, const mx::array &sin, mx::Stream s) {
    if (!on_cpu(s)) return composed::rotary(x, cos, sin, s);
    return record<Rotary>(x.shape(), x.dtype(), {x, cos, sin}, s, false);
}

}  // namespace cmlx
