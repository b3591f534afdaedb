// Products of many rows with weights in integers; see many_rows.hpp.
#include "many_rows.hpp"
#include <memory>
#include "affine_simd.hpp"
#include "convert.hpp"
#include "int8_simd.hpp"
#include "parallel.hpp"
#include "scratch.hpp"
#include "tiles.hpp"

namespace cmlx {

namespace {

using simd::bf16;
using simd::f32;
using simd::i32;
using simd::u16;
using simd::u32;
using simd::width;

constexpr int64_t slab = 64;  // columns of the result that are computed together
constexpr int slab_groups = slab / width;
constexpr int64_t deepest = 2048;  // units of a column that are turned into tiles at once

/// How K is cut, and how rows are dealt out. A slab of tiles and the sums of a chunk stay within a second-level cache.
struct Plan {
    int64_t depth, chunk, chunks, slabs;
    Plan(int64_t m, int64_t n, int64_t k, int64_t step) {
        const int64_t most_deep = deepest * step, parts = (k + most_deep - 1) / most_deep;
        depth = ((k + parts - 1) / parts + 127) / 128 * 128;  // whole groups of weights
        slabs = (n + slab - 1) / slab;
        constexpr int64_t most = 768, least = 96;
        const int64_t wanted = (4 * max_threads() + slabs - 1) / slabs;  // chunks that keep all threads busy
        chunks = std::max((m + most - 1) / most, std::min(wanted, m / least));
        chunks = std::max<int64_t>(1, chunks);
        chunk = ((m + chunks - 1) / chunks + 5) / 6 * 6;
        chunks = (m + chunk - 1) / chunk;
    }
};

/// Tiles of up to 64 rows of an affine matrix from `first` on, columns `at` ..< `at + depth`: [groups][units][16].
template <class M, int bits>
ALWAYS_INLINE inline void pack_affine(const WeightData &w, int64_t first, int64_t at, int64_t depth, uint32_t *out) {
    constexpr int64_t elements = width * M::step;  // of a row in a square block
    const int64_t group = w.kind.group, groups = w.kind.groups(), units = depth / M::step;
    for (int64_t g = 0; g < slab_groups; g++)
        for (int64_t u = 0; u < units; u += width) {
            u32 block[width];
            const int64_t column = at + u * M::step;
            for (int i = 0; i < width; i++) {
                const int64_t n = first + g * width + i;
                if (n >= w.kind.n) {
                    block[i] = u32{};
                    continue;
                }
                const int64_t place = n * groups + column / group;
                const float scale = w.scales.load_one(place), bias = w.biases.load_one(place);
                const uint8_t *row = w.row(n);
                if constexpr (M::pairs) {
                    u16 halves[2];
                    for (int h = 0; h < 2; h++)
                        halves[h] = simd::narrow<M::set>(unpack16<bits>(row, column + h * width) * scale + bias);
                    block[i] = simd::load_bits<u32>(halves);
                } else {
                    block[i] = __builtin_bit_cast(u32, unpack16<bits>(row, column) * scale + bias);
                }
            }
            static_assert(elements <= 32);
            tiles::transpose(block);
            for (int i = 0; i < width; i++) tiles::store(out + (g * units + u + i) * width, block[i]);
        }
}

/// acc[r][g] = sum over units of x[r][u] tile[g][u][16]. Meanwhile the rows that come next, `R` further on, are fetched into
/// the cache: they are pieces of long rows, which the processor does not foresee.
template <class M, int R, int G>
ALWAYS_INLINE inline void multiply_block(const uint32_t *x, int64_t stride, const uint32_t *tile, int64_t units,
                                         f32 (&acc)[R][G]) {
    f32 sums[R][G] = {};
    const auto step = [&](int64_t u) ALWAYS_INLINE {
        u32 right[G];
        for (int g = 0; g < G; g++) right[g] = simd::load_bits<u32>(tile + (g * units + u) * width);
        for (int r = 0; r < R; r++) {
            const u32 left = u32{} + x[r * stride + u];
            for (int g = 0; g < G; g++) {
                if constexpr (M::pairs)
                    simd::dot_pairs(sums[r][g], left, right[g]);
                else
                    sums[r][g] = sums[r][g] + __builtin_bit_cast(f32, left) * __builtin_bit_cast(f32, right[g]);
            }
        }
    };
    int64_t u = 0;
    for (; u + width <= units; u += width) {
        for (int r = 0; r < R; r++) __builtin_prefetch(x + (R + r) * stride + u, 0, 3);
#pragma clang loop unroll_count(2)
        for (int i = 0; i < width; i++) step(u + i);
    }
    for (; u < units; u++) step(u);
    for (int r = 0; r < R; r++)
        for (int g = 0; g < G; g++) acc[r][g] = sums[r][g];
}

/// sums[r][64] = (`fresh`) or += rows of x, `stride` units apart, times a slab of tiles.
template <class M, int R>
ALWAYS_INLINE inline void multiply_rows(const uint32_t *x, int64_t stride, const uint32_t *tile, int64_t units, bool fresh,
                                        float *sums) {
    tiles::for_group_blocks<M>(slab_groups, [&](auto groups, int64_t g) ALWAYS_INLINE {
        constexpr int G = decltype(groups)::value;
        f32 acc[R][G];
        multiply_block<M>(x, stride, tile + g * units * width, units, acc);
        for (int r = 0; r < R; r++)
            for (int j = 0; j < G; j++) {
                float *to = sums + r * slab + (g + j) * width;
                simd::store(to, fresh ? acc[r][j] : simd::load(to) + acc[r][j]);
            }
    });
}

/// Fetches where a piece of a row of the result goes and what is added to it: pieces of long rows, each in a page of its own,
/// which the processor does not foresee.
void fetch(const Job &job, int64_t row, int64_t first, int64_t count) {
    const auto lines = [&](const Matrix &m, auto write) ALWAYS_INLINE {
        if (!m.data) return;
        const int64_t size = m.bf16 ? 2 : 4;
        const char *at = static_cast<const char *>(m.data) + (row * m.row_stride + first) * size;
        for (int64_t i = 0; i < count * size; i += 64) __builtin_prefetch(at + i, decltype(write)::value, 3);
    };
    lines(job.out, std::integral_constant<int, 1>());
    lines(job.epilogue.residual, std::integral_constant<int, 0>());
}

/// Applies what follows a product to `rows` rows of sums (and those of `up`), and stores them.
void finish(const Job &job, float *sums, const float *up, int64_t rows, int64_t row, int64_t first, int64_t count) {
    if (job.up)
        for (int64_t i = 0; i < rows; i++) join_gate(job, sums + i * slab, up + i * slab, first, count);
    finish_rows(sums, slab, rows, count, job.up ? Epilogue{} : job.epilogue, row, first, job.out);
}

template <class M>
void run(int64_t m, int64_t k, const uint32_t *x, int64_t stride, const Job &job) {
    const int64_t n = job.weight.kind.n;
    const Plan plan(m, n, k, M::step);
    const int weights = job.up ? 2 : 1;
    parallel_tasks(size_t(plan.slabs * plan.chunks), [&](size_t task, int) {
        // Slabs of one chunk follow each other: they read the same rows of x.
        const int64_t first = int64_t(task) % plan.slabs * slab, top = int64_t(task) / plan.slabs * plan.chunk;
        const int64_t columns = std::min(slab, n - first), rows = std::min(plan.chunk, m - top);
        const int64_t tile_units = slab * M::units(plan.depth);
        const auto carve = [&](Pieces pieces, uint32_t **tile, float **sums) {
            *tile = pieces.take<uint32_t>(tile_units * weights);
            *sums = pieces.take<float>(weights * rows * slab);
            return pieces.used();
        };
        uint32_t *tile;
        float *sums;
        carve(Pieces(scratch(carve(Pieces(nullptr), &tile, &sums))), &tile, &sums);
        for (int64_t at = 0; at < k; at += plan.depth) {
            const int64_t depth = std::min(plan.depth, k - at), units = M::units(depth);
            const bool last = at + depth == k;
            simd::dispatch([&](auto level) ALWAYS_INLINE {
                if constexpr (decltype(level)::value == M::set) {
                    for (int i = 0; i < weights; i++) {
                        const auto &w = i ? *job.up : job.weight;
                        with_bits(w.kind.bits, [&](auto bits) ALWAYS_INLINE {
                            pack_affine<M, decltype(bits)::value>(w, first, at, depth, tile + i * tile_units);
                        });
                    }
                }
            });
            for (int64_t r = 0; r < rows;) {
                const int64_t block = std::min<int64_t>(M::rows, rows - r);
                const uint32_t *from = x + (top + r) * stride + at / M::step;
                if (last)
                    for (int64_t i = r; i < r + block; i++) fetch(job, top + i, first, columns);
                for (int i = 0; i < weights; i++) {
                    float *to = sums + (i * rows + r) * slab;
                    simd::dispatch([&](auto level) ALWAYS_INLINE {
                        if constexpr (decltype(level)::value == M::set)
                            tiles::for_row_blocks<M>(block, [&](auto size, int64_t offset) ALWAYS_INLINE {
                                multiply_rows<M, decltype(size)::value>(from + offset * stride, stride, tile + i * tile_units,
                                                                        units, at == 0, to + offset * slab);
                            });
                    });
                }
                if (last) finish(job, sums + r * slab, sums + (rows + r) * slab, block, top + r, first, columns);
                r += block;
            }
        }
    });
}

/// x as rows of units; a copy where rows do not begin at one or the type differs. K is a multiple of 32.
template <class M>
void run(int64_t m, int64_t k, const Matrix &x, const Job &job) {
    if (x.bf16 == M::pairs && x.row_stride % M::step == 0)
        return run<M>(m, k, static_cast<const uint32_t *>(x.data), x.row_stride / M::step, job);
    const int64_t units = M::units(k);
    const std::unique_ptr<uint32_t[]> copy(new uint32_t[size_t(m * units)]);
    parallel_ranges(size_t(m), 8, [&](size_t begin, size_t end) {
        for (auto i = int64_t(begin); i < int64_t(end); i++) {
            uint32_t *to = copy.get() + i * units;
            if constexpr (M::pairs)
                std::memcpy(to, static_cast<const bf16 *>(x.data) + i * x.row_stride, size_t(k) * 2);
            else
                convert_row(static_cast<const bf16 *>(x.data) + i * x.row_stride, reinterpret_cast<float *>(to), k);
        }
    });
    run<M>(m, k, copy.get(), units, job);
}

/// acc[r][g] = offsets + sum over units of four products each.
template <int R>
ALWAYS_INLINE inline void multiply_int8(const uint8_t *x, int64_t stride, const int8_t *tile, int64_t group_bytes,
                                        int64_t units, const int32_t *offsets, i32 (&acc)[R][slab_groups]) {
    i32 sums[R][slab_groups];
    for (int g = 0; g < slab_groups; g++)
        for (int r = 0; r < R; r++) sums[r][g] = simd::load_bits<i32>(offsets + g * width);
    const auto step = [&](int64_t u) ALWAYS_INLINE {
        u32 right[slab_groups];
        for (int g = 0; g < slab_groups; g++) right[g] = simd::load_bits<u32>(tile + g * group_bytes + u * 64);
        for (int r = 0; r < R; r++) {
            uint32_t quad;
            std::memcpy(&quad, x + r * stride + u * 4, 4);
            for (int g = 0; g < slab_groups; g++) simd::dot_quads(sums[r][g], u32{} + quad, right[g]);
        }
    };
    int64_t u = 0;
    for (; u + width <= units; u += width) {
        for (int r = 0; r < R; r++) __builtin_prefetch(x + (R + r) * stride + u * 4, 0, 3);
#pragma clang loop unroll_count(2)
        for (int i = 0; i < width; i++) step(u + i);
    }
    for (; u < units; u++) step(u);
    for (int r = 0; r < R; r++)
        for (int g = 0; g < slab_groups; g++) acc[r][g] = sums[r][g];
}

/// A slab of packed weights: where it lies, and its scales and offsets, [blocks][`rows`].
struct Int8Slab {
    const int8_t *tile;
    int64_t group_bytes, rows;
    const float *scales;
    const int32_t *offsets;
};

void run_int8(int64_t m, int64_t k, const Matrix &x, const Job &job) {
#if defined(__x86_64__)
    const int64_t n = job.weight.kind.n, units = (k + 3) / 4, stride = (k + 63) / 64 * 64;
    const int64_t blocks = (k + int8_block - 1) / int8_block;
    const std::unique_ptr<uint8_t[]> rows_of_x(new uint8_t[size_t(m * stride)]);
    const std::unique_ptr<float[]> row_scales(new float[size_t(m * blocks)]);
    parallel_ranges(size_t(m), 4, [&](size_t begin, size_t end) {
        for (auto i = int64_t(begin); i < int64_t(end); i++) {
            simd::dispatch([&](auto) ALWAYS_INLINE {
                auto *to = reinterpret_cast<int8_t *>(rows_of_x.get() + i * stride);
                const auto round = [&](const auto *row) ALWAYS_INLINE {
                    for (int64_t at = 0, b = 0; at < k; at += int8_block, b++)
                        row_scales[i * blocks + b] = round_to_int8(row + at, std::min(int8_block, k - at),
                                                                   std::min(int8_block, stride - at), nullptr, to + at);
                };
                if (x.bf16)
                    round(static_cast<const bf16 *>(x.data) + i * x.row_stride);
                else
                    round(static_cast<const float *>(x.data) + i * x.row_stride);
                add_128(to, stride);
            });
        }
    });
    Job rounded = job;
    rounded.epilogue.near = true;
    const Plan plan(m, n, k, 4);
    const int weights = job.up ? 2 : 1;
    parallel_tasks(size_t(plan.slabs * plan.chunks), [&](size_t task, int) {
        const int64_t first = int64_t(task) % plan.slabs * slab, top = int64_t(task) / plan.slabs * plan.chunk;
        const int64_t columns = std::min(slab, n - first), rows = std::min(plan.chunk, m - top);
        Int8Slab slabs[2];
        struct Memory {
            int8_t *tile[2], *bytes;
            float *scales[2], *floats, *sums;
            int32_t *offsets[2];
        } memory;
        const auto carve = [&](Pieces pieces) {
            for (int i = 0; i < weights; i++) {
                memory.tile[i] = pieces.take<int8_t>(slab * units * 4);
                memory.scales[i] = pieces.take<float>(blocks * slab);
                memory.offsets[i] = pieces.take<int32_t>(blocks * slab);
            }
            memory.bytes = pieces.take<int8_t>(width * stride);
            memory.floats = pieces.take<float>(stride);
            memory.sums = pieces.take<float>(2 * 6 * slab);
            return pieces.used();
        };
        carve(Pieces(scratch(carve(Pieces(nullptr)))));
        for (int i = 0; i < weights; i++) {
            const auto &w = i ? *job.up : job.weight;
            if (w.kind.form == Form::int8) {
                const Int8Layout layout(w.kind.n, w.kind.k);
                // Beyond the last group of rows the last one stands in; its results are not stored.
                slabs[i] = {static_cast<const int8_t *>(w.data) + first / 16 * units * 64, units * 64, layout.rows,
                            static_cast<const float *>(w.scales.data) + first, w.offsets + first};
                if (first + slab > layout.rows) {
                    const int64_t there = layout.rows - first;
                    std::memset(memory.tile[i], 0, size_t(slab * units * 4));
                    std::memcpy(memory.tile[i], slabs[i].tile, size_t(there * units * 4));
                    for (int64_t b = 0; b < blocks; b++)
                        for (int64_t j = 0; j < slab; j++) {
                            memory.scales[i][b * slab + j] = j < there ? slabs[i].scales[b * layout.rows + j] : 0;
                            memory.offsets[i][b * slab + j] = j < there ? slabs[i].offsets[b * layout.rows + j] : 0;
                        }
                    slabs[i] = {memory.tile[i], units * 64, slab, memory.scales[i], memory.offsets[i]};
                }
            } else {
                simd::dispatch([&](auto) ALWAYS_INLINE {
                    for (int64_t g = 0; g < slab_groups; g++)
                        pack_int8_group(w, first + g * width, memory.bytes, memory.floats,
                                        memory.tile[i] + g * units * 64, memory.scales[i] + g * width,
                                        memory.offsets[i] + g * width, slab);
                });
                slabs[i] = {memory.tile[i], units * 64, slab, memory.scales[i], memory.offsets[i]};
            }
        }
        using M = tiles::Mode<ISA::avx512_bf16, true>;
        float *sums = memory.sums;
        for (int64_t r = 0; r < rows; r += M::rows) {
            const int64_t block = std::min<int64_t>(M::rows, rows - r);
            for (int64_t i = 0; i < block; i++) fetch(job, top + r + i, first, columns);
            for (int i = 0; i < weights; i++) {
                const Int8Slab &s = slabs[i];
                const auto body = [&](auto) ALWAYS_INLINE {
                    tiles::for_row_blocks<M>(block, [&](auto size, int64_t offset) ALWAYS_INLINE {
                        constexpr int R = decltype(size)::value;
                        float *to = sums + (i * M::rows + offset) * slab;
                        for (int64_t b = 0; b < blocks; b++) {
                            i32 acc[R][slab_groups];
                            const int64_t here = std::min(int8_block / 4, units - b * int8_block / 4);
                            const uint8_t *from = rows_of_x.get() + (top + r + offset) * stride + b * int8_block;
                            multiply_int8<R>(from, stride, s.tile + b * int8_block / 4 * 64, s.group_bytes, here,
                                             s.offsets + b * s.rows, acc);
                            for (int q = 0; q < R; q++) {
                                const float scale = row_scales[(top + r + offset + q) * blocks + b];
                                for (int g = 0; g < slab_groups; g++) {
                                    float *place = to + q * slab + g * width;
                                    const f32 product = __builtin_convertvector(acc[q][g], f32) *
                                                        (simd::load(s.scales + b * s.rows + g * width) * scale);
                                    simd::store(place, b ? simd::load(place) + product : product);
                                }
                            }
                        }
                    });
                };
                simd::call_avx512_bf16(body);
            }
            finish(rounded, sums, sums + M::rows * slab, block, top + r, first, columns);
        }
    });
#endif
}

}  // namespace

void multiply_many(int64_t m, int64_t k, const Matrix &x, const Job &job, bool int8) {
    if (int8) return run_int8(m, k, x, job);
    switch (isa()) {
    case ISA::avx512_bf16:
        return x.bf16 ? run<tiles::Mode<ISA::avx512_bf16, true>>(m, k, x, job)
                      : run<tiles::Mode<ISA::avx512_bf16, false>>(m, k, x, job);
    case ISA::avx512:
        return run<tiles::Mode<ISA::avx512, false>>(m, k, x, job);
    case ISA::avx2:
        return run<tiles::Mode<ISA::avx2, false>>(m, k, x, job);
    case ISA::portable:
        return run<tiles::Mode<ISA::portable, false>>(m, k, x, job);
    }
}

}  // namespace cmlx
