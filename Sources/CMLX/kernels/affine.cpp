// Quantising to MLX's affine groups and back; see affine.hpp.
#include "affine.hpp"
#include <cmath>
#include "affine_simd.hpp"
#include "elements.hpp"
#include "types.hpp"

namespace cmlx {

namespace {

using simd::f32;

/// Input: w. Outputs: packed integers, scales, biases.
class Quantize : public KernelPrimitive {
public:
    Quantize(mx::Stream s, int group, int bits) : KernelPrimitive(s), group_(group), bits_(bits) {}
    const char *name() const override { return "LyraQuantize"; }
    bool is_equivalent(const mx::Primitive &other) const override {
        const auto &o = static_cast<const Quantize &>(other);
        return group_ == o.group_ && bits_ == o.bits_;
    }

    void eval_cpu(const std::vector<mx::array> &inputs, std::vector<mx::array> &outputs) override {
        auto w = as_contiguous(inputs[0], inputs[0].dtype());
        auto packed = allocate(outputs[0]), scales = allocate(outputs[1]), biases = allocate(outputs[2]);
        enqueue([=, group = group_, bits = bits_]() mutable {
            const auto from = source(w);
            const auto s = target(scales), b = target(biases);
            auto *to = packed.data<uint8_t>();
            parallel_ranges(w.size() / group, 256, [=](size_t begin, size_t end) {
                simd::dispatch([=](auto) ALWAYS_INLINE {
                    for (size_t i = begin; i < end; i++)
                        with_bits(bits, [&](auto width) ALWAYS_INLINE {
                            constexpr int B = decltype(width)::value;
                            pack_group<B>(from, int64_t(i) * group, group, to + i * size_t(group) * B / 8, s, b, int64_t(i));
                        });
                });
            });
        });
    }

private:
    const int group_, bits_;

    /// One end of the range, the one farther from zero, is represented exactly: bias is that end, and the scale is such
    /// that zero is a multiple of it.
    template <int bits>
    ALWAYS_INLINE static void pack_group(const Source &w, int64_t at, int64_t group, uint8_t *out, const Target &scales,
                                         const Target &biases, int64_t index) {
        constexpr float bins = (1 << bits) - 1;
        f32 lows = simd::splat(INFINITY), highs = simd::splat(-INFINITY);
        for (int64_t i = 0; i < group; i += simd::width) {
            const f32 v = w.load(at + i, simd::width);
            lows = v < lows ? v : lows;
            highs = v > highs ? v : highs;
        }
        const float low = -simd::highest(-lows), high = simd::highest(highs);
        const bool from_low = std::abs(low) > std::abs(high);
        float scale = std::max((high - low) / bins, 1e-7f), bias = 0;
        if (!from_low) scale = -scale;
        const float edge = from_low ? low : high, steps = std::rint(edge / scale);
        if (steps != 0) scale = edge / steps, bias = edge;
        scales.store(index, simd::splat(scale), 1);
        biases.store(index, simd::splat(bias), 1);
        for (int64_t i = 0; i < group; i += simd::width) {
            const f32 q = (w.load(at + i, simd::width) - bias) / scale;
            const f32 clamped = q > 0 ? (q < bins ? q : simd::splat(bins)) : f32{};  // a NaN becomes 0
            // Adding 1.5 * 2^23 rounds to the nearest even integer and leaves it in the low bits.
            const auto integers = __builtin_bit_cast(simd::u32, clamped + 12582912.0f);
            uint8_t bytes[simd::width];
            for (int j = 0; j < simd::width; j++) bytes[j] = uint8_t(integers[j]);
            if constexpr (bits == 8)
                std::memcpy(out + i, bytes, sizeof bytes);
            else
                for (int j = 0; j < simd::width / 2; j++) out[i / 2 + j] = uint8_t((bytes[2 * j] & 15) | bytes[2 * j + 1] << 4);
        }
    }
};

/// Inputs: packed integers, scales, biases, and with `gathered` the indices of rows. Output: rows as floats.
class Dequantize : public KernelPrimitive {
public:
    Dequantize(mx::Stream s, WeightKind kind, bool gathered) : KernelPrimitive(s), kind_(kind), gathered_(gathered) {}
    const char *name() const override { return "LyraDequantize"; }
    bool is_equivalent(const mx::Primitive &other) const override {
        const auto &o = static_cast<const Dequantize &>(other);
        return kind_ == o.kind_ && gathered_ == o.gathered_;
    }

