// Linear layers over weights of any form, and their gradients.
#include "linear.hpp"
#include "affine.hpp"
#include "composed.hpp"
#include "elements.hpp"
#include "elementwise.hpp"
#include "int8.hpp"
#include "primitive.hpp"
#include "product.hpp"

namespace cmlx {

namespace {

using Optional = std::optional<mx::array>;

/// What is done with one weight of a layer.
struct Part {
    WeightKind kind;
    bool has_bias;
    int arrays() const { return kind.parts() + has_bias; }
    bool operator==(const Part &) const = default;
};

/// Inputs: x, then for each map the arrays of its weight and its bias where present, then the residual where present.
/// Outputs: one for each map, or where `gated` silu(first) * second.
class Linear : public KernelPrimitive {
public:
    Linear(mx::Stream s, std::vector<Part> parts, cmlx_activation activation, bool has_residual, bool gated, bool int8)
        : KernelPrimitive(s),
          parts_(std::move(parts)),
          activation_(activation),
          has_residual_(has_residual),
          gated_(gated),
          int8_(int8) {}
    const char *name() const override { return "LyraLinear"; }
    bool is_equivalent(const mx::Primitive &other) const override {
        const auto &o = static_cast<const Linear &>(other);
        return parts_ == o.parts_ && activation_ == o.activation_ && has_residual_ == o.has_residual_ &&
               gated_ == o.gated_ && int8_ == o.int8_;
    }

    void eval_cpu(const std::vector<mx::array> &inputs, std::vector<mx::array> &outputs) override {
        // Weights of unlike types want x in unlike types; each group of maps is then a product of its own.
        struct Map {
            Part part;
            std::vector<mx::array> weight;
            Optional bias;
            mx::array x;
        };
        std::vector<Map> maps;
        size_t at = 1;
        for (const auto &part : parts_) {
            if (part.kind.form == Form::int8 && isa() != ISA::avx512_bf16)
                throw std::runtime_error("8-bit weights are packed for a processor that multiplies bytes");
            Map map{part, {}, {}, inputs[0]};
            for (int i = 0; i < part.kind.parts(); i++, at++)
                map.weight.push_back(part.kind.form == Form::dense ? as_contiguous(inputs[at], inputs[at].dtype())
                                                                   : contiguous(inputs[at]));
            if (part.has_bias) map.bias = as_contiguous(inputs[at], inputs[at].dtype()), at++;
            maps.push_back(std::move(map));
        }
        std::vector<std::pair<mx::Dtype, mx::array>> converted;
        for (auto &map : maps) {
            const auto type = input_type(inputs[0], map.part.kind, map.weight[0].dtype());
            auto found = std::find_if(converted.begin(), converted.end(), [&](auto &c) { return c.first == type; });
            if (found == converted.end()) {
                converted.emplace_back(type, inputs[0].dtype() == type ? as_rows(inputs[0])
                                                                       : as_contiguous(inputs[0], type));
                found = converted.end() - 1;
            }
            map.x = found->second;
        }
        Optional residual;
        if (has_residual_) residual = as_rows(inputs.back());
        std::vector<mx::array> results;
        for (auto &out : outputs) results.push_back(allocate(out));
        enqueue([=, activation = activation_, gated = gated_, int8 = int8_]() mutable {
            const auto matrix = [](mx::array &a) {
                return Matrix{a.data<void>(), is_bf16(a), rows_of(a).stride, 1, 0};
            };
            const int64_t n = maps[0].part.kind.n, k = maps[0].part.kind.k;
            const int64_t rows = n ? int64_t(results[0].size()) / n : 0;
            std::vector<WeightData> weights;
            for (auto &map : maps) weights.push_back(weight_data(map.part.kind, map.weight.data()));
            std::vector<Job> jobs;
            for (size_t i = 0; i < results.size(); i++) {
                Epilogue epilogue{.activation = activation};
                if (auto &bias = maps[i].bias) epilogue.bias = bias->data<void>(), epilogue.bias_bf16 = is_bf16(*bias);
                if (residual) epilogue.residual = matrix(*residual);
                jobs.push_back({weights[i], epilogue, {results[i].data<void>(), is_bf16(results[i]),
                                                       maps[i].part.kind.n, 1, 0}});
            }
            if (gated) {
                jobs[0].up = &weights[1];
                if (auto &bias = maps[1].bias) jobs[0].up_bias = bias->data<void>(), jobs[0].up_bias_bf16 = is_bf16(*bias);
            }
            for (size_t i = 0; i < jobs.size();) {  // neighbours that read the same x go together
                size_t end = i + 1;
                while (end < jobs.size() && maps[end].x.dtype() == maps[i].x.dtype()) end++;
                multiply(rows, k, matrix(maps[i].x), std::span(jobs).subspan(i, end - i), int8);
                i = end;
            }
        });
    }

