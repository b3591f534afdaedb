// Connectionist temporal classification (Graves et al. 2006): the probability of all ways in which frames spell a sequence
// of targets, by the forward-backward algorithm on logarithms, and its gradient: softmax minus how likely each class is
// occupied.
//
// A path visits the states blank, target 0, blank, target 1, ... blank. Each frame's values are held relative to the frame
// before's highest, which is summed up in float64, so that float32 is exact enough however long the recording is.
#include <cmath>
#include "log_sum.hpp"
#include "losses.hpp"
#include "scratch.hpp"

namespace cmlx {

namespace {

using simd::f32;
using simd::width;
constexpr int64_t border = width;  // of -infinity, on either side of a row of states

/// One sample: its frames, targets, and what is kept of them.
struct Sample {
    int64_t frames, targets, classes;
    int32_t blank;
    Source logits;
    int64_t logits_at, logits_stride;
    const int32_t *labels;
    const float *log_sums;  // [frames]
    float *forward;         // [frames][row()]
    float *rises;           // [frames]: highest value of each row

    int64_t states() const { return 2 * targets + 1; }
    static int64_t row(int64_t targets) { return 2 * targets + 1 + 3 * border; }
    float *forward_row(int64_t t) const { return forward + t * row(targets) + border; }
    int32_t label(int64_t state) const { return state % 2 == 0 ? blank : labels[state / 2]; }
    /// States that a path can be in at frame t, coming from the start and still reaching the end.
    int64_t low(int64_t t) const { return std::max<int64_t>(0, states() - 2 * (frames - t)); }
    int64_t high(int64_t t) const { return std::min(states() - 1, 2 * t + 1); }

