// The C entry points of linear layers and of weights in integers: check shapes, then record the operation.
#include "affine.hpp"
#include "decoder_layer.hpp"
#include "entry.hpp"
#include "int8.hpp"
#include "linear.hpp"

using namespace cmlx;

namespace {

void require_affine_format(int group, int bits) {
    if ((group != 32 && group != 64 && group != 128) || (bits != 4 && bits != 8))
        throw std::invalid_argument("quantised weights: groups of 32, 64 or 128 and 4 or 8 bits; got " +
                                    std::to_string(group) + " and " + std::to_string(bits));
}

Weight weight_of(const cmlx_weight &w) {
    const auto part = [&](int i) -> const mx::array & {
        if (!w.parts[i]) throw std::invalid_argument("a weight lacks a part");
        return w.parts[i]->value;
    };
    const auto &first = part(0);
    if (w.form == CMLX_WEIGHT_INT8)
        return {{Form::int8, w.rows, w.columns, 0, 0}, {first, part(1), part(2)}};
    require(first.ndim() == 2, "linear: weight [N, K]; got", {&first});
    if (w.form == CMLX_WEIGHT_DENSE && first.dtype() != mx::float32 && !is_bf16(first))
        throw std::invalid_argument("linear: weights are float32 or bfloat16");
    if (w.form == CMLX_WEIGHT_DENSE) return {{Form::dense, first.shape(0), first.shape(1), 0, 0}, {first}};
    require_affine_format(w.group_size, w.bits);
    const auto &scales = part(1), &biases = part(2);
    const int n = first.shape(0), k = int(int64_t(first.shape(1)) * 32 / w.bits);
    require(first.dtype() == mx::uint32 && k % w.group_size == 0 && scales.shape() == mx::Shape{n, k / w.group_size} &&
                biases.shape() == scales.shape() && biases.dtype() == scales.dtype(),
            "quantised weights: uint32 [N, K bits / 32], scales and biases [N, K / group] of one type; got",
            {&first, &scales, &biases});
    return {{Form::affine, n, k, w.group_size, w.bits}, {first, scales, biases}};
}

LinearMap map_of(const cmlx_linear &layer) {
    LinearMap map{weight_of(layer.weight), optional(layer.bias)};
    const auto &kind = map.weight.kind;
    if (map.bias)
        require(map.bias->shape() == mx::Shape{kind.n}, "linear: as many rows of the weight as elements of the bias",
                {&map.weight.parts[0], &*map.bias});
    return map;
}

LinearMap map_of(const mx::array &x, const cmlx_linear &layer) {
    auto map = map_of(layer);
    const auto &kind = map.weight.kind;
    if (x.ndim() < 1 || x.shape(-1) != kind.k)
        throw std::invalid_argument("linear: x [..., K], weight [N, K]; got " + describe(x) + " [" + std::to_string(kind.n) +
                                    ", " + std::to_string(kind.k) + "]");
    return map;
}

/// A map of a decoder layer, [n, k].
AdaptedMap adapted(const cmlx_adapted &adapted, int n, int k) {
    AdaptedMap result{map_of(adapted.map), optional(adapted.low_a), optional(adapted.low_b)};
    const auto &kind = result.map.weight.kind;
    if (kind.n != n || kind.k != k)
        throw std::invalid_argument("decoder layer: a map of " + std::to_string(kind.n) + " rows and " + std::to_string(kind.k) +
                                    " columns where there should be " + std::to_string(n) + " and " + std::to_string(k));
    if (const auto &a = result.low_a, &b = result.low_b; a || b) {
        if (!a || !b) throw std::invalid_argument("decoder layer: an adapter lacks a factor");
        require(a->ndim() == 2 && a->shape(0) > 0 && a->shape(1) == k && b->shape() == mx::Shape{n, a->shape(0)},
                "decoder layer: an adapter's factors are [rank, K] and [N, rank]; got", {&*a, &*b});
    }
    return result;
}

}  // namespace

int cmlx_kernel_linear(cmlx_array x, const cmlx_linear *layer, cmlx_activation activation, cmlx_array residual, bool int8,
                       cmlx_dtype output, cmlx_array *out) {
    return produce(out, [&] {
        const auto map = map_of(x->value, *layer);
        auto shape = x->value.shape();
        shape.back() = map.weight.kind.n;
        if (residual)
            require(residual->value.shape() == shape,
                    "linear: the residual has another shape than the result:", {&residual->value});
        return linear(x->value, map, activation, optional(residual), to_dtype(output), int8, stream());
    });
}

int cmlx_kernel_linears(cmlx_array x, const cmlx_linear *layers, size_t count, bool int8, cmlx_dtype output,
                        cmlx_array *out) {
    return guard([&] {
        std::vector<LinearMap> maps;
        for (size_t i = 0; i < count; i++) maps.push_back(map_of(x->value, layers[i]));
        const auto results = linears(x->value, maps, to_dtype(output), int8, stream());
        for (size_t i = 0; i < count; i++) out[i] = new cmlx_array_s{results[i]};
    });
}

