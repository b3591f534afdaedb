// A small C interface to FFmpeg's libraries: bytes in, decoded samples and RGB pixels out, and back again.
// Handles are opaque; every call that can fail fills a cff_status. Which formats, limits and fall-backs to use is
// decided by the caller (LyraMedia). FFmpeg itself never opens a file or a connection: it only sees what we read for it.
#ifndef CFFMPEG_H
#define CFFMPEG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum cff_code {
    CFF_OK = 0,
    CFF_UNKNOWN_FORMAT,  // nothing recognises the bytes
    CFF_BLOCKED,         // recognised, but the caller does not allow that container; message = its name
    CFF_UNSUPPORTED,     // no decoder or encoder, or parameters that it does not take
    CFF_NO_STREAM,       // the container is fine but lacks the wanted kind of stream
    CFF_CORRUPT,         // damaged, cut short, or not what it says it is
    CFF_TOO_LARGE,
    CFF_IO,              // reading or writing failed; message = the system's reason
    CFF_MEMORY,
} cff_code;

typedef struct cff_status {
    cff_code code;
    char message[224];
} cff_status;

const char *cff_status_message(const cff_status *status);

/// Silences FFmpeg's own log, or lets it talk, and bounds each of its allocations. Process-wide; call once.
void cff_configure(bool logging, size_t largest_allocation);

// MARK: inputs

typedef struct cff_input cff_input;

typedef struct cff_source {
    int descriptor;        // -1 for bytes only. The input owns it from the call on and closes it, also on failure.
    bool seekable;         // the descriptor is a regular file
    const uint8_t *bytes;  // copied. With a descriptor that is no file: what has been read from it already
    size_t count;
    const char *name;      // file name, used to tell formats apart by extension; may be NULL
} cff_source;

typedef struct cff_stream_info {
    const char *codec;      // e.g. "h264"
    double duration;        // seconds, 0 when unknown
    double promised;        // the same as the header says, where the file may be too short for it
    int sample_rate, channels;
    int width, height;      // as coded, before rotation
    int orientation;        // 1 to 8 as in EXIF
    int64_t frame_count;    // as the container's table tells, 0 without one
    double frame_rate;      // average, frames a second, 0 when unknown
    bool has_audio;
} cff_stream_info;

typedef struct cff_progress {
    int64_t frames;             // decoded so far
    int64_t bad_packets;        // could not be decoded
    double first_bad_seconds;   // time stamp of the first of them, negative when unknown
    bool read_failed;           // the container broke off before its end
    bool io_failed;             // reading the bytes themselves failed
    double last_seconds;        // time stamp of the last frame, negative when unknown
} cff_progress;

/// Recognises the container, which must be in `allowed` (FFmpeg names, comma separated), and reads its header.
cff_input *cff_input_open(const cff_source *source, const char *allowed, int64_t max_pixels, cff_status *status);
void cff_input_close(cff_input *input);
/// Picks the best audio or video stream and opens its decoder. Cover pictures of music files do not count as video.
bool cff_input_select(cff_input *input, bool audio, int threads, cff_status *status);
cff_stream_info cff_input_info(const cff_input *input);
cff_progress cff_input_progress(const cff_input *input);

/// Decodes the next frame. 1: there is one; 0: end; -1: failed for good (damaged packets are only counted).
int cff_input_next(cff_input *input, cff_status *status);
/// Presentation time stamp of the current frame, INT64_MIN when it has none.
int64_t cff_input_timestamp(const cff_input *input);
/// Opens the container and the decoder again, at the start.
bool cff_input_rewind(cff_input *input, cff_status *status);
/// Goes to the key frame at the time stamp. False where that is not possible; then rewind.
bool cff_input_seek(cff_input *input, int64_t timestamp);

typedef struct cff_frame_time {
    int64_t timestamp;
    bool key;  // decoding can start here
} cff_frame_time;

/// The frames of the selected stream from here on, in order of presentation, without decoding. Returns their number,
/// or -1; `*times` is to be freed with cff_free. `*distinct`: each has a time stamp of its own. Leaves the input at its
/// end: rewind.
int64_t cff_input_scan(cff_input *input, int64_t limit, cff_frame_time **times, bool *distinct, cff_status *status);
void cff_free(void *memory);

// MARK: audio

typedef struct cff_audio cff_audio;

/// Decodes the selected audio stream to mono float samples at `rate`. `first_channel`: channel 0 instead of a mix.
/// The input must outlive it.
cff_audio *cff_audio_open(cff_input *input, int rate, bool first_channel, cff_status *status);
void cff_audio_close(cff_audio *audio);
/// Up to `capacity` samples; 0 at the end, -1 on failure.
int64_t cff_audio_read(cff_audio *audio, float *samples, int64_t capacity, cff_status *status);
/// Samples read so far that were no numbers and became 0.
int64_t cff_audio_replaced(const cff_audio *audio);

typedef enum cff_audio_format { CFF_WAV, CFF_FLAC, CFF_MP3, CFF_OPUS, CFF_PCM } cff_audio_format;

typedef struct cff_encoder cff_encoder;

/// `descriptor` -1: bytes are handed out by cff_encoder_take. Otherwise they go to that open file (not closed), and
/// headers are completed in place at the end if it can seek. `bit_rate` 0 for the codec's default.
cff_encoder *cff_encoder_open(cff_audio_format format, int rate, int64_t bit_rate, int descriptor, cff_status *status);
bool cff_encoder_append(cff_encoder *encoder, const float *samples, int64_t count, cff_status *status);
bool cff_encoder_finish(cff_encoder *encoder, cff_status *status);
/// What has been produced since the last call; valid until the next call on the encoder.
const uint8_t *cff_encoder_take(cff_encoder *encoder, size_t *count);
void cff_encoder_close(cff_encoder *encoder);

// MARK: pictures

typedef struct cff_still cff_still;

/// Decodes one picture from the bytes of a file with the named decoder ("png", "mjpeg", "webp", ...).
cff_still *cff_still_decode(const uint8_t *bytes, size_t count, const char *decoder, int64_t max_pixels,
                            cff_status *status);
void cff_still_close(cff_still *still);
/// The file is damaged or cut short; the picture is what could be made out.
bool cff_still_damaged(const cff_still *still);
int cff_still_width(const cff_still *still);
int cff_still_height(const cff_still *still);

/// Pixels as rows of R, G, B. `on_white`: transparent parts show white; otherwise alpha is dropped.
bool cff_still_rgb(cff_still *still, bool on_white, uint8_t *rgb, cff_status *status);
int cff_input_frame_width(const cff_input *input);
int cff_input_frame_height(const cff_input *input);
bool cff_input_frame_rgb(cff_input *input, bool on_white, uint8_t *rgb, cff_status *status);

/// A PNG file of the pixels; `*bytes` is to be freed with cff_free.
bool cff_png_encode(const uint8_t *rgb, int width, int height, uint8_t **bytes, size_t *count, cff_status *status);

/// A SHA-256 digest in the making, in cff_sha256_size() bytes of the caller's.
size_t cff_sha256_size(void);
void cff_sha256_begin(void *sha);
void cff_sha256_update(void *sha, const void *bytes, size_t count);
void cff_sha256_finish(void *sha, uint8_t digest[32]);

#endif
