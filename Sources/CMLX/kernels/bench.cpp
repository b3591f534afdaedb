// What this machine can do at best: the yardsticks that the kernels' speeds are compared with.
#include <chrono>
#include <vector>
#include "cmlx_kernels.h"
#include "int8_simd.hpp"
#include "parallel.hpp"
#include "product.hpp"
#include "simd.hpp"

namespace {

using namespace cmlx;

/// Shortest of several runs, in seconds.
template <class Body>
double fastest(int runs, Body &&body) {
    double best = 1e30;
    for (int i = 0; i < runs; i++) {
        const auto start = std::chrono::steady_clock::now();
        body();
        best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    }
    return best;
}

constexpr int chains = 12;  // independent sums, so that each has time to finish

/// Multiplies and adds in registers: single floats, pairs of bfloat16, or four bytes.
template <int kind, ISA set>
ALWAYS_INLINE inline uint32_t keep_busy(int64_t steps) {
    // Vectors whose values no compiler knows, or it would do the sums itself.
    simd::u32 x = {}, y = {};
    simd::f32 sums[chains] = {};
    simd::i32 counts[chains] = {};
    for (int64_t i = 0; i < steps; i++) {
        asm volatile("" : "+m"(x), "+m"(y));
        const simd::u32 a = x, b = y;
        for (int j = 0; j < chains; j++) {
            if constexpr (kind == 2 && set == ISA::avx512_bf16)
                simd::dot_quads(counts[j], a, b);
            else if constexpr (kind == 1 && set == ISA::avx512_bf16)
                simd::dot_pairs(sums[j], a, b);
            else
                sums[j] = sums[j] + __builtin_bit_cast(simd::f32, a) * __builtin_bit_cast(simd::f32, b);
        }
    }
    uint32_t all = 0;
    for (int j = 0; j < chains; j++) all += uint32_t(counts[j][0]) + __builtin_bit_cast(uint32_t, float(sums[j][0]));
    return all;
}

}  // namespace

double cmlx_bench_read_bandwidth(size_t bytes) {
    try {
        constexpr size_t unit = 4 * sizeof(simd::u32), ahead = 8192;  // fetched this far ahead, as the kernels do
        const size_t units = std::max<size_t>(bytes / unit, 1);
        std::vector<char> memory(units * unit + ahead, 1);
        std::atomic<uint32_t> sink = 0;
        const double seconds = fastest(7, [&] {
            parallel_ranges(units, 1024, [&](size_t begin, size_t end) {
                simd::dispatch([&](auto) ALWAYS_INLINE {
                    simd::u32 sums[4] = {};
                    for (size_t i = begin; i < end; i++)
                        for (int j = 0; j < 4; j++) {
                            const char *p = memory.data() + i * unit + j * sizeof(simd::u32);
                            __builtin_prefetch(p + ahead, 0, 2);
                            sums[j] ^= simd::load_bits<simd::u32>(p);
                        }
                    const simd::u32 all = sums[0] ^ sums[1] ^ sums[2] ^ sums[3];
                    sink.fetch_add(all[0] + all[7], std::memory_order_relaxed);
                });
            });
        });
        return double(units * unit) / seconds / 1e9;
    } catch (...) {
        return 0;
    }
}

double cmlx_bench_peak(cmlx_dtype type) {
    constexpr int64_t steps = 200'000;
    const bool pairs = type == CMLX_BFLOAT16, quads = type == CMLX_INT8;
    if ((pairs || quads) && isa() != ISA::avx512_bf16) return 0;
    if (!pairs && !quads && type != CMLX_FLOAT32) return 0;
    const int threads = max_threads();
    std::atomic<uint32_t> sink = 0;
    const double seconds = fastest(7, [&] {
        parallel(threads, [&](int, int) {
            simd::dispatch([&](auto level) ALWAYS_INLINE {
                if (quads)
                    sink += keep_busy<2, decltype(level)::value>(steps);
                else if (pairs)
                    sink += keep_busy<1, decltype(level)::value>(steps);
                else
                    sink += keep_busy<0, decltype(level)::value>(steps);
            });
        });
    });
    const double operations = 2.0 * simd::width * (quads ? 4 : pairs ? 2 : 1) * chains * double(steps) * threads;
    return operations / seconds / 1e9;
}

double cmlx_bench_matmul(cmlx_dtype type, int rows, int columns, int depth) {
    try {
        const bool bf16 = type != CMLX_FLOAT32, int8 = type == CMLX_INT8;
        if (int8 && isa() != ISA::avx512_bf16) return 0;
        const size_t size = bf16 ? 2 : 4, m = size_t(rows), n = size_t(columns), k = size_t(depth);
        std::vector<char> a(m * k * size), c(m * n * 4);
        const Matrix x{a.data(), bf16, depth, 1, 0}, out{c.data(), false, columns, 1, 0};
        double seconds;
        if (int8) {
            const Int8Layout layout(columns, depth);
            std::vector<int8_t> b(size_t(layout.groups * layout.units) * 64);
            std::vector<float> scales(size_t(layout.blocks * layout.rows), 1);
            std::vector<int32_t> offsets(scales.size());
            const WeightData weight{{Form::int8, columns, depth}, b.data(), false, {FloatType::f32, scales.data()}, {},
                                    offsets.data()};
            const Job job{weight, {}, out};
            seconds = fastest(5, [&] { multiply(rows, depth, x, std::span(&job, 1), false); });
        } else {
            std::vector<char> b(n * k * size);
            seconds = fastest(5, [&] { gemm(1, rows, columns, depth, x, {b.data(), bf16, 1, depth, 0}, out); });
        }
        return 2.0 * double(m) * double(n) * double(k) / seconds / 1e9;
    } catch (...) {
        return 0;
    }
}
