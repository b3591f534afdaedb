// Reads an input's bytes for FFmpeg: from memory, from a file, or from a stream that cannot go back.
#include "internal.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BUFFER_SIZE = 64 * 1024 };

static int read_bytes(void *opaque, uint8_t *buffer, int size) {
    cff_reader *reader = opaque;
    if (reader->bytes && reader->position < reader->count) {
        int count = (int)FFMIN((int64_t)size, reader->count - reader->position);
        memcpy(buffer, reader->bytes + reader->position, count);
        reader->position += count;
        return count;
    }
    if (reader->descriptor < 0) return AVERROR_EOF;
    ssize_t count;
    do count = read(reader->descriptor, buffer, size);
    while (count < 0 && errno == EINTR);
    if (count < 0) reader->failed = true;
    return count > 0 ? (int)count : count == 0 ? AVERROR_EOF : AVERROR(errno);
}

static int64_t seek_bytes(void *opaque, int64_t offset, int whence) {
    cff_reader *reader = opaque;
    whence &= ~AVSEEK_FORCE;
    if (reader->descriptor >= 0) {
        if (whence == AVSEEK_SIZE) {
            struct stat info;
            return fstat(reader->descriptor, &info) == 0 ? info.st_size : AVERROR(errno);
        }
        off_t position = lseek(reader->descriptor, offset, whence);
        return position < 0 ? AVERROR(errno) : position;
    }
    int64_t target;
    switch (whence) {
    case AVSEEK_SIZE: return reader->count;
    case SEEK_SET: target = offset; break;
    case SEEK_CUR: target = reader->position + offset; break;
    case SEEK_END: target = reader->count + offset; break;
    default: return AVERROR(EINVAL);
    }
    if (target < 0 || target > reader->count) return AVERROR(EINVAL);
    return reader->position = target;
}

bool cff_reader_open(cff_reader *reader, const cff_source *source, cff_status *status) {
    bool can_seek = source->descriptor < 0 || source->seekable;
    *reader = (cff_reader){.descriptor = source->descriptor, .seekable = can_seek};
    if (source->count > 0) {
        reader->bytes = av_memdup(source->bytes, source->count);
        if (!reader->bytes) return cff_fail(status, CFF_MEMORY, 0, "no memory for %zu bytes", source->count);
        reader->count = (int64_t)source->count;
    }
    uint8_t *buffer = av_malloc(BUFFER_SIZE);
    if (buffer) reader->io = avio_alloc_context(buffer, BUFFER_SIZE, 0, reader, read_bytes, NULL,
                                                can_seek ? seek_bytes : NULL);
    if (!reader->io) {
        av_free(buffer);
        return cff_fail(status, CFF_MEMORY, 0, "no memory for a buffer");
    }
    return true;
}

void cff_reader_close(cff_reader *reader) {
    if (reader->io) {
        av_freep(&reader->io->buffer);
        avio_context_free(&reader->io);
    }
    av_freep(&reader->bytes);
    if (reader->descriptor >= 0) close(reader->descriptor);
    reader->descriptor = -1;
}
