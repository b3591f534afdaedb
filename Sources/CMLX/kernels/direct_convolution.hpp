// One-dimensional convolutions of stride 1 in float32, without a library: for networks of few channels, many shapes and
// changing lengths, such as vocoders, for each of which oneDNN would compile code of its own.
#pragma once
#include <cstdint>

namespace cmlx::direct {

/// out[b, t, o] = bias[o] + the sum over taps j and inputs i of x[b, t + j dilation - padding, i] w(o, i, j)
struct Shape {
    int64_t batch, length, input, out_length, output, taps, padding, dilation;
};

/// Where a weight w(o, i, j) lies; `reversed`: taps are counted from the last.
struct WeightLayout {
    int64_t output_stride, input_stride;
    bool reversed;
};

/// - x: [batch, length, input], out: [batch, out_length, output], bias: [output] or null.
void convolve(const Shape &shape, const float *x, const float *weight, WeightLayout layout, const float *bias, bool relu,
              float *out);

}  // namespace cmlx::direct
