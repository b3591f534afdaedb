// Communication between processes.
#include "cmlx_distributed.h"
#include <csignal>
#include <cstdlib>
#include <dlfcn.h>
#include "internal.hpp"
#include "mlx/distributed/distributed.h"
#include "mlx/distributed/ops.h"

using namespace cmlx;
namespace dist = mx::distributed;

struct cmlx_group_s {
    dist::Group value;
};

namespace {

/// MLX opens "libmpi.so", which Debian installs only with the headers; the library itself ends in .40. MLX reads this
/// variable once.
void name_mpi_library() {
    static const bool done = [] {
        if (std::getenv("MLX_MPI_LIBNAME")) return true;
        for (const char *name : {"libmpi.so", "libmpi.so.40"})
            if (void *library = dlopen(name, RTLD_NOW | RTLD_GLOBAL)) {
                dlclose(library);
                setenv("MLX_MPI_LIBNAME", name, 0);
                break;
            }
        return true;
    }();
    (void)done;
}

/// MLX writes to its sockets without asking for an error instead of a signal: a lost process would end all others.
void survive_lost_processes() {
    struct sigaction action;
    if (sigaction(SIGPIPE, nullptr, &action) == 0 && action.sa_handler == SIG_DFL) std::signal(SIGPIPE, SIG_IGN);
}

}  // namespace

bool cmlx_distributed_is_available(const char *backend) {
    bool result = false;
    guard([&] {
        name_mpi_library();
        result = dist::is_available(backend);
    });
    return result;
}

int cmlx_group_join(const char *backend, cmlx_group *out) {
    return guard([&] {
        name_mpi_library();
        *out = new cmlx_group_s{dist::init(true, backend)};
        if ((*out)->value.size() > 1) survive_lost_processes();
    });
}

int cmlx_distributed_leave(void) {
    return guard([] { dist::clear_backends(); });
}

int cmlx_group_split(cmlx_group group, int color, int key, cmlx_group *out) {
    return guard([&] { *out = new cmlx_group_s{group->value.split(color, key)}; });
}

void cmlx_group_free(cmlx_group group) { release(group); }
int cmlx_group_rank(cmlx_group group) { return group->value.rank(); }
int cmlx_group_size(cmlx_group group) { return group->value.size(); }

int cmlx_collect(cmlx_collective operation, cmlx_array a, cmlx_group group, cmlx_array *out) {
    return produce(out, [&] {
        const auto &x = a->value;
        const auto s = stream();
        switch (operation) {
        case CMLX_ALL_SUM: return dist::all_sum(x, group->value, s);
        case CMLX_ALL_MAX: return dist::all_max(x, group->value, s);
        case CMLX_ALL_MIN: return dist::all_min(x, group->value, s);
        case CMLX_ALL_GATHER: return dist::all_gather(x, group->value, s);
        }
        throw std::invalid_argument("unknown collective operation");
    });
}

int cmlx_send(cmlx_array a, int destination, cmlx_group group, cmlx_array *out) {
    return produce(out, [&] { return dist::send(a->value, destination, group->value, stream()); });
}

int cmlx_receive(const int32_t *shape, size_t rank, cmlx_dtype type, int source, cmlx_group group, cmlx_array *out) {
    return produce(out, [&] {
        return dist::recv(to_shape(shape, rank), to_dtype(type), source, group->value, stream());
    });
}
