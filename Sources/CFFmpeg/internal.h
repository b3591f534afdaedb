// What the C files share. Not visible to Swift.
#ifndef CFFMPEG_INTERNAL_H
#define CFFMPEG_INTERNAL_H

#include "cffmpeg.h"

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libswresample/swresample.h>
#include <libswscale/swscale.h>

// Fills `status` (which may be NULL). `averror` below zero adds FFmpeg's text for it. Always returns false.
bool cff_fail(cff_status *status, cff_code code, int averror, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
// The code that suits an FFmpeg error from a decoder or demuxer.
cff_code cff_code_of(int averror);

// Where an input's bytes come from: memory, a file, or a stream.
typedef struct cff_reader {
    int descriptor;
    bool seekable, failed;
    uint8_t *bytes;
    int64_t count, position;
    AVIOContext *io;
} cff_reader;

bool cff_reader_open(cff_reader *reader, const cff_source *source, cff_status *status);
void cff_reader_close(cff_reader *reader);

struct cff_input {
    cff_reader reader;
    char *allowed, *name;
    int64_t max_pixels;
    bool audio;
    int threads;
    AVFormatContext *format;
    AVStream *stream;  // the selected one
    AVCodecContext *decoder;  // NULL until a stream is selected, and if going back to the start failed
    AVPacket *packet;
    AVFrame *frame;
    struct SwsContext *scaler;
    cff_progress progress;
    bool draining;
    int drain_errors;
};

// A growing queue of bytes.
typedef struct cff_bytes {
    uint8_t *data;
    size_t start, end, capacity;
} cff_bytes;

// Room for `count` more bytes at the end; NULL without memory. Then add what was written to `end`.
uint8_t *cff_bytes_reserve(cff_bytes *bytes, size_t count);
void cff_bytes_free(cff_bytes *bytes);

// Converts audio of one format to mono of another, and hands out exactly ceil(samples * out_rate / in_rate) samples.
// What lies before the start and after the end counts as silence.
typedef struct cff_resampler {
    SwrContext *swr;
    AVChannelLayout layout;
    enum AVSampleFormat in_format, out_format;
    int in_rate, out_rate;
    int64_t consumed, produced;
    int margin, skip;  // silence around the signal, in input samples; what is to be dropped of it, in output samples
} cff_resampler;

typedef struct cff_resampling {
    const AVChannelLayout *layout;
    enum AVSampleFormat in_format, out_format;
    int in_rate, out_rate;
    bool first_channel;  // rather than a mix
    bool as_trained;     // filter as near as possible to the one of the model's training; else libswresample's own
} cff_resampling;

bool cff_resampler_open(cff_resampler *resampler, const cff_resampling *wanted, cff_status *status);
void cff_resampler_close(cff_resampler *resampler);
// `data` NULL: the end. Output samples go to `out`.
bool cff_resampler_push(cff_resampler *resampler, const uint8_t *const *data, int count, cff_bytes *out,
                        cff_status *status);

bool cff_pixels_to_rgb(const AVFrame *frame, bool on_white, struct SwsContext **scaler, uint8_t *rgb,
                       cff_status *status);
// The colour conversion of the JPEG reference decoder. False if the frame's layout is none of its.
bool cff_jpeg_to_rgb(const AVFrame *frame, uint8_t *rgb);

#endif
