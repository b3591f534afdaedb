// A whole layer of a Qwen2 decoder as one recorded operation; see decoder_layer.hpp. The kernels are those of the single
// operations, and so are the numbers; what is saved is recording and scheduling some twenty of them for every new token.
#include "decoder_layer.hpp"
#include <cmath>
#include "attention.hpp"
#include "elements.hpp"
#include "elementwise.hpp"
#include "mlx/transforms.h"
#include "norm.hpp"
#include "product.hpp"
#include "scratch.hpp"

namespace cmlx {

namespace {

using Layer = DecoderLayer;

/// What one map is like, whatever arrays hold it.
struct MapKind {
    WeightKind weight;
    bool has_bias = false;
    int rank = 0;  // 0: no adapter
};

struct LayerKind {
    std::array<MapKind, Layer::map_count> maps;
    int query_heads, kv_heads, width;  // of a head
    float eps;
    bool int8, bf16;
};

/// A map in memory.
struct MapData {
    WeightData weight;
    Epilogue epilogue;  // with its bias
    const void *low_a, *low_b;
};

/// The layer at work, on the stream's thread.
struct LayerPass {
    const LayerKind &kind;
    const std::vector<DecoderRun> &runs;
    std::array<MapData, Layer::map_count> maps;
    int64_t n, hidden;
    char *memory;

    size_t item() const { return kind.bf16 ? 2 : 4; }
    FloatType type() const { return kind.bf16 ? FloatType::bf16 : FloatType::f32; }
    int rows(int i) const { return kind.maps[i].weight.n; }

    void *take(int64_t elements, size_t size) {
        void *result = memory;
        memory += (size_t(elements) * size + 63) / 64 * 64;
        return result;
    }
    /// Bytes that `take` hands out at most.
    static size_t bytes(const LayerKind &kind, int64_t n, int64_t hidden) {
        const auto rows = [&](int i) { return int64_t(kind.maps[i].weight.n); };
        const bool apart = kind.maps[Layer::gate].rank || kind.maps[Layer::up].rank;
        const int64_t narrow = hidden + rows(Layer::key) + rows(Layer::value) + rows(Layer::gate) * (apart ? 2 : 1);
        size_t sum = size_t(n) * (size_t(narrow) * (kind.bf16 ? 2 : 4) + size_t(hidden) * 4);
        for (const auto &map : kind.maps)
            if (map.rank) sum += size_t(n) * size_t(map.weight.n + map.rank) * 4;
        return sum + 64 * 32;  // every part begins at a line of the cache
    }

    /// The maps `first` ..< `first + count` of x [n, k], each plus `residual`; results are float32 where `wide_out`.
    void multiply_maps(int first, int count, const void *x, const Matrix &residual, void *const *out, bool wide_out) {
        const int64_t k = kind.maps[first].weight.k;
        const Matrix in{x, kind.bf16, k, 1, 0};
        std::vector<Job> jobs;
        for (int i = first; i < first + count; i++) {
            Job job{maps[i].weight, maps[i].epilogue, {out[i - first], kind.bf16 && !wide_out, rows(i), 1, 0}};
            job.epilogue.residual = kind.maps[i].rank ? adapt(i, in, residual) : residual;
            jobs.push_back(job);
        }
        multiply(n, k, in, jobs, kind.int8);
    }

    /// low_b low_a x + residual, float32.
    Matrix adapt(int i, const Matrix &x, const Matrix &residual) {
        const auto &map = kind.maps[i];
        const WeightKind a{Form::dense, map.rank, map.weight.k}, b{Form::dense, map.weight.n, map.rank};
        const Matrix low{take(n * map.rank, item()), kind.bf16, map.rank, 1, 0};
        const Matrix delta{take(n * map.weight.n, 4), false, map.weight.n, 1, 0};
        const Job down{{a, maps[i].low_a, kind.bf16}, {}, low};
        multiply(n, map.weight.k, x, std::span(&down, 1), false);
        const Job up{{b, maps[i].low_b, kind.bf16}, {.residual = residual}, delta};
        multiply(n, map.rank, low, std::span(&up, 1), false);
        return delta;
    }

