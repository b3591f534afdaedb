// The losses as plain MLX operations; composed.hpp says when they run. Recursions are one operation a step, so that their
// graphs are long, and float32; where nothing leads, a number large enough stands for infinity, which has no gradient.
#include <cmath>
#include <limits>
#include "losses.hpp"

namespace cmlx::composed {

namespace {

constexpr float far = 1e30f;

mx::array scalar(float value) { return mx::array(value); }
mx::array f32(const mx::array &x, mx::Stream s) { return mx::astype(x, mx::float32, s); }

/// Moves a row's elements up by `count`; `fill` comes in.
mx::array shifted(const mx::array &rows, int count, float fill, mx::Stream s) {
    const auto padded = mx::pad(rows, std::vector<int>{1}, mx::Shape{count}, mx::Shape{0}, scalar(fill), "constant", s);
    return mx::slice(padded, {0, 0}, {rows.shape(0), rows.shape(1)}, s);
}

/// Element [b, i, j] of [B, N, M] for each sample, as [B].
mx::array picked(const mx::array &a, const std::vector<std::pair<int, int>> &places, mx::Stream s) {
    std::vector<mx::array> parts;
    for (int b = 0; b < a.shape(0); b++) {
        const auto [i, j] = places[size_t(b)];
        parts.push_back(mx::reshape(mx::slice(a, {b, i, j}, {b + 1, i + 1, j + 1}, s), {1}, s));
    }
    return mx::concatenate(parts, 0, s);
}

}  // namespace

mx::array cross_entropy(const mx::array &logits, const mx::array &targets, mx::Stream s) {
    const auto x = f32(logits, s);
    const auto last = mx::array(logits.shape(-1) - 1);
    const auto index = mx::expand_dims(mx::clip(targets, mx::array(0), last, s), -1, s);
    const auto at = mx::squeeze(mx::take_along_axis(x, index, -1, s), -1, s);
    const auto loss = mx::subtract(mx::logsumexp(x, -1, false, s), at, s);
    const auto sound = mx::where(mx::greater(targets, last, s), scalar(NAN), loss, s);
    return mx::where(mx::less(targets, mx::array(0), s), scalar(0), sound, s);
}

mx::array soft_dtw(const mx::array &cost, const std::vector<Extent> &extents, float gamma, mx::Stream s) {
    const int batch = cost.shape(0), rows = cost.shape(1), columns = cost.shape(2), diagonals = rows + columns - 1;
    std::vector<int> from;
    for (int k = 0; k < diagonals; k++)
        for (int i = 0; i < columns; i++) from.push_back(k - i);
    const mx::array wanted(from.data(), {1, diagonals, columns});
    const auto index = mx::clip(wanted, mx::array(0), mx::array(rows - 1), s);
    const auto gathered = mx::take_along_axis(
        f32(cost, s), mx::broadcast_to(index, {batch, diagonals, columns}, s), 1, s);
    const auto skewed = mx::where(mx::equal(wanted, index, s), gathered, scalar(far), s);
    auto one = mx::full({batch, columns}, scalar(far), s), two = one;
    std::vector<mx::array> all;
    for (int k = 0; k < diagonals; k++) {
        const auto before = mx::stack({one, shifted(one, 1, far, s), shifted(two, 1, k == 0 ? 0 : far, s)}, 0, s);
        const auto low = mx::multiply(mx::logsumexp(mx::multiply(before, scalar(-1 / gamma), s), 0, false, s),
                                      scalar(-gamma), s);
        const auto costs = mx::squeeze(mx::slice(skewed, {0, k, 0}, {batch, k + 1, columns}, s), 1, s);
        two = std::exchange(one, mx::add(costs, low, s));
        all.push_back(one);
    }
    std::vector<std::pair<int, int>> ends;
    for (const auto &e : extents) ends.push_back({e.first + e.second - 2, e.second - 1});
    return picked(mx::stack(all, 1, s), ends, s);
}

mx::array ctc_loss(const mx::array &logits, const mx::array &targets, const std::vector<int> &starts,
                   const std::vector<Extent> &extents, int blank, bool zero_infinity, mx::Stream s) {
    const int batch = targets.shape(0), classes = logits.shape(1);
    const int length = targets.shape(1), states = 2 * length + 1;
    int frames = 0;
    for (const auto &e : extents) frames = std::max(frames, e.first);
    std::vector<mx::array> samples;  // padded to the same number of frames
    for (size_t b = 0; b < extents.size(); b++) {
        const int begin = starts[b], count = extents[b].first;
        const auto rows = mx::slice(f32(logits, s), {begin, 0}, {begin + count, classes}, s);
        samples.push_back(mx::pad(rows, {{0, frames - count}, {0, 0}}, scalar(0), "constant", s));
    }
    if (samples.empty()) return mx::zeros({0}, mx::float32, s);
    const auto x = mx::stack(samples, 0, s);  // [batch, frames, classes]
    const auto scores = mx::subtract(x, mx::logsumexp(x, -1, true, s), s);
    // blank, target, blank, target, ... blank
    const auto labels = mx::clip(targets, mx::array(0), mx::array(classes - 1), s);
    const auto pairs = mx::stack({mx::full({batch, length}, mx::array(blank), s), labels}, 2, s);
    const auto path = mx::concatenate(
        {mx::reshape(pairs, {batch, 2 * length}, s), mx::full({batch, 1}, mx::array(blank), s)}, 1, s);
    const auto before = shifted(f32(path, s), 2, float(blank), s);
    const auto fresh = mx::logical_and(mx::not_equal(path, mx::array(blank), s),
                                       mx::not_equal(f32(path, s), before, s), s);
    const auto skip = mx::where(fresh, scalar(0), scalar(-far), s);
    const auto steps = mx::take_along_axis(
        scores, mx::broadcast_to(mx::expand_dims(path, 1, s), {batch, frames, states}, s), 2, s);
    std::vector<mx::array> rows;
    for (int t = 0; t < frames; t++) {
        const auto here = mx::squeeze(mx::slice(steps, {0, t, 0}, {batch, t + 1, states}, s), 1, s);
        if (t == 0) {
            const auto open = mx::where(mx::less(mx::arange(states, s), mx::array(2), s), scalar(0), scalar(-far), s);
            rows.push_back(mx::add(here, open, s));
            continue;
        }
        const auto &last = rows.back();
        const auto ways = mx::stack(
            {last, shifted(last, 1, -far, s), mx::add(shifted(last, 2, -far, s), skip, s)}, 0, s);
        rows.push_back(mx::add(here, mx::logsumexp(ways, 0, false, s), s));
    }
    std::vector<std::pair<int, int>> ends, others;
    std::vector<float> empty;  // samples without frames: 0 where nothing is to be spelled
    for (const auto &e : extents) {
        ends.push_back({std::max(0, e.first - 1), 2 * e.second});
        others.push_back({std::max(0, e.first - 1), std::max(0, 2 * e.second - 1)});
        empty.push_back(e.first > 0 ? NAN : e.second > 0 ? INFINITY : 0);
    }
    std::vector<float> single;  // without targets there is one last state only
    for (const auto &e : extents) single.push_back(e.second > 0 ? 0 : -far);
    const auto vector = [&](const std::vector<float> &v) { return mx::array(v.data(), {batch}); };
    auto loss = mx::full({batch}, scalar(0), s);
    if (frames > 0) {
        const auto table = mx::stack(rows, 1, s);
        const auto other = mx::add(picked(table, others, s), vector(single), s);
        loss = mx::negative(mx::logaddexp(picked(table, ends, s), other, s), s);
    }
    loss = mx::where(mx::greater(loss, scalar(far / 2), s), scalar(INFINITY), loss, s);
    loss = mx::where(mx::isnan(vector(empty), s), loss, vector(empty), s);
    if (zero_infinity) loss = mx::where(mx::isinf(loss, s), scalar(0), loss, s);
    std::vector<int> used;
    for (const auto &e : extents)
        for (int i = 0; i < length; i++) used.push_back(i < e.second);
    if (length == 0) return loss;
    const auto wrong = mx::logical_and(mx::not_equal(labels, targets, s),
                                       mx::greater(mx::array(used.data(), {batch, length}), mx::array(0), s), s);
    return mx::where(mx::any(wrong, 1, false, s), scalar(NAN), loss, s);
}

}  // namespace cmlx::composed
