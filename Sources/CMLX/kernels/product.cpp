// Products of rows of activations with weight matrices of any form; see product.hpp.
#include "product.hpp"
#include "activation.hpp"
#include "few_rows.hpp"
#include "many_rows.hpp"
#include "parallel.hpp"
#include "scratch.hpp"

namespace cmlx {

namespace {

/// One product of many rows, whatever `job.up`.
void multiply_one(int64_t m, int64_t k, const Matrix &x, const Job &job, bool int8) {
    const auto &w = job.weight;
    if (w.kind.form == Form::dense)
        gemm(1, m, w.kind.n, k, x, {w.data, w.bf16, 1, k, 0}, job.out, job.epilogue);
    else
        multiply_many(m, k, x, {w, job.epilogue, job.out}, int8);
}

/// silu(gate) * up where one of them is dense: both are computed, then joined.
void multiply_apart(int64_t m, int64_t k, const Matrix &x, const Job &job, bool int8) {
    struct Apart;
    const int64_t n = job.weight.kind.n;
    auto *gate = static_cast<float *>(scratch<Apart>(size_t(2 * m * n) * sizeof(float))), *up = gate + m * n;
    multiply_one(m, k, x, {job.weight, {}, {gate, false, n, 1, 0}}, int8);
    multiply_one(m, k, x, {*job.up, {}, {up, false, n, 1, 0}}, int8);
    parallel_ranges(size_t(m), 1, [&](size_t begin, size_t end) {
        for (auto i = int64_t(begin); i < int64_t(end); i++) join_gate(job, gate + i * n, up + i * n, 0, n);
        finish_rows(gate + begin * n, n, end - begin, n, {}, begin, 0, job.out);
    });
}

}  // namespace

void join_gate(const Job &job, float *gate, const float *up, int64_t first, int64_t count) {
    simd::dispatch([&](auto) ALWAYS_INLINE {
        const auto bias = [&](const void *data, bool bf16, int64_t j, int n) ALWAYS_INLINE {
            return data ? Source{bf16 ? FloatType::bf16 : FloatType::f32, data}.load(first + j, n) : simd::f32{};
        };
        for (int64_t j = 0; j < count; j += simd::width) {
            const int n = int(std::min<int64_t>(simd::width, count - j));
            const auto g = simd::load(gate + j, n) + bias(job.epilogue.bias, job.epilogue.bias_bf16, j, n);
            const auto u = simd::load(up + j, n) + bias(job.up_bias, job.up_bias_bf16, j, n);
            simd::store(gate + j, g * simd::sigmoid(g) * u, n);
        }
    });
}

void multiply(int64_t m, int64_t k, const Matrix &x, std::span<const Job> jobs, bool int8) {
    if (m <= few_rows && k > 0) return multiply_few(m, k, x, jobs);
    for (const auto &job : jobs) {
        const auto form = job.weight.kind.form, other = job.up ? job.up->kind.form : form;
        const bool packed = form == Form::int8 || other == Form::int8;
        const bool integers = isa() == ISA::avx512_bf16 && (packed || int8);
        if (job.up && (form == Form::dense || other == Form::dense))
            multiply_apart(m, k, x, job, integers);
        else if (job.up)
            multiply_many(m, k, x, job, integers);
        else
            multiply_one(m, k, x, job, integers);
    }
}

}  // namespace cmlx
