// A few rows of activations times packed 8-bit weights; see int8_rows.hpp.
#include "int8_rows.hpp"
#include "convert.hpp"
#include "int8.hpp"
#include "scratch.hpp"

namespace cmlx {

Int8Rows::Int8Rows(int64_t m, int64_t k, const Matrix &x) : m_(m), k_(k), values_(size_t(m * k)) {
    for (int64_t i = 0; i < m; i++) {
        if (x.bf16)
            convert_row(static_cast<const simd::bf16 *>(x.data) + i * x.row_stride, values_.data() + i * k, k);
        else
            convert_row(static_cast<const float *>(x.data) + i * x.row_stride, values_.data() + i * k, k);
    }
}

void Int8Rows::multiply(const WeightData &w, int64_t first, int64_t count, float *out, int64_t stride) const {
    auto *row = static_cast<float *>(scratch(size_t(k_) * 4));
    for (int64_t j = 0; j < count; j++) {
        unpack_int8_row(w, first + j, 0, k_, row);
        for (int64_t i = 0; i < m_; i++) {
            float sum = 0;
            for (int64_t l = 0; l < k_; l++) sum += row[l] * values_[size_t(i * k_ + l)];
            out[i * stride + j] = sum;
        }
    }
}

}  // namespace cmlx