    void eval_cpu(const std::vector<mx::array> &inputs, std::vector<mx::array> &outputs) override {
        std::vector<mx::array> parts;
        for (int i = 0; i < 3; i++) parts.push_back(contiguous(inputs[i]));
        auto ids = gathered_ ? view(inputs[3]) : parts[0];
        auto out = allocate(outputs[0]);
        enqueue([=, kind = kind_, gathered = gathered_]() mutable {
            const WeightData w = weight_data(kind, parts.data());
            const int32_t *places = gathered ? ids.data<int32_t>() : nullptr;
            const int64_t k = kind.k, rows = k ? int64_t(out.size()) / k : 0;
            with_type(out.dtype(), [&](auto *type) {
                using T = Element<decltype(type)>;
                T *to = out.data<T>();
                parallel_ranges(size_t(rows), size_t(16384 / std::max<int64_t>(1, k)), [&](size_t begin, size_t end) {
                    simd::dispatch([&](auto) ALWAYS_INLINE {
                        with_bits(kind.bits, [&](auto bits) ALWAYS_INLINE {
                            for (size_t i = begin; i < end; i++) {
                                int64_t row = places ? places[i] : int64_t(i);
                                if (row < 0) row += kind.n;
                                if (row >= 0 && row < kind.n)
                                    dequantize_row<decltype(bits)::value>(w, row, 0, k, to + int64_t(i) * k);
                                else  // no such row: NaN, rather than memory of others
                                    for (int64_t j = 0; j < k; j += simd::width)
                                        simd::store(to + int64_t(i) * k + j, simd::splat(NAN));
                            }
                        });
                    });
                });
            });
        });
    }

private:
    const WeightKind kind_;
    const bool gathered_;
};

}  // namespace

std::vector<mx::array> quantize(const mx::array &w, int group, int bits, mx::Stream s) {
    if (!on_cpu(s)) return mx::quantize(w, group, bits, "affine", {}, s);
    auto packed = w.shape(), groups = w.shape();
    packed.back() = w.shape(-1) * bits / 32;
    groups.back() = w.shape(-1) / group;
    return mx::array::make_arrays({packed, groups, groups}, {mx::uint32, w.dtype(), w.dtype()},
                                  std::make_shared<Quantize>(s, group, bits), {w});
}

namespace {
/// The same as MLX operations, for other devices; MLX computes in the type of the scales.
mx::array compose(const Weight &w, mx::Dtype type, mx::Stream s) {
    const auto wide = [&](int i) { return mx::astype(w.parts[i], mx::float32, s); };
    const auto y = mx::dequantize(w.parts[0], wide(1), wide(2), w.kind.group, w.kind.bits, "affine", {}, mx::float32, s);
    return mx::astype(y, type, s);
}
}  // namespace

mx::array dequantize(const Weight &w, mx::Dtype type, mx::Stream s) {
    if (!on_cpu(s))
        return compose(w, type, s);
    return record<Dequantize>({w.kind.n, w.kind.k}, type, w.parts, s, w.kind, false);
}

mx::array embed(const mx::array &ids, const Weight &w, mx::Dtype type, mx::Stream s) {
    if (!on_cpu(s)) {
        auto rows = w;
        for (auto &part : rows.parts) part = mx::take(part, ids, 0, s);
        return compose(rows, type, s);
    }
    auto shape = ids.shape();
    shape.push_back(w.kind.k);
    auto inputs = w.parts;
    inputs.push_back(mx::contiguous(mx::astype(ids, mx::int32, s), false, s));
    return record<Dequantize>(shape, type, inputs, s, w.kind, true);
}

}  // namespace cmlx
