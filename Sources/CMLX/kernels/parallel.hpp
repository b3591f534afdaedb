// One team of threads for all kernels: the OpenMP team that oneDNN uses too, reached through libgomp's C interface
// (SwiftPM passes no -fopenmp). Two teams would fight for the cores.
#pragma once
#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>

extern "C" {
void GOMP_parallel(void (*function)(void *), void *data, unsigned threads, unsigned flags);
int omp_get_thread_num(void);
int omp_get_num_threads(void);
int omp_get_max_threads(void);
}

namespace cmlx {

/// Threads a parallel section may use.
inline int max_threads() { return std::max(1, omp_get_max_threads()); }

/// Runs `body(thread, threads)` once on each of at most `threads` threads. The body must not throw.
template <class Body>
void parallel(int threads, Body &&body) {
    if (threads <= 1) return body(0, 1);
    GOMP_parallel([](void *data) {
        (*static_cast<std::remove_reference_t<Body> *>(data))(omp_get_thread_num(), omp_get_num_threads());
    }, const_cast<void *>(static_cast<const void *>(&body)), unsigned(threads), 0);
}

/// Splits 0..<count into contiguous ranges of at least `grain` for whoever is free: `body(begin, end)`. Ranges get shorter
/// towards the end, so that a thread that other work on the machine delays does not delay the rest.
template <class Body>
void parallel_ranges(size_t count, size_t grain, Body &&body) {
    grain = std::max<size_t>(1, grain);
    const size_t threads = std::min<size_t>(count / grain, max_threads());
    if (threads <= 1) {
        if (count > 0) body(size_t(0), count);
        return;
    }
    std::atomic<size_t> next = 0;
    parallel(int(threads), [&](int, int) {
        size_t begin = next.load(std::memory_order_relaxed);
        while (begin < count) {
            const size_t end = std::min(count, begin + std::max(grain, (count - begin) / (3 * threads)));
            if (!next.compare_exchange_weak(begin, end, std::memory_order_relaxed)) continue;
            body(begin, end);
            begin = next.load(std::memory_order_relaxed);
        }
    });
}

/// Hands out 0..<count one at a time to whoever is free: `body(index, thread)`.
template <class Body>
void parallel_tasks(size_t count, Body &&body) {
    std::atomic<size_t> next = 0;
    parallel(int(std::min<size_t>(count, max_threads())), [&](int thread, int) {
        for (size_t i; (i = next.fetch_add(1, std::memory_order_relaxed)) < count;) body(i, thread);
    });
}

}  // namespace cmlx
