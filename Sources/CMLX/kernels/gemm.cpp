// Matrix products on oneDNN; see gemm.hpp. Where oneDNN has no bfloat16 (processors without AVX-512), operands are
// converted to float32 a panel at a time.
#include "gemm.hpp"
#include <dnnl.hpp>
#include <list>
#include <map>
#include <mutex>
#include <tuple>
#include "activation.hpp"
#include "convert.hpp"
#include "onednn.hpp"
#include "parallel.hpp"
#include "scratch.hpp"

namespace cmlx {

namespace {

using dnnl::memory;
using simd::bf16;

memory::data_type type_of(const Matrix &m) { return m.bf16 ? memory::data_type::bf16 : memory::data_type::f32; }

memory::desc describe(int64_t batch, int64_t rows, int64_t columns, const Matrix &m) {
    // A stride along an axis of length one is free; oneDNN wants it to look dense.
    const auto row = rows == 1 && m.column_stride == 1 ? columns : m.row_stride;
    const auto column = columns == 1 && m.row_stride == 1 ? rows : m.column_stride;
    if (batch == 1) return memory::desc({rows, columns}, type_of(m), memory::dims{row, column});
    return memory::desc({batch, rows, columns}, type_of(m), memory::dims{m.batch_stride, row, column});
}

struct Shape {
    int64_t batch, m, n, k;
    Matrix a, b, c, residual;
    bool has_bias;
    cmlx_activation activation;

