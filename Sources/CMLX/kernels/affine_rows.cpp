// A few rows of activations times rows of weights in affine groups; see affine_rows.hpp.
#include "affine_rows.hpp"
#include "affine_simd.hpp"
#include "convert.hpp"
#include "horizontal.hpp"
#include "scratch.hpp"

namespace cmlx {

namespace {

using simd::f32;
using simd::i32;
using simd::u32;

constexpr int64_t padded(int64_t count, int64_t to) { return (count + to - 1) / to * to; }
/// Bytes of packed weights that one step takes, and how many weights these are.
constexpr int64_t step_bytes = 64;
constexpr int64_t step_weights(int bits) { return step_bytes * 8 / bits; }
/// The largest 16-bit integer whose bytes, taken as signed with a carry, both fit 8 bits.
constexpr float most = 127 * 256 + 127;

/// Rounds one row of x to 16-bit integers, each group with a scale, and calls `put(j, integers)` for 16 of them at a time.
template <class Put>
ALWAYS_INLINE inline void round_groups(const float *values, int64_t k, int64_t group, float *scales, float *sums, Put &&put) {
    for (int64_t g = 0; g < k / group; g++) {
        f32 top = {}, strange = {};  // the latter not a number where a value is infinite or none
        for (int64_t j = g * group; j < (g + 1) * group; j += simd::width) {
            const f32 v = simd::load(values + j);
            top = simd::max(v < 0 ? -v : v, top);
            strange += v - v;
        }
        const float largest = simd::highest(top);
        const bool finite = simd::sum(strange) == 0;
        const float scale = finite ? largest / most : __builtin_nanf("");
        const float inverse = finite && largest > 0 ? most / largest : 0;
        i32 total = {};
        for (int64_t j = g * group; j < (g + 1) * group; j += simd::width) {
            const f32 v = finite ? simd::load(values + j) * inverse : f32{};
            const i32 q = __builtin_bit_cast(i32, v + 12582912.0f) - 0x4b400000;  // to the nearest
            total += q;
            put(j, q);
        }
        int64_t sum = 0;
        for (int i = 0; i < simd::width; i++) sum += total[i];
        scales[g] = scale;
        sums[g] = float(sum) * scale;
    }
}

/// Splits one row of x into the bytes of its integers; `values` is the row as float32, padded with zeros to whole steps.
template <int bits>
ALWAYS_INLINE inline void split_row(const float *values, int64_t k, int64_t group, int8_t *high, int8_t *low,
                                    float *scales, float *sums) {
    typedef int8_t i8 __attribute__((vector_size(16)));
    typedef int8_t i8x8 __attribute__((vector_size(8)));
    round_groups(values, k, group, scales, sums, [&](int64_t j, const i32 &q) ALWAYS_INLINE {
        const i32 l = (q << 24) >> 24;
        const i8 low_bytes = __builtin_convertvector(l, i8), high_bytes = __builtin_convertvector((q - l) >> 8, i8);
        if constexpr (bits == 8) {
            std::memcpy(low + j, &low_bytes, sizeof low_bytes);
            std::memcpy(high + j, &high_bytes, sizeof high_bytes);
        } else {  // a step's even elements first, then the odd ones: the lower and upper halves of its bytes
            const int64_t at = j / 128 * 128 + j % 128 / 2;
            const auto put = [at](int8_t *to, const i8 &v) ALWAYS_INLINE {
                const i8x8 even = __builtin_shufflevector(v, v, 0, 2, 4, 6, 8, 10, 12, 14);
                const i8x8 odd = __builtin_shufflevector(v, v, 1, 3, 5, 7, 9, 11, 13, 15);
                std::memcpy(to + at, &even, sizeof even);
                std::memcpy(to + at + 64, &odd, sizeof odd);
            };
            put(low, low_bytes);
            put(high, high_bytes);
        }
    });
}

/// The integers of one row of x as words. With 4 bits a word of packed weights holds four: of 64 elements those come first that
/// are the lowest in their words.
template <int bits>
ALWAYS_INLINE inline void word_row(const float *values, int64_t k, int64_t group, int16_t *words, float *scales, float *sums) {
    round_groups(values, k, group, scales, sums, [&](int64_t j, const i32 &q) ALWAYS_INLINE {
        typedef int16_t i16 __attribute__((vector_size(32)));
        const auto v = __builtin_convertvector(q, i16);
        if constexpr (bits == 8) {
            std::memcpy(words + j, &v, sizeof v);
        } else {
            for (int i = 0; i < simd::width; i++) words[j / 64 * 64 + i % 4 * 16 + j % 64 / 4 + i / 4] = v[i];
        }
    });
}

struct Operand {
    const int8_t *high, *low;
    const float *scales, *sums;
};

/// sums[m][i] += x[m] . w[n + i] lane by lane for N rows of weights, groups `begin` (a multiple of 16) ..< `end`. Weights are
/// fetched `ahead` bytes before they are used.
template <ISA set, int bits, int group, int M, int N>
ALWAYS_INLINE inline void multiply_groups(const Operand (&x)[M], const WeightData &w, int64_t n, int64_t begin, int64_t end,
                                          int64_t ahead, f32 (&sums)[M][N]) {
    constexpr int halves = bits == 4 ? 2 : 1;
    // Lanes of a step take the scales of `spans` groups, or `repeats` steps that of one.
    constexpr int spans = std::max<int>(1, step_weights(bits) / group), repeats = std::max<int>(1, group / step_weights(bits));
    constexpr int stretch = simd::width / spans * repeats;  // steps that 16 groups make
    const int64_t bytes = int64_t(w.kind.k) * bits / 8, groups = w.kind.groups(), scale_size = w.scales.size();
    const int64_t scales_ahead = ahead / (group * bits / 8) * scale_size;  // bytes to those of the weights that are fetched
    const uint8_t *rows = w.row(n);
    f32 totals[M][N];
    for (int m = 0; m < M; m++)
        for (int i = 0; i < N; i++) totals[m][i] = sums[m][i];
    for (int64_t g = begin; g < end; g += simd::width) {
        const int c = int(std::min<int64_t>(simd::width, end - g));
        f32 scales[M][N];
        for (int i = 0; i < N; i++) {
            const int64_t place = (n + i) * groups + g;
            const f32 s = load_floats<set>(w.scales, place, c), b = load_floats<set>(w.biases, place, c);
            __builtin_prefetch(static_cast<const char *>(w.scales.data) + place * scale_size + scales_ahead);
            __builtin_prefetch(static_cast<const char *>(w.biases.data) + place * scale_size + scales_ahead);
            for (int m = 0; m < M; m++) {
                scales[m][i] = s * simd::load(x[m].scales + g);
                totals[m][i] = totals[m][i] + b * simd::load(x[m].sums + g);
            }
        }
        const auto step = [&](int64_t at, const u32 (&v)[N], int index) ALWAYS_INLINE {
            const i32 lane = simd::lanes() / (simd::width / spans) + index * spans;  // the group of each lane
            u32 q[N][halves];
            for (int i = 0; i < N; i++) {
                if constexpr (bits == 4) {
                    q[i][0] = v[i] & 0x0f0f0f0fu;
                    q[i][1] = (v[i] >> 4) & 0x0f0f0f0fu;
                } else {
                    q[i][0] = v[i];
                }
            }
            for (int m = 0; m < M; m++) {
                i32 dots[N] = {};
                const auto add = [&](const int8_t *operand) ALWAYS_INLINE {
                    for (int h = 0; h < halves; h++) {
                        const u32 part = simd::load_bits<u32>(operand + at * halves + h * step_bytes);
                        for (int i = 0; i < N; i++) simd::dot_quads(dots[i], q[i][h], part);
                    }
                };
                add(x[m].high);
                for (int i = 0; i < N; i++) dots[i] = dots[i] << 8;
                add(x[m].low);
                for (int i = 0; i < N; i++) {
                    f32 scale;
                    simd::permute(scale, scales[m][i], lane);
                    totals[m][i] = totals[m][i] + __builtin_convertvector(dots[i], f32) * scale;
                }
            }
        };
        const auto whole = [&](int64_t at, int index) ALWAYS_INLINE {
            u32 v[N];
            for (int i = 0; i < N; i++) {
                __builtin_prefetch(rows + i * bytes + at + ahead, 0, 2);
                v[i] = simd::load_bits<u32>(rows + i * bytes + at);
            }
            step(at, v, index);
        };
        const int64_t low = g * group * bits / 8, high = std::min(bytes, low + stretch * step_bytes);
        if (high - low == stretch * step_bytes) {
#pragma clang loop unroll(full)
            for (int t = 0; t < stretch; t++) whole(low + t * step_bytes, t / repeats);
        } else {
            int64_t at = low;
            int t = 0;
            for (; at + step_bytes <= high; at += step_bytes, t++) whole(at, t / repeats);
            if (at < high) {
                u32 v[N];
                for (int i = 0; i < N; i++) v[i] = simd::load_bytes<set>(rows + i * bytes + at, high - at);
                step(at, v, t / repeats);
            }
        }
    }
    for (int m = 0; m < M; m++)
        for (int i = 0; i < N; i++) sums[m][i] = totals[m][i];
}

/// out[i * stride + j] = x[i] . w[first + j] for M rows of x, j < count.
template <ISA set, int bits, int group, int M>
ALWAYS_INLINE inline void integer_rows(const Operand (&x)[M], const WeightData &w, int64_t first, int64_t count, float *out,
                                       int64_t stride) {
    constexpr int together = M == 1 || M == 3 ? 16 : 16 / M;  // weight rows whose sums are taken at once
    constexpr int shared = M == 2 ? 2 : 1;             // that share a load of x
    const int64_t groups = w.kind.groups();
    // Where rows of x outgrow the first-level cache, they go by in pieces.
    constexpr int64_t cached = 24576 / (2 * M) / (simd::width * group) * (simd::width * group);
    constexpr int64_t piece = std::max<int64_t>(cached, simd::width * group) / group;  // in groups
    // The next piece is that of the next row.
    const int64_t ahead = groups > piece ? shared * int64_t(w.kind.k) * bits / 8 : 8192;
    for (int64_t j = 0; j < count; j += together) {
        const int here = int(std::min<int64_t>(together, count - j));
        f32 sums[M * together] = {};
        const auto multiply = [&](auto rows, int i, int64_t top) ALWAYS_INLINE {
            constexpr int N = decltype(rows)::value;
            f32 part[M][N];
            for (int m = 0; m < M; m++)
                for (int r = 0; r < N; r++) part[m][r] = sums[m * together + i + r];
            multiply_groups<set, bits, group, M, N>(x, w, first + j + i, top, std::min(groups, top + piece), ahead, part);
            for (int m = 0; m < M; m++)
                for (int r = 0; r < N; r++) sums[m * together + i + r] = part[m][r];
        };
        for (int64_t top = 0; top < groups; top += piece) {
            int i = 0;
            for (; i + shared <= here; i += shared) multiply(std::integral_constant<int, shared>(), i, top);
            for (; i < here; i++) multiply(std::integral_constant<int, 1>(), i, top);
        }
        float result[M * together];
        for (int i = 0; i < M * together; i += 16) simd::horizontal_sums<16>(sums + i, result + i);
        for (int m = 0; m < M; m++)
            for (int i = 0; i < here; i++) out[m * stride + j + i] = result[m * together + i];
    }
}

/// What a vector of AVX2 holds: the least that a group's weights take where they are multiplied as words.
constexpr int vector_bits = 256;

/// A row of x as words, with the scale of each group and the sum of its elements.
struct Words {
    const int16_t *integers;
    const float *scales, *sums;
};

/// The same with x as words, for AVX2: products with the weights' integers are exact as well.
template <int bits, int group, int M>
ALWAYS_INLINE inline void word_rows(const Words (&x)[M], const WeightData &w, int64_t first, int64_t count, float *out,
                                    int64_t stride) {
    constexpr int64_t bytes = group * bits / 8, ahead = 4096;
    constexpr int parts = bits == 4 ? 4 : 2;  // vectors of words that 32 bytes of weights become
    const int64_t groups = w.kind.groups();
    for (int64_t j = 0; j < count; j++) {
        const int64_t n = first + j;
        const uint8_t *row = w.row(n);
        f32 offsets[M] = {};
        simd::f32x8 totals[M] = {};
        for (int64_t g = 0; g < groups; g += simd::width) {
            const int here = int(std::min<int64_t>(simd::width, groups - g));
            const f32 s = load_floats<ISA::avx2>(w.scales, n * groups + g, here);
            const f32 b = load_floats<ISA::avx2>(w.biases, n * groups + g, here);
            float scales[M][simd::width];
            for (int m = 0; m < M; m++) {
                offsets[m] = offsets[m] + b * simd::load(x[m].sums + g);
                simd::store(scales[m], s * simd::load(x[m].scales + g));
            }
            for (int i = 0; i < here; i++) {
                simd::i32x8 dots[M] = {};
                for (int64_t at = (g + i) * bytes; at < (g + i + 1) * bytes; at += 32) {
                    __builtin_prefetch(row + at + ahead, 0, 2);
                    simd::i16x16 q[parts];
                    if constexpr (bits == 4) {
                        const auto v = simd::load_bits<simd::u16>(row + at);
                        for (int p = 0; p < 4; p++) q[p] = __builtin_bit_cast(simd::i16x16, (v >> (4 * p)) & uint16_t(15));
                    } else {
                        typedef uint8_t u8 __attribute__((vector_size(16)));
                        for (int p = 0; p < 2; p++)
                            q[p] = __builtin_convertvector(simd::load_bits<u8>(row + at + 16 * p), simd::i16x16);
                    }
                    for (int m = 0; m < M; m++)
                        for (int p = 0; p < parts; p++)
                            simd::dot_words(dots[m], q[p], simd::load_bits<simd::i16x16>(x[m].integers + at * 8 / bits + 16 * p));
                }
                for (int m = 0; m < M; m++) totals[m] = totals[m] + __builtin_convertvector(dots[m], simd::f32x8) * scales[m][i];
            }
        }
        for (int m = 0; m < M; m++) {
            const f32 both = __builtin_shufflevector(totals[m], simd::f32x8{}, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
            out[m * stride + j] = simd::sum(offsets[m] + both);
        }
    }
}

/// The same with x as float32.
template <ISA set, int bits, int M>
ALWAYS_INLINE inline void float_rows(const float *const (&x)[M], const float *const (&x_sums)[M], const WeightData &w,
                                     int64_t first, int64_t count, float *out, int64_t stride) {
    const int64_t group = w.kind.group, groups = w.kind.groups();
    for (int64_t j = 0; j < count; j++) {
        const int64_t n = first + j;
        const uint8_t *row = w.row(n);
        f32 totals[M] = {};
        for (int64_t g = 0; g < groups; g += simd::width) {
            const int here = int(std::min<int64_t>(simd::width, groups - g));
            const f32 scales = load_floats<set>(w.scales, n * groups + g, here);
            const f32 biases = load_floats<set>(w.biases, n * groups + g, here);
            for (int m = 0; m < M; m++) totals[m] = totals[m] + biases * simd::load(x_sums[m] + g);
            float scale[simd::width];
            simd::store(scale, scales);
            for (int i = 0; i < here; i++) {
                f32 sums[M] = {};
                for (int64_t at = (g + i) * group; at < (g + i + 1) * group; at += simd::width) {
                    const f32 q = unpack16<bits>(row, at);
                    for (int m = 0; m < M; m++) sums[m] = sums[m] + q * simd::load(x[m] + at);
                }
                for (int m = 0; m < M; m++) totals[m] = totals[m] + sums[m] * scale[i];
            }
        }
        for (int m = 0; m < M; m++) out[m * stride + j] = simd::sum(totals[m]);
    }
}

template <class Body>
ALWAYS_INLINE inline void with_group(int group, Body &&body) {
    if (group == 32) return body(std::integral_constant<int, 32>());
    if (group == 64) return body(std::integral_constant<int, 64>());
    body(std::integral_constant<int, 128>());
}

}  // namespace

AffineRows::Way AffineRows::best(int group, int bits) {
    if (isa() == ISA::avx512_bf16) return Way::bytes;
    return isa() >= ISA::avx2 && group * bits >= vector_bits ? Way::words : Way::floats;
}

AffineRows::AffineRows(int64_t m, int64_t k, const Matrix &x, int group, int bits)
    : m_(m), k_(k), group_(group), bits_(bits), way_(best(group, bits)), rows_(size_t(m)) {
    const int64_t whole = padded(k, step_weights(bits)), groups = padded(k / group, simd::width) + simd::width;
    const auto lay_out = [&](void *base) {
        Pieces pieces(base);
        for (auto &row : rows_) {
            if (way_ == Way::bytes) row.high = pieces.take<int8_t>(whole), row.low = pieces.take<int8_t>(whole);
            if (way_ == Way::words) row.words = pieces.take<int16_t>(whole);
            if (way_ == Way::floats) row.values = pieces.take<float>(k);
            row.scales = pieces.take<float>(groups);
            row.sums = pieces.take<float>(groups);
        }
        return pieces.used();
    };
    memory_.resize(lay_out(nullptr) + 64);
    lay_out(reinterpret_cast<void *>((reinterpret_cast<uintptr_t>(memory_.data()) + 63) / 64 * 64));
    std::vector<float> wide(way_ == Way::floats ? 0 : size_t(k));
    for (int64_t i = 0; i < m; i++) {
        auto &row = rows_[size_t(i)];
        float *values = way_ == Way::floats ? const_cast<float *>(row.values) : wide.data();
        auto *scales = const_cast<float *>(row.scales), *sums = const_cast<float *>(row.sums);
        if (x.bf16)
            convert_row(static_cast<const simd::bf16 *>(x.data) + i * x.row_stride, values, k);
        else
            convert_row(static_cast<const float *>(x.data) + i * x.row_stride, values, k);
        simd::dispatch([&](auto) ALWAYS_INLINE {
            if (way_ == Way::floats) {
                for (int64_t g = 0; g < k / group; g++) {
                    f32 sum = {};
                    for (int64_t j = g * group; j < (g + 1) * group; j += simd::width) sum += simd::load(values + j);
                    sums[g] = simd::sum(sum);
                }
                return;
            }
            with_bits(bits, [&](auto b) ALWAYS_INLINE {
                constexpr int each = decltype(b)::value;
                if (way_ == Way::words)
                    word_row<each>(values, k, group, const_cast<int16_t *>(row.words), scales, sums);
                else
                    split_row<each>(values, k, group, const_cast<int8_t *>(row.high), const_cast<int8_t *>(row.low), scales, sums);
            });
        });
    }
}

void AffineRows::multiply(const WeightData &w, int64_t first, int64_t count, float *out, int64_t stride) const {
#if defined(__x86_64__)
    const auto with_form = [&](auto &&body) ALWAYS_INLINE {
        with_bits(bits_, [&](auto bits) ALWAYS_INLINE {
            with_group(group_, [&](auto group) ALWAYS_INLINE {
                for_few(m_, [&](auto block, int64_t at) ALWAYS_INLINE { body(bits, group, block, at); });
            });
        });
    };
    if (way_ == Way::bytes) {
        const auto run = [&](auto level) ALWAYS_INLINE {
            with_form([&](auto bits, auto group, auto block, int64_t at) ALWAYS_INLINE {
                constexpr int M = decltype(block)::value;
                Operand x[M];
                for (int i = 0; i < M; i++)
                    x[i] = {rows_[at + i].high, rows_[at + i].low, rows_[at + i].scales, rows_[at + i].sums};
                integer_rows<decltype(level)::value, decltype(bits)::value, decltype(group)::value, M>(
                    x, w, first, count, out + at * stride, stride);
            });
        };
        return simd::call_avx512_bf16(run);
    }
    if (way_ == Way::words) {
        const auto run = [&](auto) ALWAYS_INLINE {
            with_form([&](auto bits, auto group, auto block, int64_t at) ALWAYS_INLINE {
                constexpr int M = decltype(block)::value;
                if constexpr (decltype(bits)::value * decltype(group)::value >= vector_bits) {
                    Words x[M];
                    for (int i = 0; i < M; i++) x[i] = {rows_[at + i].words, rows_[at + i].scales, rows_[at + i].sums};
                    word_rows<decltype(bits)::value, decltype(group)::value, M>(x, w, first, count, out + at * stride, stride);
                }
            });
        };
        return simd::call_avx2(run);
    }
#endif
    simd::dispatch([&](auto level) ALWAYS_INLINE {
        with_bits(bits_, [&](auto bits) ALWAYS_INLINE {
            for_few(m_, [&](auto block, int64_t at) ALWAYS_INLINE {
                constexpr int M = decltype(block)::value;
                const float *x[M], *sums[M];
                for (int i = 0; i < M; i++) x[i] = rows_[at + i].values, sums[i] = rows_[at + i].sums;
                float_rows<decltype(level)::value, decltype(bits)::value, M>(x, sums, w, first, count, out + at * stride,
                                                                             stride);
            });
        });
    });
}

}  // namespace cmlx
