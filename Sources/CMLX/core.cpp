// Handles, errors, the stream, and moving data in and out of arrays.
#include "internal.hpp"
#include <array>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <sstream>
#include <thread>
#if defined(__GLIBC__)
#include <malloc.h>
#endif

namespace cmlx {

namespace {
thread_local std::string last_error;
/// One evaluation at a time: the stream may be used from any thread but not by two at once. Recursive, as a Swift
/// function being differentiated may evaluate.
std::recursive_mutex evaluation;
/// Threads inside MLX, how deeply this one is (a function being differentiated calls again), whether the process ends.
std::atomic<int> inside{0};
thread_local int depth = 0;
std::atomic<bool> closed{false};

bool enter(Visit::AtExit late) noexcept {
    if (depth++ > 0) return true;
    inside++;
    if (!closed) return true;
    inside--;
    depth--;
    while (late == Visit::AtExit::waits) std::this_thread::sleep_for(std::chrono::hours(1));
    return false;
}

/// Called by `exit`, before what MLX made until then is destroyed. The thread that exits stays inside.
void end_visits() noexcept {
    const int own = depth++ > 0 ? 1 : 0;
    closed = true;
    while (inside > own) std::this_thread::sleep_for(std::chrono::microseconds(100));
    try {
        mx::synchronize(stream());
    } catch (...) {
    }
}

const std::array<mx::Dtype, 14> dtypes = {
    mx::bool_, mx::uint8, mx::uint16, mx::uint32, mx::uint64, mx::int8, mx::int16,
    mx::int32, mx::int64, mx::float16, mx::bfloat16, mx::float32, mx::float64, mx::complex64};

/// The GPU where MLX was built for one and finds it, unless the environment says LYRA_DEVICE=cpu.
mx::Device preferred_device() {
    const char *name = std::getenv("LYRA_DEVICE");
    const std::string wanted = name ? name : "";
    if (wanted != "" && wanted != "cpu" && wanted != "gpu")
        throw std::invalid_argument("LYRA_DEVICE is '" + wanted + "'; it can be cpu or gpu");
    if (wanted == "cpu") return mx::Device::cpu;
    const bool available = mx::is_available(mx::Device::gpu);
    if (wanted == "gpu" && !available) throw std::invalid_argument("LYRA_DEVICE is gpu, and MLX finds none");
    return available ? mx::Device::gpu : mx::Device::cpu;
}

/// Keeps to so many gigabytes: MLX takes all of a GPU's memory otherwise, and several processes cannot share it.
void limit_memory(const char *gigabytes) {
    char *end = nullptr;
    const double limit = std::strtod(gigabytes, &end);
    if (end == gigabytes || *end || !(limit > 0) || limit > 1e6)
        throw std::invalid_argument(std::string("LYRA_GPU_MEMORY is '") + gigabytes + "'; it is a number of gigabytes");
    mx::set_memory_limit(size_t(limit * 1e9));
    mx::set_cache_limit(size_t(limit * 0.7e9));
}
}  // namespace

Visit::Visit(AtExit late) noexcept : admitted(enter(late)) {}

Visit::~Visit() {
    if (admitted && --depth == 0) inside--;
}

void set_error(const char *message) noexcept {
    try {
        last_error = message;
    } catch (...) {
    }
}

mx::Stream stream() {
    static const mx::Stream shared = [] {
        const auto device = preferred_device();
        mx::set_default_device(device);
        if (const char *limit = std::getenv("LYRA_GPU_MEMORY"); limit && device == mx::Device::gpu) limit_memory(limit);
        mx::get_active_memory();  // makes the allocator first, so that the queues, which use it, are destroyed before it
        const auto made = mx::new_thread_unsafe_stream(device);
        std::atexit(end_visits);
        return made;
    }();
    thread_local bool is_default = false;
    if (!is_default) {
        mx::set_default_stream(shared);
        is_default = true;
    }
    return shared;
}

mx::Dtype to_dtype(cmlx_dtype type) {
    if (type < 0 || type >= static_cast<int>(dtypes.size())) throw std::invalid_argument("unknown dtype");
    return dtypes[type];
}

cmlx_dtype from_dtype(mx::Dtype type) {
    for (size_t i = 0; i < dtypes.size(); i++)
        if (dtypes[i] == type) return static_cast<cmlx_dtype>(i);
    return CMLX_FLOAT32;
}

}  // namespace cmlx

using namespace cmlx;

const char *cmlx_last_error(void) { return cmlx::last_error.c_str(); }

void cmlx_array_free(cmlx_array array) { release(array); }

int cmlx_array_retain(cmlx_array array, cmlx_array *out) {
    return produce(out, [&] { return array->value; });
}

