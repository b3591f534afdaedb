// Soft dynamic time warping (Cuturi and Blondel 2017): the soft minimum over all monotone paths through a matrix of costs,
// and its gradient, which is how likely a path visits each cell.
//
// D[l, s] = cost[l, s] + softmin(D[l, s - 1], D[l - 1, s], D[l - 1, s - 1]) goes by anti-diagonals, whose cells do not
// depend on each other. D is float64, since gamma may be small beside it. What is kept for the gradient is not D but the
// shares with which the three predecessors enter each cell, which need no more than float32.
#include <cmath>
#include "elements.hpp"
#include "losses.hpp"
#include "scratch.hpp"

namespace cmlx {

namespace {

using simd::f32;
using simd::f64;
using simd::width;

/// A sample's matrix, seen along its longer and its shorter axis. Diagonal k holds the cells (k - i, i), i along the
/// shorter axis.
struct Matrix {
    int64_t longer, shorter;
    int64_t outer, inner;  // elements between neighbours along the longer and the shorter axis

    Matrix(Extent e, int64_t row)
        : longer(std::max(e.first, e.second)),
          shorter(std::min(e.first, e.second)),
          outer(e.first >= e.second ? row : 1),
          inner(e.first >= e.second ? 1 : row) {}

    int64_t diagonals() const { return longer + shorter - 1; }
    int64_t first(int64_t k) const { return std::max<int64_t>(0, k - longer + 1); }
    int64_t last(int64_t k) const { return std::min(shorter - 1, k); }
    int64_t size(int64_t k) const { return last(k) - first(k) + 1; }
    int64_t offset(int64_t k, int64_t i) const { return (k - i) * outer + i * inner; }
    /// Of the shares: diagonal after diagonal, with room for what the last vector stores beyond its end.
    int64_t share_count() const { return longer * shorter + width; }
};

/// Shares of the predecessor along the longer and along the shorter axis; the rest is the diagonal one's.
struct Shares {
    float *outer, *inner;
};

/// Three diagonals of `shorter` values with a border on either side.
struct Diagonals {
    int64_t stride;
    double *memory;
    Diagonals(const Matrix &m, double fill) : stride(m.shorter + 2 * width), memory() {
        memory = static_cast<double *>(scratch(size_t(3 * stride) * sizeof(double)));
        std::fill(memory, memory + 3 * stride, fill);
    }
    /// Element -1 is the border.
    double *operator[](int64_t k) const { return memory + (k + 3) % 3 * stride + 1; }
};

/// e^((low - x) / gamma), exactly 1 where x is low, even if infinite.
ALWAYS_INLINE inline f32 weight(f64 x, f64 low, float scale) {
    const f32 exponent = simd::narrowed(x == low ? f64{} : x - low) * -scale;
    const f32 result = simd::exp(exponent);
    return exponent < -87.0f ? f32{} : result;  // keeps NaN
}

ALWAYS_INLINE inline float forward(const Matrix &m, const float *cost, float gamma, Shares shares) {
    const Diagonals d(m, INFINITY);
    const float scale = 1 / gamma;
    d[-2][-1] = 0;  // the path's origin, seen from the first cell
    for (int64_t k = 0, at = 0; k < m.diagonals(); at += m.size(k), k++) {
        double *now = d[k];
        const double *one = d[k - 1], *two = d[k - 2];
        for (int64_t i = m.first(k), end = m.last(k) + 1; i < end; i += width) {
            const int64_t count = std::min<int64_t>(width, end - i);
            float costs[width] = {};
            for (int64_t j = 0; j < count; j++) costs[j] = cost[m.offset(k, i + j)];
            const f64 outer = simd::load(one + i), inner = simd::load(one + i - 1), both = simd::load(two + i - 1);
            const f64 low = simd::min(both, simd::min(outer, inner));
            const f32 by_outer = weight(outer, low, scale), by_inner = weight(inner, low, scale);
            const f32 total = by_outer + by_inner + weight(both, low, scale);
            const f64 value = simd::widened(simd::load(costs)) + (low - simd::widened(simd::log(total) * gamma));
            double values[width];
            simd::store(values, value);
            for (int64_t j = count; j < width; j++) values[j] = INFINITY;
            std::copy(values, values + width, now + i);
            const int64_t to = at + i - m.first(k);
            simd::store(shares.outer + to, by_outer / total);
            simd::store(shares.inner + to, by_inner / total);
        }
        if (k == 0) d[-2][-1] = INFINITY;
    }
    return float(d[m.diagonals() - 1][m.shorter - 1]);
}

ALWAYS_INLINE inline void backward(const Matrix &m, Shares shares, float upstream, float *gradient) {
    const Diagonals e(m, 0);  // how likely each cell is visited
    int64_t at = m.longer * m.shorter;  // where the shares of diagonal k + 1 begin
    int64_t after = at;                 // and of k + 2
    for (int64_t k = m.diagonals() - 1; k >= 0; k--) {
        double *now = e[k];
        const double *one = e[k + 1], *two = e[k + 2];
        const int64_t first = m.first(k), end = m.last(k) + 1;
        const int64_t one_at = at - m.first(k + 1), two_at = after - m.first(k + 2);
        for (int64_t i = first; i < end; i += width) {
            const int64_t count = std::min<int64_t>(width, end - i);
            double values[width] = {};
            if (k == m.diagonals() - 1) {
                values[0] = 1;
            } else {
                const auto share = [](const float *p) ALWAYS_INLINE { return simd::widened(simd::load(p)); };
                f64 sum = simd::load(one + i) * share(shares.outer + one_at + i) +
                          simd::load(one + i + 1) * share(shares.inner + one_at + i + 1);
                if (k + 2 < m.diagonals()) {
                    const f64 both = 1.0 - share(shares.outer + two_at + i + 1) - share(shares.inner + two_at + i + 1);
                    sum += simd::load(two + i + 1) * both;
                }
                simd::store(values, sum);
            }
            for (int64_t j = count; j < width; j++) values[j] = 0;
            std::copy(values, values + width, now + i);
            for (int64_t j = 0; j < count; j++) gradient[m.offset(k, i + j)] = float(values[j]) * upstream;
        }
        now[first - 1] = 0;
        after = at;
        at -= m.size(k);
    }
}

/// Where each sample's shares begin.
std::vector<int64_t> share_offsets(const std::vector<Extent> &extents) {
    std::vector<int64_t> result = {width};  // a vector before the first, for what the gradient reads beyond a diagonal
    for (const auto &e : extents) result.push_back(result.back() + Matrix(e, 0).share_count());
    return result;
}

/// Inputs: shares, values, upstream gradient. Output: gradient of the costs.
class SoftDTWGradient : public KernelPrimitive {
public:
    SoftDTWGradient(mx::Stream s, std::vector<Extent> extents) : KernelPrimitive(s), extents_(std::move(extents)) {}
    const char *name() const override { return "LyraSoftDTWGradient"; }
    bool is_equivalent(const mx::Primitive &other) const override {
        return extents_ == static_cast<const SoftDTWGradient &>(other).extents_;
    }

