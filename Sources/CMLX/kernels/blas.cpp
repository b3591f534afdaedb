// cblas_sgemm on oneDNN. MLX multiplies float32 matrices through this function of the slow reference BLAS its wheel
// brings; a program that contains this definition takes its place, for the program is searched before libraries.
#include <atomic>
#include <dnnl.h>
#include <cstdint>
#include "cmlx_kernels.h"

namespace {

std::atomic<int64_t> calls = 0;

enum { row_major = 101, column_major = 102, no_transpose = 111 };

/// What oneDNN refuses (it refuses nothing that BLAS defines, as far as is known), in plain loops; row-major.
void plain(bool transpose_a, bool transpose_b, int m, int n, int k, float alpha, const float *a, int lda,
           const float *b, int ldb, float beta, float *c, int ldc) {
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) {
            float sum = 0;
            for (int64_t l = 0; l < k; l++)
                sum +=
                    (transpose_a ? a[l * lda + i] : a[i * lda + l]) * (transpose_b ? b[j * ldb + l] : b[l * ldb + j]);
            c[i * ldc + j] = alpha * sum + (beta == 0 ? 0 : beta * c[i * ldc + j]);
        }
}

}  // namespace

extern "C" __attribute__((visibility("default"))) void cblas_sgemm(int layout, int transpose_a, int transpose_b, int m,
                                                                   int n, int k, float alpha, const float *a, int lda,
                                                                   const float *b, int ldb, float beta, float *c,
                                                                   int ldc) {
    calls.fetch_add(1, std::memory_order_relaxed);
    if (layout == column_major)  // the transposed product of the transposed operands
        return cblas_sgemm(row_major, transpose_b, transpose_a, n, m, k, alpha, b, ldb, a, lda, beta, c, ldc);
    const bool ta = transpose_a != no_transpose, tb = transpose_b != no_transpose;
    if (dnnl_sgemm(ta ? 'T' : 'N', tb ? 'T' : 'N', m, n, k, alpha, a, lda, b, ldb, beta, c, ldc) != dnnl_success)
        plain(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}

int64_t cmlx_kernel_blas_calls(void) { return calls.load(); }
