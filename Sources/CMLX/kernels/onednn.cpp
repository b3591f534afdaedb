// oneDNN's engine, execution and working memory; see onednn.hpp.
#include "onednn.hpp"
#include <cstdlib>
#include <memory>
#include <new>

namespace cmlx::onednn {

const dnnl::engine &engine() {
    static const auto *shared = new dnnl::engine(dnnl::engine::kind::cpu, 0);  // never destroyed: outlives all threads
    return *shared;
}

void execute(const dnnl::primitive &primitive, const std::unordered_map<int, dnnl::memory> &arguments) {
    thread_local dnnl::stream stream(engine());
    primitive.execute(stream, arguments);
    stream.wait();
}

void *scratchpad(size_t bytes) {
    struct Free {
        void operator()(void *p) const { std::free(p); }
    };
    thread_local std::unique_ptr<void, Free> memory;
    thread_local size_t size = 0;
    if (bytes > size) {
        const size_t rounded = (bytes + 4095) / 4096 * 4096;
        memory.reset();
        memory.reset(std::aligned_alloc(4096, rounded));
        if (!memory) {
            size = 0;
            throw std::bad_alloc();
        }
        size = rounded;
    }
    return memory.get();
}

}  // namespace cmlx::onednn