    void eval_cpu(const std::vector<mx::array> &inputs, std::vector<mx::array> &outputs) override {
        auto shares = view(inputs[0]), values = view(inputs[1]), upstream = as_contiguous(inputs[2], mx::float32);
        auto out = allocate(outputs[0]);
        enqueue([=, extents = extents_]() mutable {
            const auto offsets = share_offsets(extents);
            const int64_t row = out.shape(2), sample = out.shape(1) * row, half = shares.shape(1);
            parallel_tasks(extents.size(), [&](size_t b, int) {
                float *gradient = out.data<float>() + int64_t(b) * sample;
                std::fill(gradient, gradient + sample, 0.0f);
                if (values.data<float>()[b] == INFINITY) return;  // no path, no slope
                float *first = shares.data<float>() + offsets[b];
                simd::dispatch([&](auto) ALWAYS_INLINE {
                    backward(Matrix(extents[b], row), {first, first + half}, upstream.data<float>()[b], gradient);
                });
            });
        });
    }

private:
    const std::vector<Extent> extents_;
};

/// Input: costs [B, L, S]. Outputs: values [B], and the shares [2, ...] for the gradient.
class SoftDTW : public KernelPrimitive {
public:
    SoftDTW(mx::Stream s, std::vector<Extent> extents, float gamma)
        : KernelPrimitive(s), extents_(std::move(extents)), gamma_(gamma) {}
    const char *name() const override { return "LyraSoftDTW"; }
    bool is_equivalent(const mx::Primitive &other) const override {
        const auto &o = static_cast<const SoftDTW &>(other);
        return extents_ == o.extents_ && gamma_ == o.gamma_;
    }

    void eval_cpu(const std::vector<mx::array> &inputs, std::vector<mx::array> &outputs) override {
        auto cost = as_contiguous(inputs[0], mx::float32);
        auto values = allocate(outputs[0]), shares = allocate(outputs[1]);
        enqueue([=, extents = extents_, gamma = gamma_]() mutable {
            const auto offsets = share_offsets(extents);
            const int64_t row = cost.shape(2), sample = cost.shape(1) * row, half = shares.shape(1);
            for (int part = 0; part < 2; part++)  // read, though multiplied by 0
                for (size_t b = 0; b < offsets.size(); b++) {
                    float *end = shares.data<float>() + part * half + offsets[b];
                    std::fill(end - width, end, 0.0f);
                }
            parallel_tasks(extents.size(), [&](size_t b, int) {
                float *first = shares.data<float>() + offsets[b];
                simd::dispatch([&](auto) ALWAYS_INLINE {
                    values.data<float>()[b] = forward(Matrix(extents[b], row), cost.data<float>() + int64_t(b) * sample,
                                                      gamma, {first, first + half});
                });
            });
        });
    }

    std::vector<mx::array> vjp(const std::vector<mx::array> &primals, const std::vector<mx::array> &cotangents,
                               const std::vector<int> &wanted, const std::vector<mx::array> &outputs) override {
        std::vector<mx::array> result;
        if (!wanted.empty()) {
            const auto gradient = record<SoftDTWGradient>(primals[0].shape(), mx::float32,
                                                          {outputs[1], outputs[0], cotangents[0]}, stream(), extents_);
            result.push_back(mx::astype(gradient, primals[0].dtype(), stream()));
        }
        return result;
    }

private:
    const std::vector<Extent> extents_;
    const float gamma_;
};

}  // namespace

mx::array soft_dtw(const mx::array &cost, std::vector<Extent> extents, float gamma, mx::Stream s) {
    s = recursion_stream(s);
    if (!on_cpu(s)) return composed::soft_dtw(cost, extents, gamma, s);
    const int64_t size = share_offsets(extents).back();
    if (size > INT32_MAX) throw std::invalid_argument("softDTW: more than 2^31 cells in a batch");
    return mx::array::make_arrays({{cost.shape(0)}, {2, int(size)}}, {mx::float32, mx::float32},
                                  std::make_shared<SoftDTW>(s, std::move(extents), gamma), {cost})[0];
}

}  // namespace cmlx
