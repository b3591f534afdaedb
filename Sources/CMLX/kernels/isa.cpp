// Which instruction set the kernels use.
#include <atomic>
#include <cstdlib>
#include <string_view>
#include "cmlx_kernels.h"
#include "simd.hpp"

namespace cmlx {

namespace {

ISA detect() {
#if defined(__x86_64__)
    __builtin_cpu_init();
    const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
    const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
    if (avx512) return __builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512vnni") ? ISA::avx512_bf16 : ISA::avx512;
    if (avx2) return ISA::avx2;
#endif
    return ISA::portable;
}

ISA requested() {
    const char *value = std::getenv("LYRA_ISA");
    const std::string_view name = value ? value : "";
    if (name == "portable") return ISA::portable;
    if (name == "avx2") return ISA::avx2;
    if (name == "avx512") return ISA::avx512;
    return ISA::avx512_bf16;
}

ISA best() {
    static const ISA found = detect();
    return found;
}

std::atomic<ISA> &current() {
    static std::atomic<ISA> value = std::min(best(), requested());
    return value;
}

}  // namespace

ISA isa() { return current().load(std::memory_order_relaxed); }
void set_isa_limit(ISA limit) { current().store(std::min(best(), limit)); }

}  // namespace cmlx

int cmlx_kernel_isa(void) { return int(cmlx::isa()); }
void cmlx_kernel_limit_isa(int level) { cmlx::set_isa_limit(cmlx::ISA(level)); }
