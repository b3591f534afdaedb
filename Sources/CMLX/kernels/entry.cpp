// The C entry points of the kernels: check shapes, then record the operation.
#include "entry.hpp"
#include <algorithm>
#include <cmath>
#include <functional>
#include "attention.hpp"
#include "convolution.hpp"
#include "elementwise.hpp"
#include "linear.hpp"
#include "norm.hpp"

using namespace cmlx;

int cmlx_kernel_matmul(cmlx_array a, cmlx_array b, bool transpose_a, bool transpose_b, cmlx_dtype output,
                       cmlx_array *out) {
    return produce(out, [&] {
        const auto &left = a->value, &right = b->value;
        require(
            left.ndim() >= 2 && right.ndim() >= 2 && (right.ndim() == 2 || left.ndim() == right.ndim()) &&
                left.shape(transpose_a ? -2 : -1) == right.shape(transpose_b ? -1 : -2) &&
                (right.ndim() == 2 ? left.ndim() == 2 || !transpose_a
                                   : std::equal(left.shape().begin(), left.shape().end() - 2, right.shape().begin())),
            "matmul: matrices whose inner axes agree, in equal batches; got", {&left, &right});
        return matmul(left, right, transpose_a, transpose_b, to_dtype(output), stream());
    });
}

int cmlx_kernel_attention(cmlx_array q, cmlx_array k, cmlx_array v, float scale, bool causal, bool int8,
                          cmlx_array *out) {
    return produce(out, [&] {
        const auto &Q = q->value, &K = k->value, &V = v->value;
        require(Q.ndim() == 4 && K.ndim() == 4 && K.shape() == V.shape() && Q.shape(0) == K.shape(0) &&
                    Q.shape(3) == K.shape(3) && K.shape(2) > 0 && Q.shape(2) % K.shape(2) == 0 && K.shape(1) > 0 &&
                    Q.shape(3) <= 512 && K.dtype() == V.dtype(),
                "attention: q [B, L, Hq, D], k and v [B, S, Hkv, D] of one type, Hkv divides Hq, D <= 512; got",
                {&Q, &K, &V});
        require(!causal || Q.shape(1) <= K.shape(1), "attention: causal with more queries than keys:", {&Q, &K});
        return attention(Q, K, V, scale, causal, int8, stream());
    });
}

int cmlx_kernel_attention_packed(cmlx_array q, cmlx_array k, cmlx_array v, float scale, bool causal,
                                 const int32_t *offsets, size_t count, const int32_t *turns, size_t turn_count,
                                 cmlx_array *out) {
    return produce(out, [&] {
        const auto &Q = q->value, &K = k->value, &V = v->value;
        require(Q.ndim() == 4 && K.ndim() == 4 && K.shape() == V.shape() && Q.shape(0) == 1 && K.shape(0) == 1 &&
                    Q.shape(1) == K.shape(1) && Q.shape(3) == K.shape(3) && K.shape(2) > 0 &&
                    Q.shape(2) % K.shape(2) == 0 && Q.shape(3) <= 512 && K.dtype() == V.dtype(),
                "attention: q [1, T, Hq, D], k and v [1, T, Hkv, D] of one type, Hkv divides Hq, D <= 512; got",
                {&Q, &K, &V});
        const std::vector<int> ends(offsets, offsets + count + 1);
        require(ends.front() == 0 && std::is_sorted(ends.begin(), ends.end()) && ends.back() == Q.shape(1),
                "attention: segments rise from 0 to the number of tokens; got others for", {&Q});
        const std::vector<int> starts(turns, turns + turn_count);
        require(starts.empty() || (causal && std::adjacent_find(starts.begin(), starts.end(), std::greater_equal<int>()) == starts.end() &&
                                   starts.front() >= 0 && starts.back() < Q.shape(1)),
                "attention: turns rise among the tokens, and attention is causal; got others for", {&Q});
        return attention_packed(Q, K, V, scale, causal, {ends, starts}, stream());
    });
}

int cmlx_kernel_attention_scores(cmlx_array q, cmlx_array k, float scale, cmlx_array *out) {
    return produce(out, [&] {
        const auto &Q = q->value, &K = k->value;
        require(Q.ndim() == 3 && K.ndim() == 3 && Q.shape(2) == K.shape(2) && K.shape(1) > 0 &&
                    Q.shape(1) % K.shape(1) == 0 && K.shape(0) > 0 && Q.shape(0) > 0 && Q.shape(2) <= 512,
                "attentionScores: q [Lq, Hq, D], k [S, Hkv, D], Hkv divides Hq, D <= 512; got", {&Q, &K});
        return attention_scores(Q, K, scale, stream());
    });
}

