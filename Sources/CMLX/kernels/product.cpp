// Products of rows of activations with weight matrices of any form; see product.hpp.
#include "product.hpp"
#include "activation.hpp"
#include "affine_simd.hpp"
#include "convert.hpp"
#include "int8.hpp"
#include "parallel.hpp"
#include "few_rows.hpp"

namespace cmlx {

namespace {

void dense(int64_t m, int64_t n, int64_t k, const Matrix &x, const Matrix &weight, const Matrix &out,
           const Epilogue &epilogue) {
    gemm(1, m, n, k, x, {weight.data, weight.bf16, 1, k, 0}, out, epilogue);
}

void offset_columns(Matrix &m, int64_t columns) {
    if (m.data) m.data = static_cast<const char *>(m.data) + columns * (m.bf16 ? 2 : 4);
}

template <class T>
void by_panels(int64_t m, int64_t k, const Matrix &x, const WeightData &w, const Matrix &out, const Epilogue &epilogue) {
    const int64_t n = w.kind.n, panel = std::min<int64_t>(n, 256);
    std::vector<T> dense_rows(size_t(panel * k));
    for (int64_t first = 0; first < n; first += panel) {
        const int64_t columns = std::min(panel, n - first);
        parallel_ranges(size_t(columns), 4, [&](size_t begin, size_t end) {
            std::vector<float> row(w.kind.form == Form::int8 ? k : 0);
            for (size_t i = begin; i < end; i++) {
                T *to = dense_rows.data() + i * size_t(k);
                if (w.kind.form == Form::int8) {
                    unpack_int8_row(w, first + int64_t(i), 0, k, row.data());
                    convert_row(row.data(), to, k);
                } else {
                    simd::dispatch([&](auto) ALWAYS_INLINE {
                        with_bits(w.kind.bits, [&](auto bits) ALWAYS_INLINE {
                            dequantize_row<decltype(bits)::value>(w, first + int64_t(i), 0, k, to);
                        });
                    });
                }
            }
        });
        Epilogue part = epilogue;
        Matrix target = out;
        offset_columns(target, first);
        offset_columns(part.residual, first);
        if (part.bias) part.bias = static_cast<const char *>(part.bias) + first * (part.bias_bf16 ? 2 : 4);
        dense(m, columns, k, x, {dense_rows.data(), std::is_same_v<T, simd::bf16>, k, 1, 0}, target, part);
    }
}

void single(int64_t m, int64_t k, const Matrix &x, const WeightData &w, const Matrix &out, const Epilogue &epilogue) {
    if (w.kind.form == Form::dense)
        dense(m, w.kind.n, k, x, {w.data, w.bf16, k, 1, 0}, out, epilogue);
    else if (x.bf16)
        by_panels<simd::bf16>(m, k, x, w, out, epilogue);
    else
        by_panels<float>(m, k, x, w, out, epilogue);
}

}  // namespace

void multiply(int64_t m, int64_t k, const Matrix &x, std::span<const Job> jobs, bool int8) {
    if (m <= few_rows && k > 0) return multiply_few(m, k, x, jobs);
    (void)int8;
    for (const auto &job : jobs) {
        const int64_t n = job.weight.kind.n;
        if (!job.up) {
            single(m, k, x, job.weight, job.out, job.epilogue);
            continue;
        }
        std::vector<float> gate(size_t(m * n)), up(size_t(m * n));
        single(m, k, x, job.weight, {gate.data(), false, n, 1, 0}, job.epilogue);
        single(m, k, x, *job.up, {up.data(), false, n, 1, 0}, {job.up_bias, job.up_bias_bf16});
        parallel_ranges(size_t(m), 1, [&](size_t begin, size_t end) {
            simd::dispatch([&](auto) ALWAYS_INLINE {
                for (size_t i = begin; i < end; i++)
                    for (int64_t j = 0; j < n; j += simd::width) {
                        const int count = int(std::min<int64_t>(simd::width, n - j));
                        const simd::f32 g = simd::load(gate.data() + i * n + j, count);
                        simd::store(gate.data() + i * n + j, g * simd::sigmoid(g) * simd::load(up.data() + i * n + j, count),
                                    count);
                    }
            });
            for (size_t i = begin; i < end; i++) finish_row(gate.data() + i * n, n, {}, int64_t(i), 0, job.out);
        });
    }
}

}  // namespace cmlx
