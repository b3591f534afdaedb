// AdamW (Loshchilov and Hutter 2019) in one pass over memory, in place where nobody else holds the old values; and the sum
// of squares that gradient clipping needs.
#include "optimizer.hpp"
#include <cmath>
#include "elements.hpp"

namespace cmlx {

namespace {

using simd::f32;

/// The numbers of one step, as they enter the elements' formula.
struct AdamWStep {
    float decay, beta1, rest1, beta2, rest2, size, correction, epsilon, scale;

    explicit AdamWStep(const cmlx_adamw &a)
        : decay(float(1 - a.learning_rate * a.weight_decay)),
          beta1(float(a.beta1)),
          rest1(float(1 - a.beta1)),
          beta2(float(a.beta2)),
          rest2(float(1 - a.beta2)),
          size(float(a.learning_rate / (1 - std::pow(a.beta1, double(a.step))))),
          correction(float(std::sqrt(1 - std::pow(a.beta2, double(a.step))))),
          epsilon(float(a.epsilon)),
          scale(float(a.gradient_scale)) {}
};

/// Inputs: parameter, gradient, first and second moment. Outputs: the new parameter and moments.
class AdamW : public KernelPrimitive {
public:
    AdamW(mx::Stream s, const cmlx_adamw &settings) : KernelPrimitive(s), step_(settings) {}
    const char *name() const override { return "LyraAdamW"; }

    void eval_cpu(const std::vector<mx::array> &inputs, std::vector<mx::array> &outputs) override {
        // Each output holds a list of the inputs of its own; while the others do, no input seems to be ours alone.
        for (auto &out : outputs)
            if (&out.inputs() != &inputs && !out.is_tracer()) out.inputs().clear();
        auto gradient = as_contiguous(inputs[1], inputs[1].dtype());
        const auto update = [&](const mx::array &in, mx::array &out) {
            if (in.is_donatable() && in.flags().row_contiguous && in.data_size() == in.size()) {
                out.copy_shared_buffer(in);
                return std::pair(view(in), view(out));
            }
            auto old = as_contiguous(in, mx::float32);
            return std::pair(old, allocate(out));
        };
        auto [parameter, new_parameter] = update(inputs[0], outputs[0]);
        auto [first, new_first] = update(inputs[2], outputs[1]);
        auto [second, new_second] = update(inputs[3], outputs[2]);
        enqueue([=, a = step_, parameter = parameter, new_parameter = new_parameter, first = first,
                 new_first = new_first, second = second, new_second = new_second]() mutable {
            const float *p = parameter.data<float>(), *m = first.data<float>(), *v = second.data<float>();
            float *to_p = new_parameter.data<float>(), *to_m = new_first.data<float>(), *to_v = new_second.data<float>();
            const auto g = source(gradient);
            const int64_t size = int64_t(gradient.size());
            for_elements<1>(1, size, {size}, [=](const auto &at, int n) ALWAYS_INLINE {
                const int64_t i = at[0];
                const f32 slope = g.load(i, n) * a.scale, old = simd::load(m + i, n);
                const f32 mean = old + a.rest1 * (slope - old);
                const f32 square = simd::load(v + i, n) * a.beta2 + a.rest2 * slope * slope;
                const f32 divisor = __builtin_elementwise_sqrt(square) / a.correction + a.epsilon;
                const f32 value = simd::load(p + i, n) * a.decay - a.size * (mean / divisor);
                simd::store(to_p + i, value, n);
                simd::store(to_m + i, mean, n);
                simd::store(to_v + i, square, n);
            });
        });
    }

private:
    const AdamWStep step_;
};

/// Inputs: any arrays. Output: the sum of their squares. Added up in an order that does not depend on threads.
class SumOfSquares : public KernelPrimitive {
public:
    using KernelPrimitive::KernelPrimitive;
    const char *name() const override { return "LyraSumOfSquares"; }
    bool is_equivalent(const mx::Primitive &) const override { return true; }

    void eval_cpu(const std::vector<mx::array> &inputs, std::vector<mx::array> &outputs) override {
        std::vector<mx::array> arrays;
        for (const auto &in : inputs) arrays.push_back(as_contiguous(in, in.dtype()));
        auto out = allocate(outputs[0]);
        enqueue([arrays = std::move(arrays), out]() mutable {
            constexpr int64_t piece = 1 << 16, block = 1 << 10;
            struct Piece {
                Source source;
                int64_t begin, end;
            };
            std::vector<Piece> pieces;
            for (const auto &a : arrays)
                for (int64_t at = 0; at < int64_t(a.size()); at += piece)
                    pieces.push_back({source(a), at, std::min(at + piece, int64_t(a.size()))});
            std::vector<double> sums(pieces.size());
            parallel_tasks(pieces.size(), [&](size_t index, int) {
                const Piece p = pieces[index];
                simd::dispatch([&](auto) ALWAYS_INLINE {
                    for (int64_t at = p.begin; at < p.end; at += block) {
                        f32 sum = {};
                        const int64_t end = std::min(p.end, at + block);
                        for (int64_t i = at; i < end; i += simd::width) {
                            const f32 v = p.source.load(i, int(std::min<int64_t>(simd::width, end - i)));
                            sum += v * v;
                        }
                        sums[index] += double(simd::sum(sum));
                    }
                });
            });
            double total = 0;
            for (double sum : sums) total += sum;
            *out.data<float>() = float(total);
        });
    }
};

}  // namespace

std::vector<mx::array> adamw(const mx::array &parameter, const mx::array &gradient, const mx::array &first,
                             const mx::array &second, const cmlx_adamw &settings, mx::Stream s) {
    const auto &shape = parameter.shape();
    if (on_cpu(s))
        return mx::array::make_arrays({shape, shape, shape}, {mx::float32, mx::float32, mx::float32},
                                      std::make_shared<AdamW>(s, settings), {parameter, gradient, first, second});
    const AdamWStep a(settings);
    const auto times = [&](const mx::array &x, float factor) { return mx::multiply(x, mx::array(factor), s); };
    const auto slope = times(mx::astype(gradient, mx::float32, s), a.scale);
    const auto mean = mx::add(first, times(mx::subtract(slope, first, s), a.rest1), s);
    const auto square = mx::add(times(second, a.beta2), times(mx::square(slope, s), a.rest2), s);
    const auto divisor = mx::add(mx::divide(mx::sqrt(square, s), mx::array(a.correction), s), mx::array(a.epsilon), s);
    const auto change = times(mx::divide(mean, divisor, s), a.size);
    return {mx::subtract(times(parameter, a.decay), change, s), mean, square};
}

mx::array sum_of_squares(const std::vector<mx::array> &arrays, mx::Stream s) {
    std::vector<mx::array> constants;
    for (const auto &a : arrays) constants.push_back(mx::stop_gradient(a, s));
    if (on_cpu(s)) return record<SumOfSquares>({}, mx::float32, std::move(constants), s);
    auto total = mx::array(0.0f);
    for (const auto &a : constants) total = mx::add(total, mx::sum(mx::square(mx::astype(a, mx::float32, s), s), s), s);
    return total;
}

}  // namespace cmlx
