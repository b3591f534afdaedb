// oneDNN's engine and execution; see onednn.hpp.
#include "onednn.hpp"

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

}  // namespace cmlx::onednn
