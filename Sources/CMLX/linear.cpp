// Products of matrices, contractions, convolutions.
#include "internal.hpp"
#include "mlx/einsum.h"

using namespace cmlx;

int cmlx_addmm(cmlx_array c, cmlx_array a, cmlx_array b, float alpha, float beta, cmlx_array *out) {
    return produce(out, [&] { return mx::addmm(c->value, a->value, b->value, alpha, beta, stream()); });
}

int cmlx_einsum(const char *subscripts, const cmlx_array *operands, size_t count, cmlx_array *out) {
    return produce(out, [&] { return mx::einsum(subscripts, to_vector(operands, count), stream()); });
}

int cmlx_conv(cmlx_array input, cmlx_array weight, const int32_t *stride, const int32_t *padding_low,
              const int32_t *padding_high, const int32_t *kernel_dilation, const int32_t *input_dilation, size_t rank,
              int groups, bool flip, cmlx_array *out) {
    return produce(out, [&] {
        return mx::conv_general(input->value, weight->value, to_ints(stride, rank), to_ints(padding_low, rank),
                                to_ints(padding_high, rank), to_ints(kernel_dilation, rank),
                                to_ints(input_dilation, rank), groups, flip, stream());
    });
}

int cmlx_conv_transpose(cmlx_array input, cmlx_array weight, const int32_t *stride, const int32_t *padding,
                        const int32_t *dilation, const int32_t *output_padding, size_t rank, int groups, cmlx_array *out) {
    return produce(out, [&] {
        const auto pair = [](const int32_t *v) { return std::pair<int, int>(v[0], v[1]); };
        switch (rank) {
        case 1:
            return mx::conv_transpose1d(input->value, weight->value, *stride, *padding, *dilation, *output_padding,
                                        groups, stream());
        case 2:
            return mx::conv_transpose2d(input->value, weight->value, pair(stride), pair(padding), pair(dilation),
                                        pair(output_padding), groups, stream());
        }
        throw std::invalid_argument("transposed convolutions have 1 or 2 spatial axes");
    });
}
