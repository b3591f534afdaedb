// One team of threads for all kernels: the OpenMP team that oneDNN uses too, reached through libgomp's C interface
// (SwiftPM passes no -fopenmp). Two teams would fight for the cores.
#pragma once
#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

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

/// 0..<count shared out to threads: each goes through a stretch of its own from front to back, as memory is read best, and
/// when it is through takes the second half of what another has left.
class Stretches {
public:
    Stretches(uint32_t count, size_t threads) : threads_(threads), left_(new Left[threads]) {
        for (size_t i = 0; i < threads; i++)
            left_[i].range = pack(uint32_t(uint64_t(count) * i / threads), uint32_t(uint64_t(count) * (i + 1) / threads));
    }

    /// What a thread does next; false when nothing is left. Takes get shorter, so that others find something to take over.
    bool take(size_t thread, uint32_t *begin, uint32_t *end) {
        auto &mine = left_[thread].range;
        do {
            uint64_t range = mine.load(std::memory_order_relaxed);
            while (first(range) < last(range)) {
                *begin = first(range);
                *end = *begin + std::max(1u, (last(range) - *begin) / 4);
                if (mine.compare_exchange_weak(range, pack(*end, last(range)), std::memory_order_relaxed)) return true;
            }
        } while (take_over(thread));
        return false;
    }

private:
    struct alignas(64) Left {
        std::atomic<uint64_t> range;
    };
    const size_t threads_;
    const std::unique_ptr<Left[]> left_;

    static uint64_t pack(uint32_t first, uint32_t last) { return uint64_t(first) << 32 | last; }
    static uint32_t first(uint64_t range) { return uint32_t(range >> 32); }
    static uint32_t last(uint64_t range) { return uint32_t(range); }

    /// An empty stretch becomes half of another's. What is done never comes back, so a range that is what it was is untouched.
    bool take_over(size_t thread) {
        for (size_t i = 1; i < threads_; i++) {
            auto &other = left_[(thread + i) % threads_].range;
            uint64_t range = other.load(std::memory_order_relaxed);
            while (first(range) < last(range)) {
                const uint32_t middle = first(range) + (last(range) - first(range)) / 2;
                if (!other.compare_exchange_weak(range, pack(first(range), middle), std::memory_order_relaxed)) continue;
                left_[thread].range.store(pack(middle, last(range)), std::memory_order_relaxed);
                return true;
            }
        }
        return false;
    }
};

/// Splits 0..<count into contiguous ranges of at least `grain`: `body(begin, end)`. Threads that are ahead, because other work
/// on the machine delays the rest, take over from them.
template <class Body>
void parallel_ranges(size_t count, size_t grain, Body &&body) {
    grain = std::max<size_t>({1, grain, count >> 31});
    const size_t threads = std::min<size_t>(count / grain, max_threads());
    if (threads <= 1) {
        if (count > 0) body(size_t(0), count);
        return;
    }
    Stretches stretches(uint32_t((count + grain - 1) / grain), threads);
    parallel(int(threads), [&](int thread, int) {
        for (uint32_t begin, end; stretches.take(size_t(thread), &begin, &end);)
            body(begin * grain, std::min(count, end * grain));
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
