// The kernels as plain MLX operations; composed.hpp says when they run.
#include "composed.hpp"
#include <cmath>
#include <memory>

namespace cmlx::composed {

namespace {
mx::array f32(const mx::array &x, mx::Stream s) { return mx::astype(x, mx::float32, s); }
mx::array scalar(float value, mx::Dtype type) { return mx::array(value, type); }
}  // namespace

mx::array half(const mx::array &x, int part, mx::Stream s) {
    mx::Shape start(x.ndim(), 0), stop = x.shape();
    const int width = stop.back() / 2;
    start.back() = part * width;
    stop.back() = start.back() + width;
    return mx::slice(x, start, stop, s);
}

mx::array activation(const mx::array &x, cmlx_activation kind, float parameter, mx::Stream s) {
    const auto type = x.dtype();
    const auto y = f32(x, s);
    const auto constant = [](float value) { return scalar(value, mx::float32); };
    const auto finish = [&](const mx::array &a) { return mx::astype(a, type, s); };
    switch (kind) {
    case CMLX_ACTIVATION_NONE:
        return x;
    case CMLX_ACTIVATION_GELU: {
        const auto one_plus = mx::add(mx::erf(mx::multiply(y, constant(float(M_SQRT1_2)), s), s), constant(1), s);
        return finish(mx::multiply(mx::multiply(y, constant(0.5f), s), one_plus, s));
    }
    case CMLX_ACTIVATION_QUICK_GELU:
        return finish(mx::multiply(y, mx::sigmoid(mx::multiply(y, constant(1.702f), s), s), s));
    case CMLX_ACTIVATION_RELU:
        return finish(mx::maximum(y, constant(0), s));
    case CMLX_ACTIVATION_SILU:
        return finish(mx::multiply(y, mx::sigmoid(y, s), s));
    case CMLX_ACTIVATION_LEAKY_RELU:
        return finish(mx::where(mx::greater(y, constant(0), s), y, mx::multiply(y, constant(parameter), s), s));
    }
    throw std::invalid_argument("unknown activation");
}

mx::array linear(const mx::array &x, const mx::array &weight, const Optional &bias, cmlx_activation kind,
                 const Optional &residual, mx::Dtype output, mx::Stream s) {
    const auto product = mx::matmul(mx::astype(x, weight.dtype(), s), mx::transpose(weight, s), s);
    return finish_linear(product, bias, kind, residual, output, s);
}

mx::array finish_linear(const mx::array &product, const Optional &bias, cmlx_activation kind, const Optional &residual,
                        mx::Dtype output, mx::Stream s) {
    if (!bias && kind == CMLX_ACTIVATION_NONE && !residual) return mx::astype(product, output, s);
    auto y = f32(product, s);
    if (bias) y = mx::add(y, f32(*bias, s), s);
    y = activation(y, kind, 0, s);
    if (residual) y = mx::add(y, f32(*residual, s), s);
    return mx::astype(y, output, s);
}

mx::array matmul(const mx::array &a, const mx::array &b, bool transpose_a, bool transpose_b, mx::Dtype output,
                 mx::Stream s) {
    const auto left = transpose_a ? mx::swapaxes(a, -1, -2, s) : a;
    const auto right = transpose_b ? mx::swapaxes(b, -1, -2, s) : b;
    return mx::astype(mx::matmul(left, right, s), output, s);
}

mx::array attention(const mx::array &q, const mx::array &k, const mx::array &v, float scale, bool causal,
                    mx::Stream s) {
    const auto heads_first = [&](const mx::array &a) { return mx::swapaxes(mx::astype(a, q.dtype(), s), 1, 2, s); };
    const auto y = mx::fast::scaled_dot_product_attention(heads_first(q), heads_first(k), heads_first(v), scale,
                                                          causal ? "causal" : "", {}, {}, false, s);
    return mx::swapaxes(y, 1, 2, s);
}

namespace {
/// One call a segment, for segments of lengths too different to be padded.
mx::array attention_by_segment(const mx::array &q, const mx::array &k, const mx::array &v, float scale, bool causal,
                               const std::vector<int> &ends, mx::Stream s) {
    std::vector<mx::array> parts;
    for (size_t i = 1; i < ends.size(); i++) {
        if (ends[i] == ends[i - 1]) continue;
        const auto part = [&](const mx::array &a) {
            mx::Shape start(4, 0), stop = a.shape();
            start[1] = ends[i - 1];
            stop[1] = ends[i];
            return mx::slice(a, start, stop, s);
        };
        parts.push_back(attention(part(q), part(k), part(v), scale, causal, s));
    }
    return parts.empty() ? q : mx::concatenate(parts, 1, s);
}
}  // namespace

/// Segments side by side as a batch, the shorter ones padded: a call for all of them.
mx::array attention_packed(const mx::array &q, const mx::array &k, const mx::array &v, float scale, bool causal,
                           const AttentionLayout &layout, mx::Stream s) {
    const auto &ends = layout.ends;
    const int tokens = q.shape(1), segments = int(ends.size()) - 1;
    int longest = 0;
    for (int i = 0; i < segments; i++) longest = std::max(longest, ends[i + 1] - ends[i]);
    if (longest == 0) return q;
    const bool has_turns = !layout.turns.empty();
    if (!has_turns && int64_t(segments) * longest > 2 * int64_t(tokens) + 1024)
        return attention_by_segment(q, k, v, scale, causal, ends, s);

    std::vector<int> source(size_t(segments) * longest), back;  // token of each place, place of each token
    back.reserve(tokens);
    const auto inside = std::make_unique<bool[]>(source.size());
    for (int i = 0; i < segments; i++) {
        for (int j = 0; j < longest; j++) {
            const int place = i * longest + j;
            inside[place] = ends[i] + j < ends[i + 1];
            source[place] = std::min(ends[i] + j, tokens - 1);
            if (inside[place]) back.push_back(place);
        }
    }
    const bool even = back.size() == source.size();
    const mx::array places(source.begin(), {segments, longest});
    const auto batch = [&](const mx::array &a) {
        const auto rows = mx::squeeze(mx::astype(a, q.dtype(), s), 0, s);
        return mx::swapaxes(even ? mx::reshape(rows, {segments, longest, a.shape(2), a.shape(3)}, s)
                                 : mx::take(rows, places, 0, s),
                            1, 2, s);
    };
    // After its own tokens a segment has only padding, which a causal query does not see.
    std::optional<mx::array> mask;
    if (!causal && !even) mask = mx::array(inside.get(), {segments, 1, 1, longest}, mx::bool_);
    if (has_turns) {
        const int64_t square = int64_t(longest) * longest;
        const auto seen = std::make_unique<bool[]>(size_t(segments * square));
        for (int i = 0; i < segments; i++) {
            const int first = ends[i], shared = layout.first_turn(size_t(i) + 1) - first;
            for (int query = 0; query < longest; query++) {
                const int start = first + query < ends[i + 1] ? layout.turn_starts[size_t(first + query)] : 0;
                for (int key = 0; key <= query; key++)
                    seen[size_t(i * square + int64_t(query) * longest + key)] = key < shared || key >= start;
            }
        }
        mask = mx::array(seen.get(), {segments, 1, longest, longest}, mx::bool_);
    }
    const auto y = mx::fast::scaled_dot_product_attention(batch(q), batch(k), batch(v), scale, mask || !causal ? "" : "causal",
                                                          mask, {}, false, s);
    const auto rows = mx::reshape(mx::swapaxes(y, 1, 2, s), {segments * longest, q.shape(2), v.shape(3)}, s);
    return mx::expand_dims(even ? rows : mx::take(rows, mx::array(back.begin(), {tokens}), 0, s), 0, s);
}

mx::array attention_scores(const mx::array &q, const mx::array &k, float scale, mx::Stream s) {
    const int queries = q.shape(0), heads = q.shape(1), width = q.shape(2), keys = k.shape(0), groups = k.shape(1);
    const auto rows = mx::reshape(mx::transpose(f32(q, s), {1, 0, 2}, s), {groups, heads / groups * queries, width}, s);
    const auto columns = mx::transpose(f32(k, s), {1, 2, 0}, s);  // [groups, width, keys]
    const auto scores = mx::multiply(mx::matmul(rows, columns, s), scalar(scale, mx::float32), s);
    return mx::mean(mx::reshape(mx::softmax(scores, -1, true, s), {heads * queries, keys}, s), 0, false, s);
}

mx::array rms_norm(const mx::array &x, const mx::array &weight, float eps, mx::Dtype output, mx::Stream s) {
    const auto y = mx::fast::rms_norm(f32(x, s), f32(weight, s), eps, s);
    return mx::astype(y, output, s);
}

mx::array layer_norm(const mx::array &x, const Optional &weight, const Optional &bias, float eps, mx::Dtype output,
                     mx::Stream s) {
    const auto wide = [&](const Optional &a) { return a ? Optional(f32(*a, s)) : Optional(); };
    return mx::astype(mx::fast::layer_norm(f32(x, s), wide(weight), wide(bias), eps, s), output, s);
}

mx::array swiglu(const mx::array &gate, const mx::array &up, mx::Stream s) {
    const auto product = mx::multiply(activation(f32(gate, s), CMLX_ACTIVATION_SILU, 0, s), f32(up, s), s);
    return mx::astype(product, gate.dtype(), s);
}

mx::array rotary(const mx::array &x, const mx::array &cos, const mx::array &sin, mx::Stream s) {
    const auto table = [&](const mx::array &a) { return mx::expand_dims(f32(a, s), 1, s); };  // [L, 1, D/2]
    const auto c = table(cos), n = table(sin), x1 = f32(half(x, 0, s), s), x2 = f32(half(x, 1, s), s);
    const auto y1 = mx::subtract(mx::multiply(x1, c, s), mx::multiply(x2, n, s), s);
    const auto y2 = mx::add(mx::multiply(x2, c, s), mx::multiply(x1, n, s), s);
    return mx::astype(mx::concatenate({y1, y2}, -1, s), x.dtype(), s);
}

mx::array conv1d(const mx::array &x, const mx::array &weight, const Optional &bias, int stride, int padding,
                 int dilation, cmlx_activation kind, mx::Stream s) {
    const auto kernel = mx::transpose(mx::astype(weight, x.dtype(), s), {0, 2, 1}, s);
    auto y = f32(mx::conv1d(x, kernel, stride, padding, dilation, 1, s), s);
    if (bias) y = mx::add(y, f32(*bias, s), s);
    return mx::astype(activation(y, kind, 0, s), x.dtype(), s);
}

mx::array conv_transposed1d(const mx::array &x, const mx::array &weight, const Optional &bias, int stride, int padding,
                            mx::Stream s) {
    const auto kernel = mx::transpose(mx::astype(weight, x.dtype(), s), {1, 2, 0}, s);
    auto y = f32(mx::conv_transpose1d(x, kernel, stride, padding, 1, 0, 1, s), s);
    if (bias) y = mx::add(y, f32(*bias, s), s);
    return mx::astype(y, x.dtype(), s);
}

}  // namespace cmlx::composed
