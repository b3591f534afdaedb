// Output channels lie along vectors; a tile of positions stays in registers while taps
// and input channels are gone through, each input value being multiplied with a whole vector.
#include "direct_convolution.hpp"
#include <algorithm>
#include <cstring>
#include <memory>
#include "parallel.hpp"
#include "simd.hpp"

namespace cmlx::direct {

namespace {

using simd::f32;

/// Positions that are computed from one copy of their inputs; few enough that the copy stays in the cache.
int64_t chunk_of(const Shape &s) { return std::clamp<int64_t>(32'768 / std::max<int64_t>(1, s.input), 32, 1'024); }

struct Buffer {
    explicit Buffer(int64_t count) : memory(static_cast<float *>(std::aligned_alloc(64, (size_t(count) * 4 + 63) / 64 * 64))) {
        if (!memory) throw std::bad_alloc();
    }
    struct Free {
        void operator()(float *p) const { std::free(p); }
    };
    std::unique_ptr<float, Free> memory;
    float *get() const { return memory.get(); }
};

/// Rows from..<to of x [length, width], zeros where there are none.
void copy_rows(const float *x, int64_t length, int64_t width, int64_t from, int64_t to, float *out) {
    const int64_t first = std::clamp<int64_t>(from, 0, length), last = std::clamp<int64_t>(to, first, length);
    const int64_t before = std::clamp<int64_t>(-from, 0, to - from), inside = last - first;
    std::memset(out, 0, size_t(before * width) * 4);
    std::memcpy(out + before * width, x + first * width, size_t(inside * width) * 4);
    std::memset(out + (before + inside) * width, 0, size_t((to - from - before - inside) * width) * 4);
}

/// `rows` positions times `vectors` of 16 output channels. panel: [taps, input, vectors * 16].
template <int rows, int vectors>
ALWAYS_INLINE inline void tile(const Shape &s, const float *x, const float *panel, const f32 *bias, bool relu, int channels,
                               float *out) {
    f32 sums[rows][vectors];
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++)
#pragma clang loop unroll(full)
        for (int v = 0; v < vectors; v++) sums[r][v] = bias[v];
    for (int64_t j = 0; j < s.taps; j++) {
        const float *row = x + j * s.dilation * s.input;
        for (int64_t i = 0; i < s.input; i++, panel += vectors * simd::width) {
            f32 w[vectors];
#pragma clang loop unroll(full)
            for (int v = 0; v < vectors; v++) w[v] = simd::load(panel + v * simd::width);
#pragma clang loop unroll(full)
            for (int r = 0; r < rows; r++)
#pragma clang loop unroll(full)
                for (int v = 0; v < vectors; v++) sums[r][v] += w[v] * row[r * s.input + i];
        }
    }
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++)
#pragma clang loop unroll(full)
        for (int v = 0; v < vectors; v++) {
            const f32 y = relu ? simd::max(sums[r][v], f32{}) : sums[r][v];
            simd::store(out + r * s.output + v * simd::width, y, channels - v * simd::width);
        }
}

template <int rows, int vectors>
ALWAYS_INLINE inline void positions(const Shape &s, const float *x, const float *panel, const f32 *bias, bool relu,
                                    int channels, int64_t count, float *out) {
    int64_t t = 0;
    for (; t + rows <= count; t += rows)
        tile<rows, vectors>(s, x + t * s.input, panel, bias, relu, channels, out + t * s.output);
    for (; t < count; t++) tile<1, vectors>(s, x + t * s.input, panel, bias, relu, channels, out + t * s.output);
}

/// How many vectors of output channels a tile takes.
int vectors_of(int64_t remaining) { return remaining > 48 ? 4 : remaining > 32 ? 3 : remaining > 16 ? 2 : 1; }

/// Calls `body(begin, vectors)` for blocks of output channels.
template <class Body>
void for_blocks(int64_t output, Body &&body) {
    for (int64_t begin = 0; begin < output;) {
        const int vectors = vectors_of(output - begin);
        body(begin, vectors);
        begin += vectors * simd::width;
    }
}

}  // namespace

void convolve(const Shape &s, const float *x, const float *weight, WeightLayout layout, const float *bias, bool relu,
              float *out) {
    const int64_t padded = (s.output + simd::width - 1) / simd::width * simd::width;
    // Panels of all blocks, one after another: [taps, input, channels of the block], and the biases.
    Buffer panels(s.taps * s.input * padded + padded);
    float *biases = panels.get() + s.taps * s.input * padded;
    std::memset(biases, 0, size_t(padded) * 4);
    if (bias) std::memcpy(biases, bias, size_t(s.output) * 4);
    for_blocks(s.output, [&](int64_t begin, int vectors) {
        float *to = panels.get() + s.taps * s.input * begin;
        for (int64_t j = 0; j < s.taps; j++)
            for (int64_t i = 0; i < s.input; i++)
                for (int64_t o = begin; o < begin + vectors * simd::width; o++, to++)
                    *to = o < s.output ? weight[o * layout.output_stride + i * layout.input_stride +
                                                (layout.reversed ? s.taps - 1 - j : j)]
                                       : 0.0f;
    });
    const int64_t chunk = chunk_of(s), chunks = (s.out_length + chunk - 1) / chunk, reach = s.dilation * (s.taps - 1);
    parallel_ranges(size_t(s.batch * chunks), 1, [&](size_t begin, size_t end) {
        Buffer inputs((chunk + reach) * s.input);
        for (size_t task = begin; task < end; task++) {
            const int64_t b = int64_t(task) / chunks, from = int64_t(task) % chunks * chunk;
            const int64_t count = std::min(chunk, s.out_length - from);
            copy_rows(x + b * s.length * s.input, s.length, s.input, from - s.padding, from - s.padding + count + reach,
                      inputs.get());
            float *to = out + (b * s.out_length + from) * s.output;
            simd::dispatch([&](auto) ALWAYS_INLINE {
                for (int64_t o = 0; o < s.output;) {
                    const int vectors = vectors_of(s.output - o), channels = int(std::min<int64_t>(s.output - o, 64));
                    const float *panel = panels.get() + s.taps * s.input * o;
                    f32 start[4];
                    for (int v = 0; v < vectors; v++) start[v] = simd::load(biases + o + v * simd::width);
                    if (vectors == 4) positions<6, 4>(s, inputs.get(), panel, start, relu, channels, count, to + o);
                    else if (vectors == 3) positions<8, 3>(s, inputs.get(), panel, start, relu, channels, count, to + o);
                    else if (vectors == 2) positions<12, 2>(s, inputs.get(), panel, start, relu, channels, count, to + o);
                    else positions<16, 1>(s, inputs.get(), panel, start, relu, channels, count, to + o);
                    o += vectors * simd::width;
                }
            });
        }
    });
}

}  // namespace cmlx::direct
