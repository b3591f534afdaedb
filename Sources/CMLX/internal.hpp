// Shared by the C++ files of CMLX: handles, error capture, the stream. Not visible to Swift.
#pragma once
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>
#include "cmlx.h"
#include "mlx/mlx.h"

namespace mx = mlx::core;

struct cmlx_array_s {
    mx::array value;
};

namespace cmlx {

void set_error(const char *message) noexcept;

/// The stream of every operation: usable from any thread, unlike MLX's thread-local default streams. Also makes it the
/// calling thread's default, for the few places where MLX takes the default itself (eval, gradients of some operations).
mx::Stream stream();

mx::Dtype to_dtype(cmlx_dtype type);
cmlx_dtype from_dtype(mx::Dtype type);

/// A thread's stay in MLX. `exit` destroys MLX's allocator and queues while other threads may still compute or let go
/// of arrays, which then corrupts the heap: at exit those inside get out first, and no other thread comes in.
class Visit {
  public:
    enum class AtExit { waits, is_refused };
    explicit Visit(AtExit late) noexcept;
    ~Visit();
    Visit(const Visit &) = delete;
    Visit &operator=(const Visit &) = delete;

    /// Whether the thread is inside: always, unless it came while the process ends and does not wait for that.
    const bool admitted;
};

/// Deletes a handle; while the process ends, the memory goes with it.
template <class T>
void release(T *handle) noexcept {
    const Visit visit(Visit::AtExit::is_refused);
    if (visit.admitted) delete handle;
}

/// Runs `body`; turns any exception into a status and a message.
template <class F>
int guard(F &&body) noexcept {
    const Visit visit(Visit::AtExit::waits);
    try {
        stream();
        body();
        return 0;
    } catch (const std::exception &error) {
        set_error(error.what());
    } catch (...) {
        set_error("unknown C++ exception");
    }
    return 1;
}

/// Runs `body`, which returns an mx::array, and stores it in a new handle.
template <class F>
int produce(cmlx_array *out, F &&body) noexcept {
    return guard([&] { *out = new cmlx_array_s{body()}; });
}

inline mx::Shape to_shape(const int32_t *shape, size_t rank) { return mx::Shape(shape, shape + rank); }

inline std::vector<int> to_ints(const int32_t *values, size_t count) { return std::vector<int>(values, values + count); }

inline std::vector<mx::array> to_vector(const cmlx_array *arrays, size_t count) {
    std::vector<mx::array> result;
    result.reserve(count);
    for (size_t i = 0; i < count; i++) result.push_back(arrays[i]->value);
    return result;
}

}  // namespace cmlx
