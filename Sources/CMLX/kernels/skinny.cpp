// Products of a few rows with a big weight matrix at the speed memory delivers the weights; see skinny.hpp.
#include "skinny.hpp"
#include <utility>
#include <vector>
#include "convert.hpp"
#include "parallel.hpp"
#include "scratch.hpp"
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

/// sums[m][j] = x[m] . w[j] lane by lane for `together` rows of weights and M rows of x, with `chains` independent
/// sums each along K to hide the multiplication's latency. Weights far ahead are fetched in the order of memory,
/// whatever row they belong to.
template <class S, int M, int together, int chains, class W>
ALWAYS_INLINE inline void multiply_rows(const typename S::X *const (&x)[M], const W *w, int64_t k,
                                        f32 (&sums)[M][together]) {
    constexpr int64_t ahead = 16384;  // bytes; into the second-level cache, whose queue is the longer one
    f32 acc[chains][M][together] = {};
    const auto step = [&](int chain, auto load_w, auto load_x) ALWAYS_INLINE {
        typename S::Operand b[together];
        for (int j = 0; j < together; j++) b[j] = load_w(j);
        for (int m = 0; m < M; m++) {
            const auto a = load_x(m);
            for (int j = 0; j < together; j++) S::multiply(acc[chain][m][j], a, b[j]);
        }
    };
    int64_t i = 0;
    for (; i + chains * S::length <= k; i += chains * S::length)
        for (int c = 0; c < chains; c++) {
            const int64_t at = i + c * S::length;
            for (int j = 0; j < together; j++)
                __builtin_prefetch(reinterpret_cast<const char *>(w + at * together + j * S::length) + ahead, 0, 2);
            step(c, [&](int j) ALWAYS_INLINE { return S::load(w + j * k + at); },
                 [&](int m) ALWAYS_INLINE { return S::load(x[m] + at); });
        }
    for (; i < k; i += S::length) {
        const int n = int(std::min<int64_t>(S::length, k - i));
        step(0, [&](int j) ALWAYS_INLINE { return S::load(w + j * k + i, n); },
             [&](int m) ALWAYS_INLINE { return S::load(x[m] + i, n); });
    }
    for (int m = 0; m < M; m++)
        for (int j = 0; j < together; j++) {
            f32 sum = acc[0][m][j];
            for (int c = 1; c < chains; c++) sum += acc[c][m][j];
            sums[m][j] = sum;
        }
}

/// Sums within each of `count` vectors, a power of two up to 16, by halving: out[i] = sum(v[i]).
template <int count>
ALWAYS_INLINE inline void horizontal_sums(f32 *v, float *out) {
    const auto halve = [&](auto chunk, int left)
                           ALWAYS_INLINE {  // vectors i and i + left share one; chunks of lanes halve
        constexpr int s = decltype(chunk)::value;
        for (int i = 0; i < left; i++) {
            const f32 a = v[i], b = v[i + left];
            v[i] = [&]<int... lane>(std::integer_sequence<int, lane...>) ALWAYS_INLINE {
                constexpr auto from = [](int l) {
                    return l / (s / 2) / (16 / s) * 16 + l / (s / 2) % (16 / s) * s + l % (s / 2);
                };
                return __builtin_shufflevector(a, b, from(lane)...) +
                       __builtin_shufflevector(a, b, (from(lane) + s / 2)...);
            }(std::make_integer_sequence<int, 16>());
        }
    };
    if constexpr (count >= 2) halve(std::integral_constant<int, 16>(), count / 2);
    if constexpr (count >= 4) halve(std::integral_constant<int, 8>(), count / 4);
    if constexpr (count >= 8) halve(std::integral_constant<int, 4>(), count / 8);
    if constexpr (count >= 16) halve(std::integral_constant<int, 2>(), count / 16);
    f32 all = v[0];
    if constexpr (count <= 1)
        all += __builtin_shufflevector(all, all, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7);
    if constexpr (count <= 2)
        all += __builtin_shufflevector(all, all, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11);
    if constexpr (count <= 4)
        all += __builtin_shufflevector(all, all, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13);
    if constexpr (count <= 8)
        all += __builtin_shufflevector(all, all, 1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14);
    for (int i = 0; i < count; i++) {  // the first halving chose the lowest bit of a lane's place, and so on
        int place = 0;
        for (int bit = 1, up = count / 2; bit < count; bit *= 2, up /= 2) place += i & up ? bit : 0;
        out[i] = all[place * (16 / count)];
    }
}