    /// Log probability of ending in one of the last two states, relative as the last row is.
    double last_frame() const {
        const float *last = forward_row(frames - 1) + states() - 1;
        const double a = last[0], b = targets > 0 ? last[-1] : -INFINITY, top = std::max(a, b);
        return top + std::log(std::exp(a - top) + std::exp(b - top));
    }
    bool is_sound() const {
        for (int64_t i = 0; i < targets; i++)
            if (labels[i] < 0 || labels[i] >= classes) return false;
        for (int64_t t = 0; t < frames; t++)
            if (!std::isfinite(log_sums[t])) return false;
        return true;
    }
    bool is_possible() const {
        int64_t needed = targets;
        for (int64_t i = 1; i < targets; i++) needed += labels[i] == labels[i - 1];
        return needed <= frames;
    }
};

/// Working rows of states with a border, and per state whether the one two before it may be skipped to (0 or -infinity).
struct Work {
    float *skip, *scores, *first, *second, *slopes;
    Work(const Sample &s) {
        const int64_t row = Sample::row(s.targets);
        const auto carve = [&](Pieces pieces) {
            for (float **p : {&skip, &scores, &first, &second}) *p = pieces.take<float>(row) + border;
            slopes = pieces.take<float>(s.classes + width);
            return pieces.used();
        };
        carve(Pieces(scratch(carve(Pieces(nullptr)))));
        for (float *p : {skip, scores, first, second}) std::fill(p - border, p - border + row, -INFINITY);
        for (int64_t i = 3; i < s.states(); i += 2)
            if (s.label(i) != s.label(i - 2)) skip[i] = 0;
    }
};

/// log(e^a + e^b + e^c); -infinity where all are.
ALWAYS_INLINE inline f32 log_add(f32 a, f32 b, f32 c) {
    const f32 top = simd::max(c, simd::max(a, b));
    const auto part = [&](f32 x) ALWAYS_INLINE { return x == top ? simd::splat(1) : simd::exp(x - top); };
    return top + simd::log(part(a) + part(b) + part(c));
}

/// Log probabilities of the states' classes at frame t.
ALWAYS_INLINE inline void score(const Sample &s, int64_t t, float *scores) {
    const int64_t at = s.logits_at + t * s.logits_stride;
    const float silent = s.logits.load(at + s.blank, 1)[0] - s.log_sums[t];
    for (int64_t i = s.low(t); i <= s.high(t); i++)
        scores[i] = i % 2 == 0 ? silent : s.logits.load(at + s.labels[i / 2], 1)[0] - s.log_sums[t];
}

/// Stores a vector of states from i on, of which those after `high` are none; returns the highest so far.
ALWAYS_INLINE inline f32 store_states(float *row, int64_t i, int64_t high, f32 value, f32 highest) {
    const f32 kept = simd::keep(value, high - i + 1, -INFINITY);
    simd::store(row + i, kept);
    return simd::max(kept, highest);
}

/// Minus the log probability; infinity where impossible.
ALWAYS_INLINE inline float forward(const Sample &s) {
    if (!s.is_sound()) return NAN;
    if (!s.is_possible()) return INFINITY;
    if (s.frames == 0) return 0;
    const Work work(s);
    double level = 0;  // what the current row is relative to
    for (int64_t t = 0; t < s.frames; t++) {
        float *now = s.forward_row(t);
        std::fill(now - border, now - border + Sample::row(s.targets), -INFINITY);
        score(s, t, work.scores);
        const int64_t low = s.low(t), high = s.high(t);
        f32 highest = simd::splat(-INFINITY);
        if (t == 0) {
            for (int64_t i = low; i <= high; i++) now[i] = work.scores[i];
            for (int64_t i = low; i <= high; i++) highest = simd::max(highest, simd::splat(now[i]));
        } else {
            const float *before = s.forward_row(t - 1), rise = s.rises[t - 1];
            level += rise;
            for (int64_t i = low; i <= high; i += width) {
                const f32 sum = log_add(simd::load(before + i) - rise, simd::load(before + i - 1) - rise,
                                        simd::load(before + i - 2) - rise + simd::load(work.skip + i));
                highest = store_states(now, i, high, sum + simd::load(work.scores + i), highest);
            }
        }
        s.rises[t] = simd::highest(highest);
        if (s.rises[t] == -INFINITY) return INFINITY;  // a class has probability 0
    }
    return float(-(level + s.last_frame()));
}

/// Writes the gradient's rows of a sample whose loss is finite.
ALWAYS_INLINE inline void backward(const Sample &s, float upstream, const Target &out, int64_t out_at) {
    if (s.frames == 0) return;
    const Work work(s);
    double before = 0, after = 0;  // what frame t's rows are relative to, forward and backward
    for (int64_t t = 0; t + 1 < s.frames; t++) before += s.rises[t];
    const double all = before + s.last_frame();
    float *now = work.first, *next = work.second;  // now: log probability of what follows a state
    for (int64_t t = s.frames - 1; t >= 0; t--) {
        const int64_t low = s.low(t), high = s.high(t);
        if (t == s.frames - 1) {
            for (int64_t i = low; i <= high; i++) now[i] = 0;
        } else {
            // `next` becomes what follows frame t with the scores of frame t + 1, relative to its highest.
            f32 highest = simd::splat(-INFINITY);
            const int64_t from = s.low(t + 1), to = s.high(t + 1);
            for (int64_t i = from; i <= to; i += width)
                highest = store_states(next, i, to, simd::load(next + i) + simd::load(work.scores + i), highest);
            const float rise = simd::highest(highest);
            after += rise;
            for (int64_t i = low; i <= high; i += width) {
                const f32 sum = log_add(simd::load(next + i) - rise, simd::load(next + i + 1) - rise,
                                        simd::load(next + i + 2) - rise + simd::load(work.skip + i + 2));
                store_states(now, i, high, sum, highest);
            }
        }
        const int64_t at = s.logits_at + t * s.logits_stride;
        for (int64_t c = 0; c < s.classes; c += width) {
            const f32 v = s.logits.load(at + c, int(std::min<int64_t>(width, s.classes - c))) - s.log_sums[t];
            simd::store(work.slopes + c, v == simd::splat(-INFINITY) ? f32{} : simd::exp(v));
        }
        score(s, t, work.scores);  // for the frame before
        const float *reached = s.forward_row(t);
        const float level = float(before + after - all);
        for (int64_t i = low; i <= high; i += width) {
            float shares[width];
            const f32 v = simd::load(reached + i) + simd::load(now + i) + level;
            simd::store(shares, v == simd::splat(-INFINITY) ? f32{} : simd::exp(v));
            for (int64_t j = 0; j < std::min<int64_t>(width, high - i + 1); j++)
                work.slopes[s.label(i + j)] -= shares[j];
        }
        for (int64_t c = 0; c < s.classes; c += width)
            out.store(out_at + t * s.classes + c, simd::load(work.slopes + c) * upstream,
                      int(std::min<int64_t>(width, s.classes - c)));
        if (t > 0) before -= s.rises[t - 1];
        std::swap(now, next);
        std::fill(now - border, now - border + Sample::row(s.targets), -INFINITY);
    }
}

struct Settings {
    std::vector<int> starts;
    std::vector<Extent> extents;
    int blank;
    bool zero_infinity;
    bool operator==(const Settings &) const = default;

