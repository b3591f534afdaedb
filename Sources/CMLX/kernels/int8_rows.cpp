// A few rows of activations times packed 8-bit weights; see int8_rows.hpp.
#include "int8_rows.hpp"
#include <cmath>
#include "convert.hpp"
#include "int8_simd.hpp"

namespace cmlx {

namespace {

using simd::f32;
using simd::i32;
using simd::u32;
using simd::width;

/// The largest 16-bit integer whose bytes, taken as signed with a carry, both fit 8 bits.
constexpr float most = 127 * 256 + 127;

/// out[m * stride + j] for M rows and the 16 columns of a group.
template <int M>
ALWAYS_INLINE inline void multiply_group(const uint8_t *const (&high)[M], const uint8_t *const (&low)[M],
                                         const float *const (&x_scales)[M], const int8_t *tile, int64_t units,
                                         const float *scales, const int32_t *offsets, int64_t layout_rows, f32 (&out)[M]) {
    constexpr int64_t ahead = 8192;  // bytes to fetch weights before they are used
    for (int m = 0; m < M; m++) out[m] = f32{};
    for (int64_t first = 0, b = 0; first < units; first += int8_block / 4, b++) {
        const int64_t end = std::min(units, first + int8_block / 4);
        const i32 offset = simd::load_bits<i32>(offsets + b * layout_rows);
        i32 h[M][2], l[M][2];  // two sums each, to hide the multiplication's latency
        for (int m = 0; m < M; m++) h[m][0] = l[m][0] = offset, h[m][1] = l[m][1] = i32{};
        const auto step = [&](int64_t u, int chain) ALWAYS_INLINE {
            __builtin_prefetch(tile + u * 64 + ahead, 0, 2);
            const u32 right = simd::load_bits<u32>(tile + u * 64);
            for (int m = 0; m < M; m++) {
                uint32_t x_high, x_low;
                std::memcpy(&x_high, high[m] + u * 4, 4);
                std::memcpy(&x_low, low[m] + u * 4, 4);
                simd::dot_quads(h[m][chain], u32{} + x_high, right);
                simd::dot_quads(l[m][chain], u32{} + x_low, right);
            }
        };
        int64_t u = first;
        for (; u + 2 <= end; u += 2) step(u, 0), step(u + 1, 1);
        if (u < end) step(u, 0);
        const f32 scale = simd::load(scales + b * layout_rows);
        for (int m = 0; m < M; m++) {
            const f32 sum = __builtin_convertvector(h[m][0] + h[m][1], f32) * 256.0f +
                            __builtin_convertvector(l[m][0] + l[m][1], f32);
            out[m] = out[m] + sum * (scale * x_scales[m][b]);
        }
    }
}

}  // namespace

Int8Rows::Int8Rows(int64_t m, int64_t k, const Matrix &x)
    : m_(m),
      units_((k + 3) / 4),
      blocks_((k + int8_block - 1) / int8_block),
      high_(size_t(m * units_ * 4), 128),
      low_(size_t(m * units_ * 4), 128),
      scales_(size_t(m * blocks_)) {
    std::vector<float> values(k);
    for (int64_t i = 0; i < m; i++) {
        if (x.bf16)
            convert_row(static_cast<const simd::bf16 *>(x.data) + i * x.row_stride, values.data(), k);
        else
            convert_row(static_cast<const float *>(x.data) + i * x.row_stride, values.data(), k);
        for (int64_t b = 0; b < blocks_; b++) {
            const int64_t first = b * int8_block, end = std::min(k, first + int8_block);
            float largest = 0, check = 0;
            for (int64_t j = first; j < end; j++) {
                largest = std::max(largest, std::abs(values[j]));
                check += values[j] - values[j];  // NaN where a value is infinite or none
            }
            const float inverse = largest > 0 && check == 0 ? most / largest : 0;
            scales_[i * blocks_ + b] = check == 0 ? largest / most : NAN;
            for (int64_t j = first; j < end; j++) {
                const auto q = inverse == 0 ? 0 : int32_t(std::nearbyint(values[j] * inverse));
                const auto low = int8_t(q);
                low_[i * units_ * 4 + j] = uint8_t(low + 128);
                high_[i * units_ * 4 + j] = uint8_t((q - low) / 256 + 128);
            }
        }
    }
}

void Int8Rows::multiply(const WeightData &w, int64_t first, int64_t count, float *out, int64_t stride) const {
#if defined(__x86_64__)
    const Int8Layout layout(w.kind.n, w.kind.k);
    const auto run = [&](auto) ALWAYS_INLINE {
        for_few(m_, [&](auto block, int64_t at) ALWAYS_INLINE {
            constexpr int M = decltype(block)::value;
            const uint8_t *high[M], *low[M];
            const float *x_scales[M];
            for (int i = 0; i < M; i++) {
                high[i] = high_.data() + (at + i) * units_ * 4;
                low[i] = low_.data() + (at + i) * units_ * 4;
                x_scales[i] = scales_.data() + (at + i) * blocks_;
            }
            for (int64_t j = 0; j < count; j += width) {
                f32 sums[M];
                multiply_group<M>(high, low, x_scales, static_cast<const int8_t *>(w.data) + (first + j) / width * units_ * 64,
                                  units_, static_cast<const float *>(w.scales.data) + first + j, w.offsets + first + j,
                                  layout.rows, sums);
                for (int i = 0; i < M; i++)
                    simd::store(out + (at + i) * stride + j, sums[i], int(std::min<int64_t>(width, count - j)));
            }
        });
    };
    simd::call_avx512_bf16(run);
#endif
}

}  // namespace cmlx
