// Packing weights as 8-bit integers; see int8.hpp.
#include "int8.hpp"
#include <cmath>
#include "affine_simd.hpp"
#include "convert.hpp"
#include "elements.hpp"
#include "scratch.hpp"
#include "types.hpp"

namespace cmlx {

namespace {

/// Inputs: the arrays of a dense or affine matrix. Outputs: integers, scales, offsets.
class PackInt8 : public KernelPrimitive {
public:
    PackInt8(mx::Stream s, WeightKind kind) : KernelPrimitive(s), kind_(kind) {}
    const char *name() const override { return "LyraPackInt8"; }
    bool is_equivalent(const mx::Primitive &other) const override {
        return kind_ == static_cast<const PackInt8 &>(other).kind_;
    }

    void eval_cpu(const std::vector<mx::array> &inputs, std::vector<mx::array> &outputs) override {
        std::vector<mx::array> parts;
        for (const auto &input : inputs)
            parts.push_back(kind_.form == Form::dense ? as_contiguous(input, input.dtype()) : contiguous(input));
        auto values = allocate(outputs[0]), scales = allocate(outputs[1]), offsets = allocate(outputs[2]);
        enqueue([=, kind = kind_]() mutable {
            const WeightData w = weight_data(kind, parts.data());
            const Int8Layout layout(kind.n, kind.k);
            auto *to = values.data<int8_t>();
            auto *s = scales.data<float>();
            auto *o = offsets.data<int32_t>();
            std::memset(to, 0, size_t(layout.groups * layout.units * 64));
            std::memset(s, 0, size_t(layout.blocks * layout.rows) * 4);
            std::memset(o, 0, size_t(layout.blocks * layout.rows) * 4);
            parallel_ranges(size_t(layout.groups), 1, [&](size_t begin, size_t end) {
                const int64_t padded = (kind.k + 15) / 16 * 16;
                auto *row = static_cast<float *>(scratch(size_t(padded) * 4));
                for (int64_t n = int64_t(begin) * 16; n < std::min<int64_t>(kind.n, int64_t(end) * 16); n++) {
                    simd::dispatch([&](auto) ALWAYS_INLINE {
                        if (kind.form == Form::affine)
                            with_bits(kind.bits, [&](auto bits) ALWAYS_INLINE {
                                dequantize_row<decltype(bits)::value>(w, n, 0, kind.k, row);
                            });
                        else
                            for (int64_t j = 0; j < kind.k; j += simd::width) {
                                const int count = int(std::min<int64_t>(simd::width, kind.k - j));
                                simd::store(row + j, source(parts[0]).load(n * kind.k + j, count));
                            }
                        for (int64_t b = 0; b < layout.blocks; b++) {
                            const int64_t first = b * int8_block, last = std::min<int64_t>(kind.k, first + int8_block);
                            float largest = 0;
                            for (int64_t j = first; j < last; j++) largest = std::max(largest, std::abs(row[j]));
                            const float scale = largest / 127, inverse = scale > 0 ? 1 / scale : 0;
                            int32_t sum = 0;
                            for (int64_t j = first; j < last; j++) {
                                const float q = std::nearbyint(row[j] * inverse);
                                const auto integer = int8_t(q > -127 ? q < 127 ? q : 127 : -127);
                                to[(n / 16 * layout.units + j / 4) * 64 + n % 16 * 4 + j % 4] = integer;
                                sum += integer;
                            }
                            s[b * layout.rows + n] = scale;
                            o[b * layout.rows + n] = -128 * sum;
                        }
                    });
                }
            });
        });
    }

private:
    const WeightKind kind_;
};

/// Inputs: integers, scales, offsets. Output: the matrix as floats.
class UnpackInt8 : public KernelPrimitive {
public:
    UnpackInt8(mx::Stream s, WeightKind kind) : KernelPrimitive(s), kind_(kind) {}
    const char *name() const override { return "LyraUnpackInt8"; }
    bool is_equivalent(const mx::Primitive &other) const override {
        return kind_ == static_cast<const UnpackInt8 &>(other).kind_;
    }

    void eval_cpu(const std::vector<mx::array> &inputs, std::vector<mx::array> &outputs) override {
        std::vector<mx::array> parts;
        for (const auto &input : inputs) parts.push_back(contiguous(input));
        auto out = allocate(outputs[0]);
        enqueue([=, kind = kind_]() mutable {
            const WeightData w = weight_data(kind, parts.data());
            with_type(out.dtype(), [&](auto *type) {
                auto *to = out.data<Element<decltype(type)>>();
                parallel_ranges(size_t(kind.n), 16, [&](size_t begin, size_t end) {
                    auto *row = static_cast<float *>(scratch(size_t(kind.k) * 4));
                    for (size_t n = begin; n < end; n++) {
                        unpack_int8_row(w, int64_t(n), 0, kind.k, row);
                        convert_row(row, to + n * kind.k, kind.k);
                    }
                });
            });
        });
    }

private:
    const WeightKind kind_;
};

}  // namespace

Weight pack_int8(const Weight &w, mx::Stream s) {
    const int n = w.kind.n, k = w.kind.k;
    const Int8Layout layout(n, k);
    const mx::Shape blocks = {int(layout.blocks), int(layout.rows)};
    return {{Form::int8, n, k, 0, 0},
            mx::array::make_arrays({{int(layout.groups), int(layout.units), 64}, blocks, blocks},
                                   {mx::int8, mx::float32, mx::int32}, std::make_shared<PackInt8>(s, w.kind), w.parts)};
}

mx::array unpack_int8(const Weight &w, mx::Dtype type, mx::Stream s) {
    return record<UnpackInt8>({w.kind.n, w.kind.k}, type, w.parts, s, w.kind);
}

}  // namespace cmlx