    void normalise(const void *x, int64_t stride, const mx::array &weight, void *out) {
        norm_rows({FloatType::f32, x}, {n, hidden, stride}, source(weight), {}, false, kind.eps, {type(), out});
    }

    /// Queries, keys and values: the queries to `q`, the others to the runs' caches.
    void begin_attention(const void *x, const float *cos, const float *sin, mx::array &q, std::vector<mx::array> &caches) {
        void *k = take(n * rows(Layer::key), item()), *v = take(n * rows(Layer::value), item());
        void *const out[] = {q.data<void>(), k, v};
        multiply_maps(Layer::query, 3, x, {}, out, false);
        const int64_t half = kind.width / 2, row = int64_t(kind.kv_heads) * kind.width;
        rotate_rows({type(), out[0]}, {0, int64_t(kind.query_heads) * kind.width, kind.width}, 1, n, kind.query_heads, half,
                    cos, sin, 1, {type(), out[0]});
        for (size_t r = 0, first = 0; r < runs.size(); first += size_t(runs[r].tokens), r++) {
            const size_t from = first * size_t(row) * item(), to = size_t(runs[r].past) * size_t(row) * item();
            rotate_rows({type(), static_cast<char *>(k) + from}, {0, row, kind.width}, 1, runs[r].tokens, kind.kv_heads,
                        half, cos + int64_t(first) * half, sin + int64_t(first) * half, 1,
                        {type(), caches[2 * r].data<char>() + to});
            std::memcpy(caches[2 * r + 1].data<char>() + to, static_cast<char *>(v) + from,
                        size_t(runs[r].tokens * row) * item());
        }
    }

    /// down(silu(gate x) * up x) + residual
    void feed_forward(const void *x, const float *h, float *y) {
        const int64_t inner = rows(Layer::gate), k = kind.maps[Layer::gate].weight.k;
        void *joined = take(n * inner, item());
        if (kind.maps[Layer::gate].rank || kind.maps[Layer::up].rank) {
            void *const out[] = {joined, take(n * inner, item())};
            multiply_maps(Layer::gate, 2, x, {}, out, false);
            swiglu_rows({type(), out[0]}, inner, {type(), out[1]}, inner, n, inner, {type(), joined});
        } else {
            const auto &up = maps[Layer::up];
            Job job{maps[Layer::gate].weight, maps[Layer::gate].epilogue, {joined, kind.bf16, inner, 1, 0}};
            job.up = &up.weight;
            job.up_bias = up.epilogue.bias, job.up_bias_bf16 = up.epilogue.bias_bf16;
            multiply(n, k, {x, kind.bf16, k, 1, 0}, std::span(&job, 1), kind.int8);
        }
        void *const out[] = {y};
        multiply_maps(Layer::down, 1, joined, {h, false, hidden, 1, 0}, out, true);
    }
};

/// Inputs: x, cos, sin, the norms' weights; of each map the arrays of its weight, its bias and an adapter's factors where
/// present. Outputs: the result, and each run's keys and values. Their buffers so far, which are computed, belong to the
/// operation: among the inputs, of which every output keeps a copy, they would have other owners and never be written in place.
class DecoderLayerOperation : public KernelPrimitive {
public:
    DecoderLayerOperation(mx::Stream s, LayerKind kind, std::vector<DecoderRun> runs, std::vector<mx::array> buffers)
        : KernelPrimitive(s), kind_(kind), runs_(std::move(runs)), buffers_(std::move(buffers)) {}
    const char *name() const override { return "LyraDecoderLayer"; }
    bool is_equivalent(const mx::Primitive &other) const override { return this == &other; }

