// Products of a few rows, handed out to threads in chunks of weight rows; see few_rows.hpp.
#include "few_rows.hpp"
#include <memory>
#include "affine_rows.hpp"
#include "dense_rows.hpp"
#include "int8_rows.hpp"
#include "parallel.hpp"

namespace cmlx {

namespace {

constexpr int64_t chunk = 64;        // weight rows between epilogues
constexpr int64_t most_chunks = 8;  // that are multiplied with a gate before those of its counterpart

std::unique_ptr<PreparedRows> prepare(int64_t m, int64_t k, const Matrix &x, const WeightData &w) {
    if (w.kind.form == Form::affine) return std::make_unique<AffineRows>(m, k, x, w.kind.group, w.kind.bits);
    if (w.kind.form == Form::int8) return std::make_unique<Int8Rows>(m, k, x);
    return std::make_unique<DenseRows>(m, k, x, w.bf16);
}

bool alike(const WeightData &a, const WeightData &b) {
    return a.kind.form == b.kind.form && a.kind.group == b.kind.group && a.kind.bits == b.kind.bits && a.bf16 == b.bf16;
}

}  // namespace

void multiply_few(int64_t m, int64_t k, const Matrix &x, std::span<const Job> jobs) {
    struct Part {
        const Job *job;
        const PreparedRows *rows, *up_rows;
        int64_t end;  // of this job's chunks among those of all
    };
    std::vector<std::pair<const WeightData *, std::unique_ptr<PreparedRows>>> prepared;
    const auto rows_for = [&](const WeightData &w) {
        for (const auto &[other, rows] : prepared)
            if (alike(*other, w)) return rows.get();
        return prepared.emplace_back(&w, prepare(m, k, x, w)).second.get();
    };
    std::vector<Part> parts;
    int64_t chunks = 0, bytes = 1;
    for (const auto &job : jobs) {
        const auto *rows = rows_for(job.weight), *up_rows = job.up ? rows_for(*job.up) : nullptr;
        chunks += (job.weight.kind.n + chunk - 1) / chunk;
        bytes = std::max(bytes, chunk * (job.weight.row_bytes() + (job.up ? job.up->row_bytes() : 0)));
        parts.push_back({&job, rows, up_rows, chunks});
    }
    constexpr int64_t worth_a_thread = 65536;  // bytes
    parallel_ranges(size_t(chunks), size_t(std::max<int64_t>(1, worth_a_thread / bytes)), [&](size_t begin, size_t end) {
        float product[2 * few_rows * most_chunks * chunk];
        size_t at = 0;
        for (auto c = int64_t(begin); c < int64_t(end);) {
            while (c >= parts[at].end) at++;
            const auto &[job, rows, up_rows, part_end] = parts[at];
            // Memory is read in long stretches, of one matrix at a time.
            const int64_t here = std::min({int64_t(end) - c, part_end - c, most_chunks}), stride = here * chunk;
            const int64_t n = job->weight.kind.n, first = (c - part_end) * chunk + (n + chunk - 1) / chunk * chunk;
            const int64_t count = std::min(stride, n - first);
            rows->multiply(job->weight, first, count, product, stride);
            if (job->up) up_rows->multiply(*job->up, first, count, product + few_rows * stride, stride);
            if (job->up)
                for (int64_t i = 0; i < m; i++)
                    join_gate(*job, product + i * stride, product + (few_rows + i) * stride, first, count);
            finish_rows(product, stride, m, count, job->up ? Epilogue{} : job->epilogue, 0, first, job->out);
            c += here;
        }
    });
}

}  // namespace cmlx