    /// Where each sample's rows of states begin.
    std::vector<int64_t> offsets() const {
        std::vector<int64_t> result = {0};
        for (const auto &e : extents) result.push_back(result.back() + e.first * Sample::row(e.second));
        return result;
    }
    Sample sample(size_t b, const mx::array &logits, const mx::array &targets, const mx::array &log_sums,
                  const mx::array &states, const mx::array &rises, const std::vector<int64_t> &offsets) const {
        const int64_t at = starts[b];
        const auto rows = rows_of(logits);
        return {extents[b].first,
                extents[b].second,
                rows.width,
                blank,
                source(logits),
                at * rows.stride,
                rows.stride,
                targets.data<int32_t>() + int64_t(b) * targets.shape(1),
                log_sums.data<float>() + at,
                const_cast<float *>(states.data<float>()) + offsets[b],
                const_cast<float *>(rises.data<float>()) + at};
    }
};

/// Inputs: logits, targets, log sums, states, rises, losses, upstream gradient. Output: gradient of the logits.
class CTCGradient : public KernelPrimitive {
public:
    CTCGradient(mx::Stream s, Settings settings) : KernelPrimitive(s), settings_(std::move(settings)) {}
    const char *name() const override { return "LyraCTCGradient"; }
    bool is_equivalent(const mx::Primitive &other) const override {
        return settings_ == static_cast<const CTCGradient &>(other).settings_;
    }

    void eval_cpu(const std::vector<mx::array> &inputs, std::vector<mx::array> &outputs) override {
        auto logits = as_rows(inputs[0]), targets = view(inputs[1]), log_sums = view(inputs[2]);
        auto states = view(inputs[3]), rises = view(inputs[4]), losses = view(inputs[5]);
        auto upstream = as_contiguous(inputs[6], mx::float32), out = allocate(outputs[0]);
        enqueue([=, settings = settings_]() mutable {
            const auto offsets = settings.offsets();
            const auto to = target(out);
            const int64_t samples = int64_t(settings.extents.size()), classes = out.shape(1);
            parallel_tasks(size_t(samples), [&](size_t b, int) {
                const Sample s = settings.sample(b, logits, targets, log_sums, states, rises, offsets);
                const float loss = losses.data<float>()[b], scale = upstream.data<float>()[b];
                const int64_t at = settings.starts[b] * classes, used = at + s.frames * classes;
                // Rows of no sample have no slope; those of an impossible one have none or an undefined one.
                const int64_t begin = b == 0 ? 0 : at;
                const int64_t end = int64_t(b) + 1 < samples ? settings.starts[b + 1] * classes : int64_t(out.size());
                const bool finite = std::isfinite(loss);
                const float rest = std::isnan(loss) || (loss == INFINITY && !settings.zero_infinity) ? NAN : 0;
                simd::dispatch([&](auto) ALWAYS_INLINE {
                    const auto fill = [&](int64_t begin, int64_t end, float value) ALWAYS_INLINE {
                        for (int64_t i = begin; i < end; i += width)
                            to.store(i, simd::splat(value), int(std::min<int64_t>(width, end - i)));
                    };
                    fill(begin, at, 0);
                    if (finite)
                        backward(s, scale, to, at);
                    else
                        fill(at, used, rest);
                    fill(used, end, 0);
                });
            });
        });
    }

private:
    const Settings settings_;
};

/// Inputs: logits [N, C], targets [B, U]. Outputs: losses [B], and for the gradient log sums [N], states, rises [N];
/// impossible samples have infinite losses here.
class CTC : public KernelPrimitive {
public:
    CTC(mx::Stream s, Settings settings) : KernelPrimitive(s), settings_(std::move(settings)) {}
    const char *name() const override { return "LyraCTC"; }
    bool is_equivalent(const mx::Primitive &other) const override {
        return settings_ == static_cast<const CTC &>(other).settings_;
    }