    auto key() const {
        const auto part = [](const Matrix &x) {
            return std::tuple(x.data != nullptr, x.bf16, x.row_stride, x.column_stride, x.batch_stride);
        };
        return std::tuple(batch, m, n, k, part(a), part(b), part(c), part(residual), has_bias, activation);
    }
};

struct Prepared {
    dnnl::matmul primitive;
    memory::desc a, b, c, bias, residual, scratchpad;
    int residual_argument = 0;
};

std::shared_ptr<Prepared> prepare(const Shape &s) {
    auto result = std::make_shared<Prepared>();
    result->a = describe(s.batch, s.m, s.k, s.a);
    result->b = describe(s.batch, s.k, s.n, s.b);
    result->c = describe(s.batch, s.m, s.n, s.c);
    dnnl::post_ops post;
    if (s.activation == CMLX_ACTIVATION_GELU) post.append_eltwise(1, dnnl::algorithm::eltwise_gelu_erf, 0, 0);
    if (s.activation == CMLX_ACTIVATION_RELU) post.append_eltwise(1, dnnl::algorithm::eltwise_relu, 0, 0);
    if (s.activation == CMLX_ACTIVATION_SILU) post.append_eltwise(1, dnnl::algorithm::eltwise_swish, 1, 0);
    if (s.activation == CMLX_ACTIVATION_QUICK_GELU) post.append_eltwise(1, dnnl::algorithm::eltwise_swish, 1.702f, 0);
    if (s.residual.data) {
        result->residual = describe(s.batch, s.m, s.n, s.residual);
        result->residual_argument = DNNL_ARG_ATTR_MULTIPLE_POST_OP(post.len()) | DNNL_ARG_SRC_1;
        post.append_binary(dnnl::algorithm::binary_add, result->residual);
    }
    dnnl::primitive_attr attributes;
    attributes.set_post_ops(post);
    attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    dnnl::matmul::desc operation = [&] {
        if (!s.has_bias) return dnnl::matmul::desc(result->a, result->b, result->c);
        const auto dims = s.batch == 1 ? memory::dims{1, s.n} : memory::dims{1, 1, s.n};
        const auto strides = s.batch == 1 ? memory::dims{s.n, 1} : memory::dims{s.n, s.n, 1};
        result->bias = memory::desc(dims, memory::data_type::f32, strides);
        return dnnl::matmul::desc(result->a, result->b, result->bias, result->c);
    }();
    const dnnl::matmul::primitive_desc description(operation, attributes, onednn::engine());
    if (std::string_view(description.impl_info_str()).starts_with("ref") && s.a.bf16) return nullptr;
    result->scratchpad = description.scratchpad_desc();
    result->primitive = dnnl::matmul(description);
    return result;
}

/// Prepared primitives by shape; null for a shape that oneDNN does not do. The oldest are dropped.
std::shared_ptr<Prepared> prepared(const Shape &shape) {
    static onednn::Cache<decltype(shape.key()), std::shared_ptr<Prepared>> cache(256);
    return cache.get(shape.key(), [&]() -> std::shared_ptr<Prepared> {
        try {
            return prepare(shape);
        } catch (const dnnl::error &error) {
            if (error.status == dnnl_unimplemented) return nullptr;
            throw;
        }
    });
}

void *offset(const Matrix &m, int64_t row, int64_t column, int64_t batch = 0) {
    const auto index = batch * m.batch_stride + row * m.row_stride + column * m.column_stride;
    return const_cast<char *>(static_cast<const char *>(m.data)) + index * (m.bf16 ? 2 : 4);
}

bool direct(const Shape &shape, const float *bias) {
    const auto p = prepared(shape);
    if (!p) return false;
    const auto &engine = onednn::engine();
    const auto bind = [&](const memory::desc &d, const void *data) {
        return memory(d, engine, const_cast<void *>(data));
    };
    std::unordered_map<int, memory> arguments = {
        {DNNL_ARG_SRC, bind(p->a, shape.a.data)},
        {DNNL_ARG_WEIGHTS, bind(p->b, shape.b.data)},
        {DNNL_ARG_DST, bind(p->c, shape.c.data)},
        {DNNL_ARG_SCRATCHPAD, bind(p->scratchpad, scratch(p->scratchpad.get_size()))},
    };
    if (bias) arguments.emplace(DNNL_ARG_BIAS, bind(p->bias, bias));
    if (shape.residual.data) arguments.emplace(p->residual_argument, bind(p->residual, shape.residual.data));
    onednn::execute(p->primitive, arguments);
    return true;
}

/// Rows `first..<first+count` of a bfloat16 matrix as dense float32, along its contiguous axis.
void widen(const Matrix &m, int64_t batch, int64_t row, int64_t rows, int64_t column, int64_t columns, float *out,
           Matrix *wide) {
    const bool by_rows = m.column_stride == 1;
    const int64_t lines = by_rows ? rows : columns, length = by_rows ? columns : rows;
    parallel_ranges(size_t(lines), size_t(16384 / std::max<int64_t>(1, length)), [&](size_t begin, size_t end) {
        for (size_t i = begin; i < end; i++) {
            const int64_t r = by_rows ? row + int64_t(i) : row, c = by_rows ? column : column + int64_t(i);
            convert_row(static_cast<const bf16 *>(offset(m, r, c, batch)), out + i * length, length);
        }
    });
    *wide = by_rows ? Matrix{out, false, length, 1, 0} : Matrix{out, false, 1, length, 0};
}

/// Through float32: converts operands that are bfloat16, multiplies a panel of columns at a time, finishes each row.
void by_panels(int64_t batch, int64_t m, int64_t n, int64_t k, const Matrix &a, const Matrix &b, const Matrix &c,
               const Epilogue &epilogue) {
    const int64_t panel = std::clamp<int64_t>((int64_t(1) << 22) / std::max<int64_t>(1, std::max(m, k)), 64, n);
    std::vector<float> wide_a(a.bf16 ? m * k : 0), wide_b(b.bf16 ? panel * k : 0), product(m * panel);
    for (int64_t i = 0; i < batch; i++) {
        Matrix left = a, out = c;
        left.data = offset(a, 0, 0, i);
        out.data = offset(c, 0, 0, i);
        if (a.bf16) widen(a, i, 0, m, 0, k, wide_a.data(), &left);
        auto rest = epilogue;
        if (rest.residual.data) rest.residual.data = offset(epilogue.residual, 0, 0, i);
        for (int64_t first = 0; first < n; first += panel) {
            const int64_t columns = std::min(panel, n - first);
            Matrix right = b;
            right.data = offset(b, 0, first, i);
            if (b.bf16) widen(b, i, 0, k, first, columns, wide_b.data(), &right);
            const Matrix target{product.data(), false, columns, 1, 0};
            if (!direct({1, m, columns, k, left, right, target, {}, false, CMLX_ACTIVATION_NONE}, nullptr))
                throw std::runtime_error("oneDNN has no float32 matrix product for these strides");
            parallel_ranges(size_t(m), 8, [&](size_t begin, size_t end) {
                finish_rows(product.data() + begin * columns, columns, end - begin, columns, rest, begin, first, out);
            });
        }
    }
}

}  // namespace

void finish_rows(const float *product, int64_t stride, int64_t rows, int64_t n, const Epilogue &e, int64_t row_index,
                 int64_t first, const Matrix &out) {
    const auto finish = [&](auto activate) {
        simd::dispatch([&](auto level) ALWAYS_INLINE {
            const auto load = [&](const void *data, bool is_bf16, int64_t j, int count) ALWAYS_INLINE {
                return is_bf16 ? simd::load(static_cast<const bf16 *>(data) + j, count)
                               : simd::load(static_cast<const float *>(data) + j, count);
            };
            for (int64_t r = 0; r < rows; r++) {
                const float *row = product + r * stride;
                const void *residual = e.residual.data ? offset(e.residual, row_index + r, first) : nullptr;
                void *target = offset(out, row_index + r, first);
                const auto step = [&](int64_t j, int count) ALWAYS_INLINE {
                    simd::f32 v = simd::load(row + j, count);
                    if (e.bias) v += load(e.bias, e.bias_bf16, first + j, count);
                    v = activate(v);
                    if (residual) v += load(residual, e.residual.bf16, j, count);
                    if (!out.bf16) return simd::store(static_cast<float *>(target) + j, v, count);
                    const simd::u16 bits = simd::narrow<decltype(level)::value>(v);
                    std::memcpy(static_cast<bf16 *>(target) + j, &bits, size_t(count) * sizeof(bf16));
                };
                int64_t j = 0;
                for (; j + simd::width <= n; j += simd::width) step(j, simd::width);
                if (j < n) step(j, int(n - j));
            }
        });
    };
    if (e.near && e.activation == CMLX_ACTIVATION_GELU)
        return finish([](simd::f32 x) ALWAYS_INLINE { return simd::near_gelu(x); });
    simd::with_activation(e.activation, [&](auto kind) {
        finish([](simd::f32 x) ALWAYS_INLINE { return simd::activate<decltype(kind)::value>(x, 0); });
    });
}

void gemm(int64_t batch, int64_t m, int64_t n, int64_t k, const Matrix &a, const Matrix &b, const Matrix &c,
          const Epilogue &epilogue) {
    if (batch == 0 || m == 0 || n == 0) return;
    if (k == 0) {
        const std::vector<float> zeros(n);
        for (int64_t i = 0; i < batch; i++) {
            auto rest = epilogue;
            Matrix out = c;
            out.data = offset(c, 0, 0, i);
            if (rest.residual.data) rest.residual.data = offset(epilogue.residual, 0, 0, i);
            finish_rows(zeros.data(), 0, m, n, rest, 0, 0, out);
        }
        return;
    }
    // oneDNN has bfloat16 from AVX-512 on; below that, and to keep tests honest about the limit, go through float32.
    const bool supported = a.bf16 ? isa() >= ISA::avx512 : !c.bf16;
    if (supported) {
        std::vector<float> bias(epilogue.bias ? n : 0);
        if (epilogue.bias)
            finish_rows(bias.data(), n, 1, n, {epilogue.bias, epilogue.bias_bf16}, 0, 0, {bias.data(), false, n, 1, 0});
        const Shape shape{batch, m, n, k, a, b, c, epilogue.residual, epilogue.bias != nullptr, epilogue.activation};
        if (direct(shape, epilogue.bias ? bias.data() : nullptr)) return;
    }
    by_panels(batch, m, n, k, a, b, c, epilogue);
}

}  // namespace cmlx
