// C interface to MLX's transformations of functions: gradients, checkpointing, gradients of one's own.
#pragma once
#include "cmlx.h"

#ifdef __cplusplus
extern "C" {
#endif

/// Arrays of a number known only later; owns them.
typedef struct cmlx_list_s *cmlx_list;

int cmlx_list_new(cmlx_list *out);
void cmlx_list_free(cmlx_list list);
size_t cmlx_list_count(cmlx_list list);
/// A new handle to the array at `index`.
int cmlx_list_get(cmlx_list list, size_t index, cmlx_array *out);
int cmlx_list_append(cmlx_list list, cmlx_array array);

/// A function of arrays: reads `inputs`, appends to `outputs`. Non-zero means failure, with the reason told to
/// `cmlx_report`; it then fails the transformation that called it.
typedef int (*cmlx_function)(void *context, cmlx_list inputs, cmlx_list outputs);
/// Gradients of a function: from its inputs, cotangents of its outputs, and outputs to gradients, one an input.
typedef int (*cmlx_gradient)(void *context, cmlx_list inputs, cmlx_list cotangents, cmlx_list outputs,
                             cmlx_list gradients);

/// Sets what `cmlx_last_error` says on this thread.
void cmlx_report(const char *message);

/// The values of `function`, the first of which is a scalar, and its gradients in the inputs at `arguments`.
int cmlx_value_and_grad(cmlx_function function, void *context, cmlx_list inputs, const int32_t *arguments, size_t count,
                        cmlx_list values, cmlx_list gradients);
/// The values of `function` and the products of `cotangents` with its Jacobian.
int cmlx_vjp(cmlx_function function, void *context, cmlx_list inputs, cmlx_list cotangents, cmlx_list values,
             cmlx_list products);
/// The values of `function` and the products of its Jacobian with `tangents`.
int cmlx_jvp(cmlx_function function, void *context, cmlx_list inputs, cmlx_list tangents, cmlx_list values,
             cmlx_list products);
/// The values of `function`, whose intermediate results are computed again for gradients rather than kept. The function
/// may be called as long as the outputs live; then `release(context)` is called.
int cmlx_checkpoint(cmlx_function function, void *context, void (*release)(void *), cmlx_list inputs,
                    cmlx_list outputs);
/// The values of `function`, whose gradients `gradient` computes. Both may be called as long as the outputs live; then
/// `release(context)` is called.
int cmlx_custom(cmlx_function function, cmlx_gradient gradient, void *context, void (*release)(void *),
                cmlx_list inputs, cmlx_list outputs);

#ifdef __cplusplus
}
#endif