int cmlx_kernel_gated_linear(cmlx_array x, const cmlx_linear *gate, const cmlx_linear *up, bool int8, cmlx_dtype output,
                             cmlx_array *out) {
    return produce(out, [&] {
        const auto g = map_of(x->value, *gate), u = map_of(x->value, *up);
        require(g.weight.kind.n == u.weight.kind.n, "gatedLinear: gate and up have unlike numbers of rows:",
                {&g.weight.parts[0], &u.weight.parts[0]});
        return gated_linear(x->value, g, u, to_dtype(output), int8, stream());
    });
}

int cmlx_kernel_decoder_layer(cmlx_array x, cmlx_array cos, cmlx_array sin, const cmlx_decoder_layer *layer,
                              const int32_t *tokens, const int32_t *past, size_t runs, const cmlx_array *caches,
                              cmlx_dtype type, cmlx_array *out) {
    return guard([&] {
        const auto &X = x->value, &C = cos->value, &S = sin->value;
        const int heads = layer->query_heads, kv_heads = layer->kv_heads;
        require(X.ndim() == 3 && X.shape(0) == 1 && heads > 0 && kv_heads > 0 && heads % kv_heads == 0 &&
                    X.shape(2) % heads == 0,
                "decoder layer: x [1, N, width], whole heads, key heads divide query heads; got", {&X});
        const int n = X.shape(1), width = X.shape(2), head = width / heads, kv = kv_heads * head;
        require(head % 2 == 0 && head <= 512 && C.shape() == mx::Shape{n, head / 2} && S.shape() == C.shape(),
                "decoder layer: cos and sin [N, D / 2] for x, D even and at most 512; got", {&X, &C, &S});
        const int inner = weight_of(layer->gate.map.weight).kind.n;
        const auto norm = [&](cmlx_array weight) -> const mx::array & {
            require(weight->value.shape() == mx::Shape{width}, "decoder layer: as many elements of a norm as of x:",
                    {&weight->value, &X});
            return weight->value;
        };
        const DecoderLayer parts{
            {adapted(layer->query, width, width), adapted(layer->key, kv, width), adapted(layer->value, kv, width),
             adapted(layer->output, width, width), adapted(layer->gate, inner, width), adapted(layer->up, inner, width),
             adapted(layer->down, width, inner)},
            norm(layer->input_norm), norm(layer->post_attention_norm), layer->eps, heads, kv_heads, layer->int8,
            to_dtype(type)};
        std::vector<DecoderRun> all;
        std::vector<mx::array> rows;
        int total = 0;
        for (size_t i = 0; i < runs; i++) {
            all.push_back({tokens[i], past[i]});
            total += tokens[i];
            for (size_t j = 2 * i; j < 2 * i + 2; j++) {
                const auto &a = caches[j]->value;
                require(tokens[i] > 0 && past[i] >= 0 && a.ndim() == 4 && a.dtype() == parts.type && a.shape(0) == 1 &&
                            a.shape(1) >= past[i] + tokens[i] && a.shape(2) == kv_heads && a.shape(3) == head,
                        "decoder layer: caches [1, capacity, key heads, D] with room for the new rows; got", {&a});
                rows.push_back(a);
            }
        }
        require(total == n, "decoder layer: the runs' tokens are those of x", {&X});
        out[0] = nullptr;
        if (!can_record(X, parts, stream())) return;
        const auto results = decoder_layer(X, C, S, parts, all, std::move(rows), stream());
        for (size_t i = 0; i < results.size(); i++) out[i] = new cmlx_array_s{results[i]};
    });
}

int cmlx_kernel_quantize(cmlx_array w, int group_size, int bits, cmlx_array out[3]) {
    return guard([&] {
        require_affine_format(group_size, bits);
        const auto &a = w->value;
        require(a.ndim() >= 2 && a.shape(-1) % group_size == 0, "quantize: w [..., K] with whole groups in K; got", {&a});
        const auto results = quantize(a, group_size, bits, stream());
        for (int i = 0; i < 3; i++) out[i] = new cmlx_array_s{results[i]};
    });
}

int cmlx_kernel_dequantize(const cmlx_weight *weight, cmlx_dtype output, cmlx_array *out) {
    return produce(out, [&] { return dequantize(weight_of(*weight), to_dtype(output), stream()); });
}

int cmlx_kernel_embed(cmlx_array ids, const cmlx_weight *weight, cmlx_dtype output, cmlx_array *out) {
    return produce(out, [&] { return embed(ids->value, weight_of(*weight), to_dtype(output), stream()); });
}

int cmlx_kernel_pack_int8(const cmlx_weight *weight, cmlx_weight *packed) {
    return guard([&] {
        const auto w = weight_of(*weight);
        const bool here = on_cpu(stream()) && isa() == ISA::avx512_bf16;
        const auto result = here ? pack_int8(w, stream()) : w;
        *packed = *weight;
        if (here) *packed = {CMLX_WEIGHT_INT8, {}, 0, 0};
        packed->rows = w.kind.n;
        packed->columns = w.kind.k;
        for (size_t i = 0; i < result.parts.size(); i++) packed->parts[i] = new cmlx_array_s{result.parts[i]};
    });
}
