// SHA-256, by libavutil.
#include "cffmpeg.h"

#include <libavutil/sha.h>

size_t cff_sha256_size(void) { return (size_t)av_sha_size; }

void cff_sha256_begin(void *sha) { av_sha_init(sha, 256); }

void cff_sha256_update(void *sha, const void *bytes, size_t count) { av_sha_update(sha, bytes, count); }

void cff_sha256_finish(void *sha, uint8_t digest[32]) { av_sha_final(sha, digest); }
