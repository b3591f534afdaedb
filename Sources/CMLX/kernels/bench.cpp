// What this machine can do at best: the yardsticks that the kernels' speeds are compared with.
#include <chrono>
#include <vector>
#include "cmlx_kernels.h"
#include "gemm.hpp"
#include "parallel.hpp"
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

}  // namespace

double cmlx_bench_read_bandwidth(size_t bytes) {
    try {
        constexpr size_t unit = 4 * sizeof(simd::u32);
        const size_t units = std::max<size_t>(bytes / unit, 1);
        std::vector<char> memory(units * unit, 1);
        std::atomic<uint32_t> sink = 0;
        const double seconds = fastest(7, [&] {
            parallel_ranges(units, 1024, [&](size_t begin, size_t end) {
                simd::dispatch([&](auto) ALWAYS_INLINE {
                    simd::u32 sums[4] = {};
                    for (size_t i = begin; i < end; i++)
                        for (int j = 0; j < 4; j++)
                            sums[j] ^= simd::load_bits<simd::u32>(memory.data() + i * unit + j * sizeof(simd::u32));
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

double cmlx_bench_matmul(cmlx_dtype type, int rows, int columns, int depth) {
    try {
        const bool bf16 = type == CMLX_BFLOAT16;
        const size_t size = bf16 ? 2 : 4, m = size_t(rows), n = size_t(columns), k = size_t(depth);
        std::vector<char> a(m * k * size), b(n * k * size), c(m * n * 4);
        const double seconds = fastest(5, [&] {
            gemm(1, rows, columns, depth, {a.data(), bf16, depth, 1, 0}, {b.data(), bf16, 1, depth, 0},
                 {c.data(), false, columns, 1, 0});
        });
        return 2.0 * double(m) * double(n) * double(k) / seconds / 1e9;
    } catch (...) {
        return 0;
    }
}
