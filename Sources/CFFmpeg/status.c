// Errors, logging, byte queues.
#include "internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *cff_status_message(const cff_status *status) { return status->message; }

void cff_configure(bool logging, size_t largest_allocation) {
    av_log_set_level(logging ? AV_LOG_VERBOSE : AV_LOG_QUIET);
    av_max_alloc(largest_allocation);
}

void cff_free(void *memory) { av_free(memory); }

bool cff_fail(cff_status *status, cff_code code, int averror, const char *format, ...) {
    if (!status) return false;
    status->code = averror == AVERROR(ENOMEM) ? CFF_MEMORY : code;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(status->message, sizeof status->message, format, arguments);
    va_end(arguments);
    if (averror < 0) {
        size_t used = strlen(status->message);
        char reason[AV_ERROR_MAX_STRING_SIZE] = "";
        av_strerror(averror, reason, sizeof reason);
        snprintf(status->message + used, sizeof status->message - used, "%s%s", used ? ": " : "", reason);
    }
    return false;
}

cff_code cff_code_of(int averror) {
    switch (averror) {
    case AVERROR(ENOMEM): return CFF_MEMORY;
    case AVERROR_PATCHWELCOME:
    case AVERROR(ENOSYS):
    case AVERROR_DECODER_NOT_FOUND: return CFF_UNSUPPORTED;
    default: return CFF_CORRUPT;
    }
}

uint8_t *cff_bytes_reserve(cff_bytes *bytes, size_t count) {
    if (bytes->start > 0) {
        memmove(bytes->data, bytes->data + bytes->start, bytes->end - bytes->start);
        bytes->end -= bytes->start;
        bytes->start = 0;
    }
    if (bytes->capacity - bytes->end < count) {
        size_t capacity = FFMAX(bytes->capacity * 2, bytes->end + count);
        uint8_t *data = av_realloc(bytes->data, capacity);
        if (!data) return NULL;
        bytes->data = data;
        bytes->capacity = capacity;
    }
    return bytes->data + bytes->end;
}

void cff_bytes_free(cff_bytes *bytes) {
    av_freep(&bytes->data);
    *bytes = (cff_bytes){0};
}
