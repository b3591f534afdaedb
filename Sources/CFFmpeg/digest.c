// SHA-256, by libavutil.
#include "cffmpeg.h"

#include <libavutil/mem.h>
#include <libavutil/sha.h>

cff_sha256 *cff_sha256_new(void) {
    struct AVSHA *sha = av_sha_alloc();
    if (sha) av_sha_init(sha, 256);
    return sha;
}

void cff_sha256_update(cff_sha256 *sha, const void *bytes, size_t count) { av_sha_update(sha, bytes, count); }

void cff_sha256_finish(cff_sha256 *sha, uint8_t digest[32]) { av_sha_final(sha, digest); }

void cff_sha256_free(cff_sha256 *sha) { av_free(sha); }