    std::vector<mx::array> vjp(const std::vector<mx::array> &primals, const std::vector<mx::array> &cotangents,
                               const std::vector<int> &wanted, const std::vector<mx::array> &) override {
        const auto s = stream();
        std::vector<LinearMap> maps;
        std::vector<int> starts;
        int at = 1;
        for (const auto &part : parts_) {
            starts.push_back(at);
            const auto first = primals.begin() + at;
            at += part.arrays();
            maps.push_back({{part.kind, {first, first + part.kind.parts()}},
                            part.has_bias ? Optional(primals[at - 1]) : Optional()});
        }
        // The gradients with respect to the maps' results, before an activation.
        auto upstreams = cotangents;
        if (gated_) {
            const auto g = linear(primals[0], maps[0], CMLX_ACTIVATION_NONE, {}, mx::float32, int8_, s);
            const auto u = linear(primals[0], maps[1], CMLX_ACTIVATION_NONE, {}, mx::float32, int8_, s);
            upstreams = swiglu_gradients(g, u, cotangents[0], s);
        } else if (activation_ != CMLX_ACTIVATION_NONE) {
            const auto before = linear(primals[0], maps[0], CMLX_ACTIVATION_NONE, {}, mx::float32, int8_, s);
            upstreams[0] = activation_gradient(before, cotangents[0], activation_, 0, s);
        }
        std::vector<mx::array> gradients;
        for (int index : wanted) {
            const auto &primal = primals[index];
            if (index == 0) {
                Optional sum;
                for (size_t i = 0; i < maps.size(); i++) {
                    const auto last = i + 1 == maps.size() ? primal.dtype() : mx::float32;
                    const auto part = input_gradient(maps[i].weight, upstreams[i], primal.dtype(), sum ? mx::float32 : last, s);
                    sum = sum ? add(*sum, part, last, s) : part;
                }
                gradients.push_back(mx::reshape(*sum, primal.shape(), s));
            } else if (has_residual_ && index == int(primals.size()) - 1) {
                gradients.push_back(convert(cotangents[0], primal.dtype(), s));
            } else {
                size_t i = 0;
                while (i + 1 < starts.size() && starts[i + 1] <= index) i++;
                const auto &kind = parts_[i].kind;
                if (index == starts[i] + kind.parts()) {
                    const auto rows = mx::reshape(upstreams[i], {-1, kind.n}, s);
                    gradients.push_back(convert(column_sums(rows, s), primal.dtype(), s));
                } else if (kind.form == Form::dense) {
                    const auto delta = mx::reshape(convert(upstreams[i], primal.dtype(), s), {-1, kind.n}, s);
                    const auto rows = mx::reshape(convert(primals[0], primal.dtype(), s), {-1, kind.k}, s);
                    gradients.push_back(matmul(delta, rows, true, false, primal.dtype(), s));
                } else {
                    throw std::invalid_argument("quantised weights have no gradient: train adapters beside them");
                }
            }
        }
        return gradients;
    }

private:
    const std::vector<Part> parts_;
    const cmlx_activation activation_;
    const bool has_residual_, gated_, int8_;

    static mx::Dtype input_type(const mx::array &x, const WeightKind &kind, mx::Dtype weight) {
        if (kind.form == Form::dense) return weight;
        return x.dtype() == mx::bfloat16 ? mx::bfloat16 : mx::float32;
    }

