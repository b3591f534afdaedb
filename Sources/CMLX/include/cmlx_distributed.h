// C interface to MLX's communication between processes.
//
// Same conventions as cmlx.h. Operations are lazy: all processes of a group must compute the same ones in the same order.
// In a group of one they return what they are given. A failing connection fails the evaluation.
#pragma once
#include "cmlx.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cmlx_group_s *cmlx_group;

/// Whether a backend ("ring", "mpi", "nccl", or "any" of them) can be used by this library on this machine.
bool cmlx_distributed_is_available(const char *backend);
/// The group of all processes that a launcher started; fails where none did.
int cmlx_group_join(const char *backend, cmlx_group *out);
/// The processes that give the same colour, ordered by key; with a negative key as in `group`.
int cmlx_group_split(cmlx_group group, int color, int key, cmlx_group *out);
void cmlx_group_free(cmlx_group group);
int cmlx_group_rank(cmlx_group group);
int cmlx_group_size(cmlx_group group);

typedef enum { CMLX_ALL_SUM, CMLX_ALL_MAX, CMLX_ALL_MIN, CMLX_ALL_GATHER } cmlx_collective;
/// The same array everywhere; ALL_GATHER joins those of all ranks along the first axis.
int cmlx_collect(cmlx_collective operation, cmlx_array a, cmlx_group group, cmlx_array *out);
/// Sends when computed; the result is the array itself.
int cmlx_send(cmlx_array a, int destination, cmlx_group group, cmlx_array *out);
int cmlx_receive(const int32_t *shape, size_t rank, cmlx_dtype type, int source, cmlx_group group, cmlx_array *out);

#ifdef __cplusplus
}
#endif
