// C interface to the MLX C++ library. Knows arrays and operations, no model.
//
// Conventions: every function that can fail returns 0 on success and non-zero on failure, when `cmlx_last_error()` (per
// thread) says why; no C++ exception crosses this interface. `cmlx_array` is an owning handle: results are written to
// `cmlx_array *out` and released by `cmlx_array_free`. Operations are lazy and run on one process-wide CPU stream.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cmlx_array_s *cmlx_array;

/// Element types, numbered here and nowhere else.
typedef enum {
    CMLX_BOOL = 0, CMLX_UINT8, CMLX_UINT16, CMLX_UINT32, CMLX_UINT64, CMLX_INT8, CMLX_INT16, CMLX_INT32, CMLX_INT64,
    CMLX_FLOAT16, CMLX_BFLOAT16, CMLX_FLOAT32, CMLX_FLOAT64, CMLX_COMPLEX64
} cmlx_dtype;

/// What went wrong in the last failing call on this thread.
const char *cmlx_last_error(void);

void cmlx_array_free(cmlx_array array);
/// Another handle to the same array.
int cmlx_array_retain(cmlx_array array, cmlx_array *out);
/// Copies `data` (row-major, contiguous) into a new array.
int cmlx_array_from_data(const void *data, const int32_t *shape, size_t rank, cmlx_dtype type, cmlx_array *out);
/// Wraps memory without copying (on a GPU build: copies); `release(context)` is called when the last user is gone. The
/// memory must be writable, aligned to its element size, and have 8 readable bytes before it.
int cmlx_array_wrap(void *data, const int32_t *shape, size_t rank, cmlx_dtype type,
                    void (*release)(void *), void *context, cmlx_array *out);
size_t cmlx_array_rank(cmlx_array array);
size_t cmlx_array_size(cmlx_array array);
int32_t cmlx_array_dimension(cmlx_array array, size_t axis);
cmlx_dtype cmlx_array_dtype(cmlx_array array);
/// Computes the array and makes it row-contiguous; `*data` points to its elements while the array lives.
int cmlx_array_data(cmlx_array array, const void **data);
/// Computes arrays and waits.
int cmlx_eval(const cmlx_array *arrays, size_t count);

#ifdef __cplusplus
}
#endif
