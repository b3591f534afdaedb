// A few rows of activations times rows of a dense matrix; see dense_rows.hpp.
#include "dense_rows.hpp"
#include <algorithm>
#include "convert.hpp"
#include "horizontal.hpp"
#include "simd.hpp"

namespace cmlx {

namespace {

using simd::bf16;
using simd::f32;

/// How many elements one step of a kernel takes along K, and how it multiplies them.
template <ISA instructions, class W>
struct Step {
    static constexpr ISA set = instructions;
    static constexpr bool pairs = set == ISA::avx512_bf16 && std::is_same_v<W, bf16>;
    static constexpr int length = pairs ? 32 : 16;
    using X = std::conditional_t<pairs, bf16, float>;
    using Operand = std::conditional_t<pairs, simd::u32, f32>;

    template <class T>
    ALWAYS_INLINE static Operand load(const T *p) {
        if constexpr (pairs)
            return simd::load_bits<simd::u32>(p);
        else
            return simd::load(p);
    }
    template <class T>
    ALWAYS_INLINE static Operand load(const T *p, int count) {
        if constexpr (pairs)
            return simd::load_bytes<set>(p, count * 2);
        else
            return simd::load(p, count);
    }
    ALWAYS_INLINE static void multiply(f32 &sum, const Operand &a, const Operand &b) {
        if constexpr (pairs)
            simd::dot_pairs(sum, a, b);
        else
            sum = sum + a * b;
    }
};

/// sums[m][j] = x[m] . w[j] lane by lane for `together` rows of weights and M rows of x. Every M adds in one order: that of
/// K, in blocks, so that rounding errors of long rows do not pile up. Weights far ahead are fetched in the order of memory, whatever row they belong to.
template <class S, int M, int together, class W>
ALWAYS_INLINE inline void multiply_rows(const typename S::X *const (&x)[M], const W *w, int64_t k,
                                        f32 (&sums)[M][together]) {
    constexpr int64_t ahead = 16384;  // bytes; into the second-level cache, whose queue is the longer one
    constexpr int64_t block = 64 * S::length;
    f32 acc[M][together] = {};
    for (int m = 0; m < M; m++)
        for (int j = 0; j < together; j++) sums[m][j] = f32{};
    const auto step = [&](auto load_w, auto load_x) ALWAYS_INLINE {
        typename S::Operand b[together];
        for (int j = 0; j < together; j++) b[j] = load_w(j);
        for (int m = 0; m < M; m++) {
            const auto a = load_x(m);
            for (int j = 0; j < together; j++) S::multiply(acc[m][j], a, b[j]);
        }
    };
    const auto collect = [&]() ALWAYS_INLINE {
        for (int m = 0; m < M; m++)
            for (int j = 0; j < together; j++) sums[m][j] += acc[m][j], acc[m][j] = f32{};
    };
    int64_t i = 0;
    while (i + S::length <= k) {
        for (const int64_t end = std::min(k, i + block); i + S::length <= end; i += S::length) {
            for (int j = 0; j < together; j++)
                __builtin_prefetch(reinterpret_cast<const char *>(w + i * together + j * S::length) + ahead, 0, 2);
            step([&](int j) ALWAYS_INLINE { return S::load(w + j * k + i); },
                 [&](int m) ALWAYS_INLINE { return S::load(x[m] + i); });
        }
        collect();
    }
    if (i < k) {
        const int n = int(k - i);
        step([&](int j) ALWAYS_INLINE { return S::load(w + j * k + i, n); },
             [&](int m) ALWAYS_INLINE { return S::load(x[m] + i, n); });
        collect();
    }
}

/// out[m][j] = x[m] . w[j] for n rows of weights.
template <class S, int M, class W>
ALWAYS_INLINE inline void columns(const typename S::X *const *lines, const W *w, int64_t n, int64_t k, float *out,
                                  int64_t out_stride) {
    // Rows of weights in flight, so that a vector of x is loaded once for several, within the registers there are.
    constexpr int together = S::set >= ISA::avx512 ? (M == 8 ? 3 : 4) : M <= 2 ? 4 / M : 1;
    constexpr int rows = M == 8       ? 6
                         : M % 3 == 0 ? 48 / M
                                      : 16 / M * (M == 4 ? 2 : 1);  // of weights until sums are taken
    constexpr int batch = std::min(16, M * rows);
    static_assert(M * rows % batch == 0);
    const typename S::X *x[M];
    for (int m = 0; m < M; m++) x[m] = lines[m];
    for (int64_t first = 0; first < n; first += rows) {
        f32 sums[M * rows] = {};
        const int here = int(std::min<int64_t>(rows, n - first));
        const auto multiply = [&](auto group, int j) ALWAYS_INLINE {
            constexpr int G = decltype(group)::value;
            f32 part[M][G];
            multiply_rows<S, M, G>(x, w + (first + j) * k, k, part);
            for (int m = 0; m < M; m++)
                for (int g = 0; g < G; g++) sums[m * rows + j + g] = part[m][g];
        };
        int j = 0;
        for (; j + together <= here; j += together) multiply(std::integral_constant<int, together>(), j);
        for (; j < here; j++) multiply(std::integral_constant<int, 1>(), j);
        float result[M * rows];
        for (int i = 0; i < M * rows; i += batch) simd::horizontal_sums<batch>(sums + i, result + i);
        for (int m = 0; m < M; m++)
            for (int i = 0; i < here; i++) out[m * out_stride + first + i] = result[m * rows + i];
    }
}

template <class W>
void run(int64_t m, int64_t k, const std::vector<const void *> &lines, const W *w, int64_t n, float *out, int64_t stride) {
    simd::dispatch([&](auto level) ALWAYS_INLINE {
        using S = Step<decltype(level)::value, W>;
        const typename S::X *rows[few_rows];
        for (int i = 0; i < few_rows; i++) rows[i] = static_cast<const typename S::X *>(lines[std::min<size_t>(i, m - 1)]);
        if (m == 1)
            columns<S, 1>(rows, w, n, k, out, stride);
        else if (m == 2)
            columns<S, 2>(rows, w, n, k, out, stride);
        else if (m == 3)
            columns<S, 3>(rows, w, n, k, out, stride);
        else if (m == 4)
            columns<S, 4>(rows, w, n, k, out, stride);
        else if (m <= 6)
            columns<S, 6>(rows, w, n, k, out, stride);
        else
            columns<S, 8>(rows, w, n, k, out, stride);
    });
}

}  // namespace

DenseRows::DenseRows(int64_t m, int64_t k, const Matrix &x, bool bf16_weights) : k_(k) {
    // The type that the kernel multiplies; rows begin at a cache line, or vectors would straddle two.
    const bool pairs = isa() == ISA::avx512_bf16 && bf16_weights;
    const int64_t bytes = (k * (pairs ? 2 : 4) + 63) / 64 * 64;
    memory_.resize(size_t(m * bytes) + 64);
    auto *memory = reinterpret_cast<char *>((reinterpret_cast<uintptr_t>(memory_.data()) + 63) / 64 * 64);
    for (int64_t i = 0; i < m; i++) {
        void *line = memory + i * bytes;
        const void *row = static_cast<const char *>(x.data) + i * x.row_stride * (x.bf16 ? 2 : 4);
        if (x.bf16 == pairs)
            std::memcpy(line, row, size_t(k) * (pairs ? 2 : 4));
        else
            convert_row(static_cast<const bf16 *>(row), static_cast<float *>(line), k);
        lines_.push_back(line);
    }
}

void DenseRows::multiply(const WeightData &w, int64_t first, int64_t count, float *out, int64_t stride) const {
    const auto m = int64_t(lines_.size());
    if (w.bf16)
        run(m, k_, lines_, reinterpret_cast<const bf16 *>(w.row(first)), count, out, stride);
    else
        run(m, k_, lines_, reinterpret_cast<const float *>(w.row(first)), count, out, stride);
}

}  // namespace cmlx
