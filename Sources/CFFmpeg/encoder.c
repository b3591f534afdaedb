// Mono float samples -> a sound file or a stream of its bytes.
#include "internal.h"

#include <errno.h>
#include <libavutil/opt.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BUFFER_SIZE = 32 * 1024, PCM_FRAME = 4096, STREAMED_PAGE_MICROSECONDS = 60000 };

struct cff_encoder {
    AVFormatContext *format;
    AVCodecContext *codec;
    AVStream *stream;
    AVFrame *frame;
    AVPacket *packet;
    AVIOContext *io;
    cff_resampler resampler;
    cff_bytes samples, out;
    int descriptor;
    int64_t encoded;  // samples
    bool header_written;
};

typedef struct recipe {
    const char *muxer, *encoder;
    enum AVSampleFormat samples;
    int rates[10];  // ascending; none: any
} recipe;

static const recipe recipes[] = {
    [CFF_WAV] = {"wav", "pcm_s16le", AV_SAMPLE_FMT_S16, {0}},
    [CFF_FLAC] = {"flac", "flac", AV_SAMPLE_FMT_S16, {0}},
    [CFF_MP3] = {"mp3", "libmp3lame", AV_SAMPLE_FMT_FLTP, {8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000}},
    [CFF_OPUS] = {"opus", "libopus", AV_SAMPLE_FMT_FLT, {8000, 12000, 16000, 24000, 48000}},
    [CFF_PCM] = {"s16le", "pcm_s16le", AV_SAMPLE_FMT_S16, {0}},
};

#if LIBAVFORMAT_VERSION_MAJOR >= 61
static int write_bytes(void *opaque, const uint8_t *buffer, int size) {
#else
static int write_bytes(void *opaque, uint8_t *buffer, int size) {
#endif
    cff_encoder *encoder = opaque;
    if (encoder->descriptor < 0) {
        uint8_t *place = cff_bytes_reserve(&encoder->out, size);
        if (!place) return AVERROR(ENOMEM);
        memcpy(place, buffer, size);
        encoder->out.end += size;
        return size;
    }
    for (int done = 0; done < size;) {
        ssize_t count = write(encoder->descriptor, buffer + done, size - done);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) return AVERROR(count < 0 ? errno : EIO);
        done += (int)count;
    }
    return size;
}

static int64_t seek_file(void *opaque, int64_t offset, int whence) {
    cff_encoder *encoder = opaque;
    if (whence & AVSEEK_SIZE) return AVERROR(ENOSYS);
    off_t position = lseek(encoder->descriptor, offset, whence & ~AVSEEK_FORCE);
    return position < 0 ? AVERROR(errno) : position;
}

// The rate itself if the format has it, else the next above, else its highest.
static int rate_for(const recipe *recipe, int rate) {
    int chosen = recipe->rates[0] ? 0 : rate;
    for (int i = 0; recipe->rates[i] && chosen < rate; i++) chosen = recipe->rates[i];
    return chosen;
}

static int open_io(cff_encoder *encoder) {
    struct stat info;
    bool can_seek = encoder->descriptor >= 0 && fstat(encoder->descriptor, &info) == 0 && S_ISREG(info.st_mode);
    uint8_t *buffer = av_malloc(BUFFER_SIZE);
    if (buffer) encoder->io = avio_alloc_context(buffer, BUFFER_SIZE, 1, encoder, NULL, write_bytes,
                                                 can_seek ? seek_file : NULL);
    if (encoder->io) return 0;
    av_free(buffer);
    return AVERROR(ENOMEM);
}

static int open_muxer(cff_encoder *encoder, const recipe *recipe) {
    int result = avformat_alloc_output_context2(&encoder->format, NULL, recipe->muxer, NULL);
    if (result < 0) return result;
    encoder->format->pb = encoder->io;
    encoder->format->flags |= AVFMT_FLAG_CUSTOM_IO | AVFMT_FLAG_BITEXACT;
    encoder->format->flush_packets = 1;
    encoder->stream = avformat_new_stream(encoder->format, NULL);
    if (!encoder->stream) return AVERROR(ENOMEM);
    encoder->stream->time_base = encoder->codec->time_base;
    result = avcodec_parameters_from_context(encoder->stream->codecpar, encoder->codec);
    if (result < 0) return result;
    AVDictionary *options = NULL;
    // Ogg holds back two pages: short ones where somebody listens already.
    if (encoder->descriptor < 0) av_dict_set_int(&options, "page_duration", STREAMED_PAGE_MICROSECONDS, 0);
    av_dict_set(&options, "id3v2_version", "0", 0);
    av_dict_set(&options, "write_xing", encoder->io->seekable ? "1" : "0", 0);
    result = avformat_write_header(encoder->format, &options);
    av_dict_free(&options);
    encoder->header_written = result >= 0;
    return result;
}

static int open_codec(cff_encoder *encoder, const recipe *recipe, const AVCodec *codec, int rate, int64_t bit_rate) {
    AVCodecContext *context = encoder->codec = avcodec_alloc_context3(codec);
    encoder->frame = av_frame_alloc();
    encoder->packet = av_packet_alloc();
    if (!context || !encoder->frame || !encoder->packet) return AVERROR(ENOMEM);
    context->sample_fmt = recipe->samples;
    context->sample_rate = rate_for(recipe, rate);
    context->time_base = (AVRational){1, context->sample_rate};
    context->bit_rate = bit_rate;
    context->thread_count = 1;
    av_channel_layout_default(&context->ch_layout, 1);
    context->flags |= AV_CODEC_FLAG_BITEXACT | AV_CODEC_FLAG_GLOBAL_HEADER;
    return avcodec_open2(context, codec, NULL);
}