    void eval_cpu(const std::vector<mx::array> &inputs, std::vector<mx::array> &outputs) override {
        auto logits = as_rows(inputs[0]), targets = view(inputs[1]);
        auto losses = allocate(outputs[0]), log_sums = allocate(outputs[1]);
        auto states = allocate(outputs[2]), rises = allocate(outputs[3]);
        enqueue([=, settings = settings_]() mutable {
            const auto rows = rows_of(logits);
            const auto in = source(logits);
            float *logs = log_sums.data<float>();
            parallel_ranges(size_t(rows.count), size_t(8192 / std::max<int64_t>(1, rows.width) + 1),
                            [=](size_t begin, size_t end) {
                simd::dispatch([=](auto) ALWAYS_INLINE {
                    for (size_t row = begin; row < end; row++)
                        logs[row] = float(LogSum::of(in, int64_t(row) * rows.stride, rows.width).value());
                });
            });
            const auto offsets = settings.offsets();
            parallel_tasks(settings.extents.size(), [&](size_t b, int) {
                const Sample s = settings.sample(b, logits, targets, log_sums, states, rises, offsets);
                simd::dispatch([&](auto) ALWAYS_INLINE { losses.data<float>()[b] = forward(s); });
            });
        });
    }

    std::vector<mx::array> vjp(const std::vector<mx::array> &primals, const std::vector<mx::array> &cotangents,
                               const std::vector<int> &wanted, const std::vector<mx::array> &outputs) override {
        std::vector<mx::array> result;
        for (int i : wanted) {
            if (i != 0) throw std::invalid_argument("ctcLoss has no gradient in its targets");
            result.push_back(record<CTCGradient>(
                primals[0].shape(), primals[0].dtype(),
                {primals[0], primals[1], outputs[1], outputs[2], outputs[3], outputs[0], cotangents[0]}, stream(),
                settings_));
        }
        return result;
    }

private:
    const Settings settings_;
};

}  // namespace

mx::array ctc_loss(const mx::array &logits, const mx::array &targets, std::vector<int> starts,
                   std::vector<Extent> extents, int blank, bool zero_infinity, mx::Stream s) {
    s = recursion_stream(s);
    const auto labels = indices(targets, s);
    if (!on_cpu(s)) return composed::ctc_loss(logits, labels, starts, extents, blank, zero_infinity, s);
    const Settings settings{std::move(starts), std::move(extents), blank, zero_infinity};
    const int64_t size = settings.offsets().back();
    if (size > INT32_MAX) throw std::invalid_argument("ctcLoss: more than 2^31 frames times targets in a batch");
    const int batch = targets.shape(0), rows = logits.shape(0);
    const auto losses = mx::array::make_arrays({{batch}, {rows}, {int(size)}, {rows}},
                                               {mx::float32, mx::float32, mx::float32, mx::float32},
                                               std::make_shared<CTC>(s, settings), {logits, labels})[0];
    if (!zero_infinity) return losses;
    return mx::where(mx::isinf(losses, s), mx::array(0.0f), losses, s);
}

}  // namespace cmlx
