// Working memory of a thread, kept from call to call so that kernels do not pay for fresh pages.
#pragma once
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>

namespace cmlx {

/// At least `bytes`, aligned to 64, uninitialised, the calling thread's until its next call for the same owner. What calls
/// others that take some has an owner of its own.
template <class Owner = void>
void *scratch(size_t bytes) {
    struct Free {
        void operator()(void *p) const { std::free(p); }
    };
    thread_local std::unique_ptr<void, Free> memory;
    thread_local size_t size = 0;
    if (bytes > size) {
        const size_t rounded = (bytes + 4095) / 4096 * 4096;
        memory.reset();
        size = 0;
        memory.reset(std::aligned_alloc(4096, rounded));
        if (!memory) throw std::bad_alloc();
        size = rounded;
    }
    return memory.get();
}

/// Cuts memory into arrays aligned to 64. With a null base it only adds up what is taken, for the size to ask for.
class Pieces {
public:
    explicit Pieces(void *base) : base_(static_cast<char *>(base)) {}
    template <class T>
    T *take(int64_t count) {
        T *result = base_ ? reinterpret_cast<T *>(base_ + used_) : nullptr;
        used_ += (size_t(count) * sizeof(T) + 63) / 64 * 64;
        return result;
    }
    size_t used() const { return used_; }

private:
    char *base_;
    size_t used_ = 0;
};

}  // namespace cmlx