int cmlx_array_from_data(const void *data, const int32_t *shape, size_t rank, cmlx_dtype type, cmlx_array *out) {
    return produce(out, [&] {
        const auto dtype = to_dtype(type);
        const auto dimensions = to_shape(shape, rank);
        size_t bytes = mx::size_of(dtype);
        for (auto d : dimensions) bytes *= d;
        auto owned = mx::allocator::malloc(bytes);
        auto buffer = owned.buffer();
        if (bytes > 0) std::memcpy(buffer.raw_ptr(), data, bytes);
        return mx::array(std::move(owned), dimensions, dtype);
    });
}

int cmlx_array_wrap(void *data, const int32_t *shape, size_t rank, cmlx_dtype type,
                    void (*release)(void *), void *context, cmlx_array *out) {
    return produce(out, [&] {
        // MLX's CPU allocator keeps a size_t before the elements, so its Buffer points one size_t earlier. Where that
        // holds, the memory is used in place; where it does not (a GPU build), MLX copies and releases it at once.
        mx::allocator::Buffer buffer(static_cast<char *>(data) - sizeof(size_t));
        if (!mx::is_available(mx::Device::gpu) && buffer.raw_ptr() == data) {
            auto deleter = [release, context](mx::allocator::Buffer) { release(context); };
            return mx::array(mx::allocator::Data(buffer, deleter), to_shape(shape, rank), to_dtype(type));
        }
        return mx::array(data, to_shape(shape, rank), to_dtype(type), [release, context](void *) { release(context); });
    });
}

int cmlx_scalar(double value, cmlx_dtype type, cmlx_array *out) {
    return produce(out, [&] { return mx::array(value, to_dtype(type)); });
}

int cmlx_scalar_integer(int64_t value, cmlx_dtype type, cmlx_array *out) {
    return produce(out, [&] { return mx::array(value, to_dtype(type)); });
}

size_t cmlx_array_rank(cmlx_array array) { return array->value.ndim(); }
size_t cmlx_array_size(cmlx_array array) { return array->value.size(); }
int32_t cmlx_array_dimension(cmlx_array array, size_t axis) { return array->value.shape(static_cast<int>(axis)); }
cmlx_dtype cmlx_array_dtype(cmlx_array array) { return from_dtype(array->value.dtype()); }

int cmlx_array_data(cmlx_array array, const void **data) {
    return guard([&] {
        std::lock_guard lock(evaluation);
        array->value.eval();
        if (!array->value.flags().row_contiguous) {
            array->value = mx::contiguous(array->value, false, stream());
            array->value.eval();
        }
        *data = array->value.data<void>();
    });
}

int cmlx_array_describe(cmlx_array array, const char **text) {
    return guard([&] {
        thread_local std::string description;
        std::lock_guard lock(evaluation);
        std::ostringstream stream;
        stream << array->value;
        description = stream.str();
        *text = description.c_str();
    });
}

int cmlx_eval(const cmlx_array *arrays, size_t count) {
    return guard([&] {
        std::lock_guard lock(evaluation);
        mx::eval(to_vector(arrays, count));
    });
}

int cmlx_async_eval(const cmlx_array *arrays, size_t count) {
    return guard([&] {
        std::lock_guard lock(evaluation);
        mx::async_eval(to_vector(arrays, count));
    });
}

int cmlx_on_gpu(bool *out) {
    return guard([&] { *out = stream().device == mx::Device::gpu; });
}

size_t cmlx_memory_get(cmlx_memory which) {
    size_t bytes = 0;
    guard([&] {
        switch (which) {
        case CMLX_MEMORY_ACTIVE: bytes = mx::get_active_memory(); break;
        case CMLX_MEMORY_PEAK: bytes = mx::get_peak_memory(); break;
        case CMLX_MEMORY_CACHE: bytes = mx::get_cache_memory(); break;
        case CMLX_MEMORY_LIMIT: bytes = mx::get_memory_limit(); break;
        case CMLX_MEMORY_CACHE_LIMIT:
            bytes = mx::set_cache_limit(0);  // MLX has no getter, only a setter that returns the limit before
            mx::set_cache_limit(bytes);
            break;
        }
    });
    return bytes;
}

int cmlx_memory_set(cmlx_memory which, size_t bytes) {
    return guard([&] {
        switch (which) {
        case CMLX_MEMORY_PEAK: mx::reset_peak_memory(); break;
        case CMLX_MEMORY_CACHE: mx::clear_cache(); break;
        case CMLX_MEMORY_LIMIT: mx::set_memory_limit(bytes); break;
        case CMLX_MEMORY_CACHE_LIMIT: mx::set_cache_limit(bytes); break;
        default: throw std::invalid_argument("active memory cannot be set");
        }
    });
}

void cmlx_memory_keep(void) {
#if defined(__GLIBC__)
    mallopt(M_ARENA_MAX, 1);  // further heaps hold 64 MB at most
    mallopt(M_MMAP_THRESHOLD, 1 << 30);
    mallopt(M_TRIM_THRESHOLD, -1);
    mallopt(M_TOP_PAD, 64 << 20);
#endif
}