    void eval_cpu(const std::vector<mx::array> &inputs, std::vector<mx::array> &outputs) override {
        auto x = as_rows(inputs[0]);
        auto cos = as_contiguous(inputs[1], mx::float32), sin = as_contiguous(inputs[2], mx::float32);
        auto first_norm = as_contiguous(inputs[3], inputs[3].dtype()), second_norm = as_contiguous(inputs[4], inputs[4].dtype());
        // Memory is there before it is filled. Weights lie as in a file; copies are for others.
        const bool as_filed = std::all_of(inputs.begin() + 5, inputs.end(),
                                          [](const mx::array &a) { return a.flags().row_contiguous; });
        std::vector<mx::array> weights;
        if (!as_filed)
            for (size_t i = 5; i < inputs.size(); i++) weights.push_back(as_contiguous(inputs[i], inputs[i].dtype()));
        const auto maps = map_data(kind_, as_filed ? inputs.data() + 5 : weights.data());
        auto y = allocate(outputs[0]);
        const int n = x.shape(1), hidden = x.shape(2);
        const auto type = kind_.bf16 ? mx::bfloat16 : mx::float32;
        // Rows that others hold too are copied.
        std::vector<mx::array> caches, shared;
        for (size_t i = 0; i < buffers_.size(); i++) {
            const auto &in = buffers_[i];
            auto &out = outputs[1 + i];
            if (in.is_donatable() && in.flags().row_contiguous) {
                out.copy_shared_buffer(in);
                shared.push_back(view(out));
            } else {
                shared.push_back(as_contiguous(in, type));
                allocate(out);
                keep(in);
            }
            caches.push_back(view(out));
        }
        buffers_.clear();
        // What attention reads and writes, run by run.
        auto q = temporary({1, n, kind_.query_heads, kind_.width}, type), attended = temporary(q.shape(), type);
        auto logs = temporary({n * kind_.query_heads}, mx::float32);
        struct Attended {
            mx::array q, k, v, out;
        };
        std::vector<Attended> parts;
        for (size_t r = 0, first = 0; r < runs_.size(); first += size_t(runs_[r].tokens), r++) {
            const auto rows = [&](const mx::array &a, int from, int count) {
                mx::array part({1, count, a.shape(2), a.shape(3)}, type, nullptr, {});
                part.copy_shared_buffer(a, a.strides(), a.flags(), size_t(count) * a.strides(1), from * a.strides(1));
                return view(part);
            };
            const int from = int(first), count = runs_[r].tokens, all = runs_[r].past + count;
            parts.push_back({rows(q, from, count), rows(outputs[1 + 2 * r], 0, all), rows(outputs[2 + 2 * r], 0, all),
                             rows(attended, from, count)});
        }
        enqueue([=, kind = kind_, runs = runs_, q = view(q), attended = view(attended), logs = view(logs)]() mutable {
            // Taken here, when its turn has come, and not when it was recorded: layers to come would hold theirs meanwhile.
            auto *memory = static_cast<char *>(scratch<LayerPass>(LayerPass::bytes(kind, n, hidden)));
            for (size_t i = 0; i < caches.size(); i++)
                if (caches[i].data<char>() != shared[i].data<char>())
                    std::memcpy(caches[i].data<char>(), shared[i].data<char>(),
                                size_t(runs[i / 2].past) * size_t(kind.kv_heads * kind.width) * (kind.bf16 ? 2 : 4));
            LayerPass pass{kind, runs, maps, n, hidden, memory};
            const auto *in = x.data<float>();
            const int64_t stride = rows_of(x).stride;
            void *normed = pass.take(int64_t(n) * hidden, pass.item());
            pass.normalise(in, stride, first_norm, normed);
            pass.begin_attention(normed, cos.data<float>(), sin.data<float>(), q, caches);
            for (auto &part : parts) {
                const auto scale = 1 / std::sqrt(float(kind.width));
                attend(attention_sequences(part.q, part.k, scale, true, {}), part.q, part.k, part.v, part.out, logs);
            }
            auto *h = static_cast<float *>(pass.take(int64_t(n) * hidden, 4));
            void *const out[] = {h};
            pass.multiply_maps(Layer::output, 1, attended.data<void>(), {in, false, stride, 1, 0}, out, true);
            pass.normalise(h, hidden, second_norm, normed);
            pass.feed_forward(normed, h, y.data<float>());
        });
    }

private:
    const LayerKind kind_;
    const std::vector<DecoderRun> runs_;
    std::vector<mx::array> buffers_;