cff_encoder *cff_encoder_open(cff_audio_format format, int rate, int64_t bit_rate, int descriptor, cff_status *status) {
    const recipe *recipe = &recipes[format];
    const AVCodec *codec = avcodec_find_encoder_by_name(recipe->encoder);
    if (!codec) {
        cff_fail(status, CFF_UNSUPPORTED, 0, "this FFmpeg has no %s encoder", recipe->encoder);
        return NULL;
    }
    cff_encoder *encoder = av_mallocz(sizeof *encoder);
    if (!encoder) {
        cff_fail(status, CFF_MEMORY, 0, "no memory");
        return NULL;
    }
    encoder->descriptor = descriptor;
    int result = open_codec(encoder, recipe, codec, rate, bit_rate);
    if (result >= 0) result = open_io(encoder);
    if (result >= 0) result = open_muxer(encoder, recipe);
    bool done = result >= 0 || cff_fail(status, CFF_UNSUPPORTED, result, "%s at %d Hz", recipe->muxer, rate);
    if (done) {
        AVChannelLayout mono = AV_CHANNEL_LAYOUT_MONO;
        cff_resampling wanted = {.layout = &mono, .in_format = AV_SAMPLE_FMT_FLT, .in_rate = rate,
                                 .out_format = recipe->samples, .out_rate = encoder->codec->sample_rate};
        done = cff_resampler_open(&encoder->resampler, &wanted, status);
    }
    if (done) return encoder;
    cff_encoder_close(encoder);
    return NULL;
}

void cff_encoder_close(cff_encoder *encoder) {
    if (!encoder) return;
    avcodec_free_context(&encoder->codec);
    av_frame_free(&encoder->frame);
    av_packet_free(&encoder->packet);
    avformat_free_context(encoder->format);
    if (encoder->io) {
        av_freep(&encoder->io->buffer);
        avio_context_free(&encoder->io);
    }
    cff_resampler_close(&encoder->resampler);
    cff_bytes_free(&encoder->samples);
    cff_bytes_free(&encoder->out);
    av_free(encoder);
}

// Sends a frame (NULL: the end) and writes the packets that come out.
static int encode(cff_encoder *encoder, const AVFrame *frame) {
    int result = avcodec_send_frame(encoder->codec, frame);
    while (result >= 0) {
        result = avcodec_receive_packet(encoder->codec, encoder->packet);
        if (result == AVERROR(EAGAIN) || result == AVERROR_EOF) return 0;
        if (result < 0) break;
        encoder->packet->stream_index = 0;
        av_packet_rescale_ts(encoder->packet, encoder->codec->time_base, encoder->stream->time_base);
        result = av_write_frame(encoder->format, encoder->packet);
        av_packet_unref(encoder->packet);
    }
    return result;
}

// Encodes what is waiting, whole frames only unless it is the end.
static int encode_waiting(cff_encoder *encoder, bool all) {
    cff_bytes *samples = &encoder->samples;
    size_t size = av_get_bytes_per_sample(encoder->codec->sample_fmt);
    int whole = encoder->codec->frame_size > 0 ? encoder->codec->frame_size : PCM_FRAME;
    bool any = all || encoder->codec->frame_size == 0;
    AVFrame *frame = encoder->frame;
    for (;;) {
        size_t waiting = (samples->end - samples->start) / size;
        int count = (int)FFMIN(waiting, (size_t)whole);
        if (count == 0 || (count < whole && !any)) return 0;
        av_frame_unref(frame);
        frame->format = encoder->codec->sample_fmt;
        frame->nb_samples = count;
        frame->sample_rate = encoder->codec->sample_rate;
        frame->pts = encoder->encoded;
        int result = av_channel_layout_copy(&frame->ch_layout, &encoder->codec->ch_layout);
        if (result >= 0) result = av_frame_get_buffer(frame, 0);
        if (result < 0) return result;
        memcpy(frame->data[0], samples->data + samples->start, count * size);
        samples->start += count * size;
        encoder->encoded += count;
        result = encode(encoder, frame);
        if (result < 0) return result;
    }
}

static bool report(cff_encoder *encoder, int result, cff_status *status) {
    if (result >= 0) result = encoder->io->error;
    return result >= 0 || cff_fail(status, CFF_IO, result, "%s", encoder->format->oformat->name);
}

bool cff_encoder_append(cff_encoder *encoder, const float *samples, int64_t count, cff_status *status) {
    float clean[PCM_FRAME];
    while (count > 0) {
        int part = (int)FFMIN(count, PCM_FRAME);
        for (int i = 0; i < part; i++) {
            clean[i] = isnan(samples[i]) ? 0 : samples[i] < -1 ? -1 : samples[i] > 1 ? 1 : samples[i];
        }
        const uint8_t *data = (const uint8_t *)clean;
        if (!cff_resampler_push(&encoder->resampler, &data, part, &encoder->samples, status)) return false;
        int result = encode_waiting(encoder, false);
        if (!report(encoder, result, status)) return false;
        samples += part;
        count -= part;
    }
    avio_flush(encoder->io);
    return report(encoder, 0, status);
}

bool cff_encoder_finish(cff_encoder *encoder, cff_status *status) {
    if (!cff_resampler_push(&encoder->resampler, NULL, 0, &encoder->samples, status)) return false;
    int result = encode_waiting(encoder, true);
    if (result >= 0) result = encode(encoder, NULL);
    if (result >= 0) result = av_write_trailer(encoder->format);
    avio_flush(encoder->io);
    return report(encoder, result, status);
}

const uint8_t *cff_encoder_take(cff_encoder *encoder, size_t *count) {
    const uint8_t *bytes = encoder->out.data + encoder->out.start;
    *count = encoder->out.end - encoder->out.start;
    encoder->out.start = encoder->out.end;
    return bytes;
}