/// out[m][j] = x[m] . w[j] for n rows of weights.
template <class S, int M, class W>
ALWAYS_INLINE inline void columns(const typename S::X *const *lines, const W *w, int64_t n, int64_t k, float *out,
                                  int64_t out_stride) {
    // Rows of weights in flight, so that a vector of x is loaded once for several, within the registers there are.
    constexpr int together = S::set < ISA::avx512 ? 1 : M == 1 ? 1 : M == 2 ? 2 : M == 8 ? 3 : 4;
    constexpr int chains = M == 1 ? 4 : M == 2 && S::set >= ISA::avx512 ? 2 : 1;
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
            multiply_rows<S, M, G, chains>(x, w + (first + j) * k, k, part);
            for (int m = 0; m < M; m++)
                for (int g = 0; g < G; g++) sums[m * rows + j + g] = part[m][g];
        };
        int j = 0;
        for (; j + together <= here; j += together) multiply(std::integral_constant<int, together>(), j);
        for (; j < here; j++) multiply(std::integral_constant<int, 1>(), j);
        float result[M * rows];
        for (int i = 0; i < M * rows; i += batch) horizontal_sums<batch>(sums + i, result + i);
        for (int m = 0; m < M; m++)
            for (int i = 0; i < here; i++) out[m * out_stride + first + i] = result[m * rows + i];
    }
}

/// Copies the rows of x to aligned memory, in the type the kernel multiplies: they are read again for every weight row,
/// and arrays begin where a vector straddles two cache lines.
std::vector<const void *> prepare(int64_t m, int64_t k, const Matrix &x, bool pairs) {
    const int64_t bytes = (k * (pairs ? 2 : 4) + 63) / 64 * 64;
    auto *memory = static_cast<char *>(scratch(size_t(m * bytes)));
    std::vector<const void *> lines(m);
    for (int64_t i = 0; i < m; i++) {
        void *line = memory + i * bytes;
        const void *row = static_cast<const char *>(x.data) + i * x.row_stride * (x.bf16 ? 2 : 4);
        if (x.bf16 == pairs)
            std::memcpy(line, row, size_t(k) * (pairs ? 2 : 4));
        else
            convert_row(static_cast<const bf16 *>(row), static_cast<float *>(line), k);
        lines[i] = line;
    }
    return lines;
}

template <class W>
void run(int64_t m, int64_t n, int64_t k, const Matrix &x, const W *w, const Matrix &out, const Epilogue &epilogue) {
    constexpr int most = 8, chunk = 64;  // rows of x a pass, weight rows between epilogues
    const bool pairs = isa() == ISA::avx512_bf16 && std::is_same_v<W, bf16>;
    const auto lines = prepare(m, k, x, pairs);
    const int64_t chunks = (n + chunk - 1) / chunk;
    parallel_ranges(size_t(chunks), size_t(std::max<int64_t>(1, 65536 / (chunk * k))), [&](size_t begin, size_t end) {
        float result[most * chunk];
        for (size_t c = begin; c < end; c++) {
            const int64_t first = int64_t(c) * chunk, count = std::min<int64_t>(chunk, n - first);
            for (int64_t top = 0; top < m; top += most) {
                const int here = int(std::min<int64_t>(most, m - top));
                simd::dispatch([&](auto level) ALWAYS_INLINE {
                    using S = Step<decltype(level)::value, W>;
                    const typename S::X *rows[most];
                    for (int i = 0; i < most; i++)
                        rows[i] = static_cast<const typename S::X *>(lines[top + std::min(i, here - 1)]);
                    const W *p = w + first * k;
                    if (here == 1)
                        columns<S, 1>(rows, p, count, k, result, chunk);
                    else if (here == 2)
                        columns<S, 2>(rows, p, count, k, result, chunk);
                    else if (here == 3)
                        columns<S, 3>(rows, p, count, k, result, chunk);
                    else if (here == 4)
                        columns<S, 4>(rows, p, count, k, result, chunk);
                    else if (here <= 6)
                        columns<S, 6>(rows, p, count, k, result, chunk);
                    else
                        columns<S, 8>(rows, p, count, k, result, chunk);
                });
                for (int i = 0; i < here; i++) finish_row(result + i * chunk, count, epilogue, top + i, first, out);
            }
        }
    });
}

}  // namespace

void skinny(int64_t m, int64_t n, int64_t k, const Matrix &x, const void *weight, const Matrix &out,
            const Epilogue &epilogue) {
    if (x.bf16)
        run(m, n, k, x, static_cast<const bf16 *>(weight), out, epilogue);
    else
        run(m, n, k, x, static_cast<const float *>(weight), out, epilogue);
}

}  // namespace cmlx