    static std::array<MapData, Layer::map_count> map_data(const LayerKind &kind, const mx::array *arrays) {
        std::array<MapData, Layer::map_count> result{};
        size_t at = 0;
        for (size_t i = 0; i < result.size(); i++) {
            const auto &map = kind.maps[i];
            result[i].weight = weight_data(map.weight, &arrays[at]);
            at += size_t(map.weight.parts());
            if (map.has_bias) {
                result[i].epilogue.bias = arrays[at].data<void>();
                result[i].epilogue.bias_bf16 = is_bf16(arrays[at++]);
            }
            if (map.rank) {
                result[i].low_a = arrays[at++].data<void>();
                result[i].low_b = arrays[at++].data<void>();
            }
        }
        return result;
    }
};

}  // namespace

bool can_record(const mx::array &x, const DecoderLayer &layer, mx::Stream s) {
    if (!on_cpu(s) || x.is_tracer() || x.dtype() != mx::float32 || layer.input_norm.is_tracer() ||
        layer.post_attention_norm.is_tracer())
        return false;
    return std::all_of(layer.maps.begin(), layer.maps.end(), [&](const AdaptedMap &m) {
        const auto &parts = m.map.weight.parts;
        const bool traced = std::any_of(parts.begin(), parts.end(), [](const mx::array &a) { return a.is_tracer(); });
        return !traced && (m.map.weight.kind.form != Form::dense || parts[0].dtype() == layer.type) &&
               (!m.low_a || (m.low_a->dtype() == layer.type && !m.low_a->is_tracer())) &&
               (!m.low_b || (m.low_b->dtype() == layer.type && !m.low_b->is_tracer()));
    });
}

std::vector<mx::array> decoder_layer(const mx::array &x, const mx::array &cos, const mx::array &sin,
                                     const DecoderLayer &layer, const std::vector<DecoderRun> &runs,
                                     std::vector<mx::array> caches, mx::Stream s) {
    LayerKind kind{.query_heads = layer.query_heads,
                   .kv_heads = layer.kv_heads,
                   .width = layer.maps[Layer::query].map.weight.kind.n / layer.query_heads,
                   .eps = layer.eps,
                   .int8 = layer.int8,
                   .bf16 = layer.type == mx::bfloat16};
    std::vector<mx::array> inputs = {x, cos, sin, layer.input_norm, layer.post_attention_norm};
    for (size_t i = 0; i < layer.maps.size(); i++) {
        const auto &[map, low_a, low_b] = layer.maps[i];
        kind.maps[i] = {map.weight.kind, map.bias.has_value(), low_a ? low_a->shape(0) : 0};
        inputs.insert(inputs.end(), map.weight.parts.begin(), map.weight.parts.end());
        if (map.bias) inputs.push_back(*map.bias);
        if (low_a) inputs.push_back(*low_a), inputs.push_back(*low_b);
    }
    mx::eval(caches);
    std::vector<mx::Shape> shapes = {x.shape()};
    std::vector<mx::Dtype> types = {mx::float32};
    for (const auto &cache : caches) shapes.push_back(cache.shape()), types.push_back(layer.type);
    return mx::array::make_arrays(shapes, types, std::make_shared<DecoderLayerOperation>(s, kind, runs, std::move(caches)), inputs);
}

}  // namespace cmlx