int cmlx_kernel_rms_norm(cmlx_array x, cmlx_array weight, float eps, cmlx_dtype output, cmlx_array *out) {
    return produce(out, [&] {
        const auto &a = x->value, &w = weight->value;
        require(a.ndim() >= 1 && w.shape() == mx::Shape{a.shape(-1)}, "rmsNorm: x [..., K], weight [K]; got", {&a, &w});
        return rms_norm(a, w, eps, to_dtype(output), stream());
    });
}

int cmlx_kernel_layer_norm(cmlx_array x, cmlx_array weight, cmlx_array bias, float eps, cmlx_dtype output,
                           cmlx_array *out) {
    return produce(out, [&] {
        const auto &a = x->value;
        for (auto *part : {weight, bias})
            require(a.ndim() >= 1 && (!part || part->value.shape() == mx::Shape{a.shape(-1)}),
                    "layerNorm: x [..., K], weight and bias [K]; got", {&a, part ? &part->value : &a});
        return layer_norm(a, optional(weight), optional(bias), eps, to_dtype(output), stream());
    });
}

int cmlx_kernel_swiglu(cmlx_array gate, cmlx_array up, cmlx_array *out) {
    return produce(out, [&] {
        const auto &g = gate->value;
        if (up)
            require(up->value.shape() == g.shape(), "swiglu: gate and up of one shape; got", {&g, &up->value});
        else
            require(g.ndim() >= 1 && g.shape(-1) % 2 == 0, "swiglu: an even last axis; got", {&g});
        return swiglu(g, optional(up), stream());
    });
}

int cmlx_kernel_activation(cmlx_array x, cmlx_activation kind, float parameter, cmlx_array *out) {
    return produce(out, [&] { return activation(x->value, kind, parameter, stream()); });
}

int cmlx_kernel_rotary(cmlx_array x, cmlx_array cos, cmlx_array sin, cmlx_array *out) {
    return produce(out, [&] {
        const auto &a = x->value;
        require(a.ndim() == 4 && a.shape(3) % 2 == 0 && cos->value.shape() == mx::Shape{a.shape(1), a.shape(3) / 2} &&
                    sin->value.shape() == cos->value.shape(),
                "rotary: x [B, L, H, D], cos and sin [L, D/2]; got", {&a, &cos->value, &sin->value});
        return rotary(a, cos->value, sin->value, stream());
    });
}

int cmlx_kernel_conv1d(cmlx_array x, cmlx_array weight, cmlx_array bias, int stride, int padding, int dilation,
                       cmlx_activation activation, cmlx_array *out) {
    return produce(out, [&] {
        const auto &a = x->value, &w = weight->value;
        require(a.ndim() == 3 && w.ndim() == 3 && a.shape(2) == w.shape(1) && w.size() > 0 && stride > 0 &&
                    padding >= 0 && dilation > 0 && a.shape(1) + 2 * padding > dilation * (w.shape(2) - 1),
                "conv1d: x [N, L, Cin] at least as long as weight [Cout, Cin, k] reaches; got", {&a, &w});
        require(!bias || bias->value.shape() == mx::Shape{w.shape(0)},
                "conv1d: weight [Cout, Cin, k], bias [Cout]; got", {&w});
        return conv1d(a, w, optional(bias), stride, padding, dilation, activation, cmlx::stream());
    });
}

int cmlx_kernel_conv_transposed1d(cmlx_array x, cmlx_array weight, cmlx_array bias, int stride, int padding,
                                  cmlx_array *out) {
    return produce(out, [&] {
        const auto &a = x->value, &w = weight->value;
        require(a.ndim() == 3 && w.ndim() == 3 && a.shape(2) == w.shape(0) && w.size() > 0 && stride > 0 &&
                    padding >= 0 && a.shape(1) > 0 && (a.shape(1) - 1) * stride + w.shape(2) > 2 * padding,
                "convTransposed1d: x [N, L, Cin], weight [Cin, Cout, k] and a result that is not empty; got", {&a, &w});
        require(!bias || bias->value.shape() == mx::Shape{w.shape(1)},
                "convTransposed1d: weight [Cin, Cout, k], bias [Cout]; got", {&w});
        return conv_transposed1d(a, w, optional(bias), stride, padding, cmlx::stream());
    });
}

int cmlx_kernel_dropout(cmlx_array x, float rate, uint64_t seed, cmlx_array *out) {
    return produce(out, [&] {
        require(rate >= 0 && rate < 1, "dropout: a rate from 0 to below 1; got another for", {&x->value});
        return dropout(x->value, rate, seed, stream());
    });
}

int cmlx_kernel_add(cmlx_array a, cmlx_array b, cmlx_dtype output, cmlx_array *out) {
    return produce(out, [&] {
        const auto type = to_dtype(output);
        require(a->value.shape() == b->value.shape(), "add: arrays of one shape; got", {&a->value, &b->value});
        return add(a->value, b->value, type, stream());
    });
}

int cmlx_kernel_convert(cmlx_array x, cmlx_dtype output, cmlx_array *out) {
    return produce(out, [&] { return convert(x->value, to_dtype(output), stream()); });
}