    /// upstream W: [rows, k] in `type`. Weights that are not dense are multiplied in the type of x.
    static mx::array input_gradient(const Weight &w, const mx::array &upstream, mx::Dtype x, mx::Dtype type, mx::Stream s) {
        const auto product = w.kind.form == Form::dense ? w.parts[0].dtype() : x == mx::bfloat16 ? x : mx::float32;
        const auto dense = w.kind.form == Form::dense    ? w.parts[0]
                           : w.kind.form == Form::affine ? dequantize(w, product, s)
                                                         : unpack_int8(w, product, s);
        const auto delta = mx::reshape(convert(upstream, product, s), {-1, w.kind.n}, s);
        return matmul(delta, dense, false, false, type, s);
    }
};

/// The same as MLX operations, for other devices.
mx::array compose(const mx::array &x, const LinearMap &map, cmlx_activation activation, const Optional &residual,
                  mx::Dtype output, mx::Stream s) {
    const auto &parts = map.weight.parts;
    if (map.weight.kind.form != Form::affine)
        return composed::linear(x, parts[0], map.bias, activation, residual, output, s);
    const auto product = mx::quantized_matmul(mx::astype(x, parts[1].dtype(), s), parts[0], parts[1], parts[2], true,
                                              map.weight.kind.group, map.weight.kind.bits, "affine", s);
    return composed::finish_linear(product, map.bias, activation, residual, output, s);
}

std::vector<mx::array> record_linear(const mx::array &x, const std::vector<LinearMap> &maps, cmlx_activation activation,
                                     const Optional &residual, bool gated, mx::Dtype output, bool int8, mx::Stream s) {
    std::vector<Part> parts;
    std::vector<mx::array> inputs = {x};
    std::vector<mx::Shape> shapes;
    for (const auto &map : maps) {
        parts.push_back({map.weight.kind, map.bias.has_value()});
        inputs.insert(inputs.end(), map.weight.parts.begin(), map.weight.parts.end());
        if (map.bias) inputs.push_back(*map.bias);
        auto shape = x.shape();
        shape.back() = map.weight.kind.n;
        if (!gated || shapes.empty()) shapes.push_back(shape);
    }
    if (residual) inputs.push_back(*residual);
    return mx::array::make_arrays(
        shapes, std::vector<mx::Dtype>(shapes.size(), output),
        std::make_shared<Linear>(s, std::move(parts), activation, residual.has_value(), gated, int8), inputs);
}

/// Whether gradients are being recorded through this.
bool traced(const mx::array &x, const std::vector<LinearMap> &maps) {
    return x.is_tracer() || std::any_of(maps.begin(), maps.end(), [](const LinearMap &m) {
        return std::any_of(m.weight.parts.begin(), m.weight.parts.end(), [](const mx::array &a) { return a.is_tracer(); });
    });
}

}  // namespace

WeightData weight_data(const WeightKind &kind, const mx::array *parts) {
    WeightData w{kind, parts[0].data<void>(), is_bf16(parts[0])};
    if (kind.form != Form::dense) w.scales = source(parts[1]);
    if (kind.form == Form::affine) w.biases = source(parts[2]);
    if (kind.form == Form::int8) w.offsets = parts[2].data<int32_t>();
    return w;
}

mx::array linear(const mx::array &x, const LinearMap &map, cmlx_activation activation, const Optional &residual,
                 mx::Dtype output, bool int8, mx::Stream s) {
    if (!on_cpu(s)) return compose(x, map, activation, residual, output, s);
    // For gradients, what an activation is applied to is kept rather than multiplied again.
    if (activation != CMLX_ACTIVATION_NONE && !residual && traced(x, {map}))
        return cmlx::activation(linear(x, map, CMLX_ACTIVATION_NONE, {}, output, int8, s), activation, 0, s);
    return record_linear(x, {map}, activation, residual, false, output, int8, s)[0];
}

std::vector<mx::array> linears(const mx::array &x, const std::vector<LinearMap> &maps, mx::Dtype output, bool int8,
                               mx::Stream s) {
    if (on_cpu(s)) return record_linear(x, maps, CMLX_ACTIVATION_NONE, {}, false, output, int8, s);
    std::vector<mx::array> results;
    for (const auto &map : maps) results.push_back(compose(x, map, CMLX_ACTIVATION_NONE, {}, output, s));
    return results;
}

mx::array gated_linear(const mx::array &x, const LinearMap &gate, const LinearMap &up, mx::Dtype output, bool int8,
                       mx::Stream s) {
    if (on_cpu(s) && traced(x, {gate, up})) {
        const auto both = linears(x, {gate, up}, output, int8, s);
        return swiglu(both[0], both[1], s);
    }
    if (on_cpu(s)) return record_linear(x, {gate, up}, CMLX_ACTIVATION_NONE, {}, true, output, int8, s)[0];
    const auto part = [&](const LinearMap &map) { return compose(x, map, CMLX_ACTIVATION_NONE, {}, output, s); };
    return composed::swiglu(part(gate), part(up), s);
}

}  // namespace cmlx
