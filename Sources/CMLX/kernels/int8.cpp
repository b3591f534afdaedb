// Packing weights as 8-bit integers; see int8.hpp.
#include "int8.hpp"
#include "convert.hpp"
#include "elements.hpp"
#include "int8_simd.hpp"
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
            const int64_t padded = (kind.k + 63) / 64 * 64;
            parallel_ranges(size_t(layout.groups), 1, [&](size_t begin, size_t end) {
                auto *bytes = static_cast<int8_t *>(scratch(size_t(padded) * (simd::width + 4)));
                auto *floats = reinterpret_cast<float *>(bytes + padded * simd::width);
                simd::dispatch([&](auto) ALWAYS_INLINE {
                    for (auto g = int64_t(begin); g < int64_t(end); g++)
                        pack_int8_group(w, g * simd::width, bytes, floats, values.data<int8_t>() + g * layout.units * 64,
                                        scales.data<float>() + g * simd::width, offsets.data<int32_t>() + g * simd::width,
                                        layout.rows);
                });
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
                        unpack_int8_row(w, int64_t(n), row);
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
