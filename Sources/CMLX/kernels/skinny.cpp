// Products of a few rows with a big weight matrix at the speed memory delivers the weights; see skinny.hpp.
#include "skinny.hpp"
#include <vector>
#include "convert.hpp"
#include "parallel.hpp"
#include "simd.hpp"

namespace cmlx {

namespace {

using simd::bf16;
using simd::f32;

/// How many elements one step of a kernel takes along K, and how it multiplies them.
template <ISA set, class W>
struct Step {
    static constexpr bool pairs = set == ISA::avx512_bf16 && std::is_same_v<W, bf16>;
    static constexpr int length = pairs ? 32 : 16;
    using X = std::conditional_t<pairs, bf16, float>;
};

/// out[m][j] = x[m] . w[j] for `rows` weight rows and M rows of x.
template <ISA set, int M, int rows, class W>
ALWAYS_INLINE inline void block(const typename Step<set, W>::X *const *x, const W *w, int64_t k, float *out, int64_t out_stride) {
    using S = Step<set, W>;
    f32 acc[M * rows] = {};
    const W *line[rows];
    for (int j = 0; j < rows; j++) line[j] = w + j * k;
    int64_t i = 0;
    const auto step = [&](auto load_w, auto load_x) ALWAYS_INLINE {
        if constexpr (S::pairs) {
            simd::u32 b[rows];
            for (int j = 0; j < rows; j++) b[j] = load_w(line[j] + i);
            for (int m = 0; m < M; m++) {
                const simd::u32 a = load_x(x[m] + i);
                for (int j = 0; j < rows; j++) simd::dot_pairs(acc[m * rows + j], a, b[j]);
            }
        } else {
            f32 b[rows];
            for (int j = 0; j < rows; j++) b[j] = load_w(line[j] + i);
            for (int m = 0; m < M; m++) {
                const f32 a = load_x(x[m] + i);
                for (int j = 0; j < rows; j++) acc[m * rows + j] = acc[m * rows + j] + a * b[j];
            }
        }
    };
    const auto whole = [](auto *p) ALWAYS_INLINE {
        if constexpr (S::pairs) return simd::load_bits<simd::u32>(p);
        else return simd::load(p);
    };
    for (; i + S::length <= k; i += S::length) {
        for (int j = 0; j < rows; j++) __builtin_prefetch(reinterpret_cast<const char *>(line[j] + i) + 1024);
        step(whole, whole);
    }
    if (const int rest = int(k - i); rest > 0) {
        const auto part = [rest](auto *p) ALWAYS_INLINE {
            if constexpr (S::pairs) {
                simd::u32 v = {};
                std::memcpy(&v, p, size_t(rest) * 2);
                return v;
            } else {
                return simd::load(p, rest);
            }
        };
        step(part, part);
    }
    for (int m = 0; m < M; m++)
        for (int j = 0; j < rows; j++) out[m * out_stride + j] = simd::sum(acc[m * rows + j]);
}

template <ISA set, int M, class W>
ALWAYS_INLINE inline void columns(const typename Step<set, W>::X *const *x, const W *w, int64_t n, int64_t k, float *out,
                                  int64_t out_stride) {
    constexpr int rows = set == ISA::portable ? 1 : set == ISA::avx2 ? (M >= 4 ? 1 : 2) : M >= 8 ? 2 : 4;
    int64_t j = 0;
    for (; j + rows <= n; j += rows) block<set, M, rows, W>(x, w + j * k, k, out + j, out_stride);
    for (; j < n; j++) block<set, M, 1, W>(x, w + j * k, k, out + j, out_stride);
}

/// The rows of x as the kernel wants them: in place, or widened into `memory` where bfloat16 is not multiplied directly.
std::vector<const void *> prepare(int64_t m, int64_t k, const Matrix &x, bool pairs, std::vector<float> &memory) {
    std::vector<const void *> lines(m);
    if (x.bf16 && !pairs) memory.resize(m * k);
    for (int64_t i = 0; i < m; i++) {
        lines[i] = static_cast<const char *>(x.data) + i * x.row_stride * (x.bf16 ? 2 : 4);
        if (x.bf16 && !pairs) {
            convert_row(static_cast<const bf16 *>(lines[i]), memory.data() + i * k, k);
            lines[i] = memory.data() + i * k;
        }
    }
    return lines;
}

template <class W>
void run(int64_t m, int64_t n, int64_t k, const Matrix &x, const W *w, const Matrix &out, const Epilogue &epilogue) {
    constexpr int most = 8, chunk = 64;  // rows of x a pass, weight rows between epilogues
    const bool pairs = isa() == ISA::avx512_bf16 && std::is_same_v<W, bf16>;
    std::vector<float> memory;
    const auto lines = prepare(m, k, x, pairs, memory);
    const int64_t chunks = (n + chunk - 1) / chunk;
    parallel_ranges(size_t(chunks), size_t(std::max<int64_t>(1, 65536 / (chunk * k))), [&](size_t begin, size_t end) {
        float result[most * chunk];
        for (size_t c = begin; c < end; c++) {
            const int64_t first = int64_t(c) * chunk, count = std::min<int64_t>(chunk, n - first);
            for (int64_t top = 0; top < m; top += most) {
                const int here = int(std::min<int64_t>(most, m - top));
                simd::dispatch([&](auto level) ALWAYS_INLINE {
                    constexpr ISA set = decltype(level)::value;
                    using X = typename Step<set, W>::X;
                    const X *rows[most];
                    for (int i = 0; i < most; i++) rows[i] = static_cast<const X *>(lines[top + std::min(i, here - 1)]);
                    const W *p = w + first * k;
                    if (here == 1) columns<set, 1, W>(rows, p, count, k, result, chunk);
                    else if (here == 2) columns<set, 2, W>(rows, p, count, k, result, chunk);
                    else if (here <= 4) columns<set, 4, W>(rows, p, count, k, result, chunk);
                    else columns<set, 8, W>(rows, p, count, k, result, chunk);
                });
                for (int i = 0; i < here; i++) finish_row(result + i * chunk, count, epilogue, top + i, first, out);
            }
        }
    });
}

}  // namespace

void skinny(int64_t m, int64_t n, int64_t k, const Matrix &x, const void *weight, const Matrix &out,
            const Epilogue &epilogue) {
    if (x.bf16) run(m, n, k, x, static_cast<const bf16 *>(weight), out, epilogue);
    else run(m, n, k, x, static_cast<const float *>(weight), out, epilogue);
}

}  // namespace cmlx
