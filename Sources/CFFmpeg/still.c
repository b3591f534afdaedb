// Still pictures: a whole file as one packet for a named decoder; and PNG out.
#include "internal.h"

#include <libavutil/imgutils.h>
#include <libavutil/opt.h>
#include <string.h>

struct cff_still {
    AVFrame *frame;
    bool jpeg, damaged;
    struct SwsContext *scaler;
};

static bool decode_packet(AVCodecContext *decoder, AVPacket *packet, AVFrame *frame, cff_status *status) {
    int sent = avcodec_send_packet(decoder, packet);
    int result = avcodec_receive_frame(decoder, frame);
    if (result == AVERROR(EAGAIN)) {  // decoders that wait for the end
        avcodec_send_packet(decoder, NULL);
        result = avcodec_receive_frame(decoder, frame);
    }
    if (result >= 0) return true;
    int error = sent < 0 ? sent : result == AVERROR_EOF ? AVERROR_INVALIDDATA : result;
    return cff_fail(status, cff_code_of(error), error, "%s", decoder->codec->name);
}

// `strict`: stop at damage, instead of showing what can be made out.
static bool decode(cff_still *still, const AVCodec *codec, AVPacket *packet, bool strict, int64_t max_pixels,
                   cff_status *status) {
    AVCodecContext *decoder = avcodec_alloc_context3(codec);
    if (!decoder) return cff_fail(status, CFF_MEMORY, 0, "no memory");
    decoder->max_pixels = max_pixels;
    decoder->thread_count = 1;
    if (strict) decoder->err_recognition = AV_EF_EXPLODE | AV_EF_CRCCHECK | AV_EF_BITSTREAM | AV_EF_BUFFER;
    // The inverse DCT of the JPEG reference decoder (rows first, hence a level of difference at times).
    if (still->jpeg) av_opt_set(decoder, "idct", "int", 0);
    int result = avcodec_open2(decoder, codec, NULL);
    bool done = result >= 0 ? decode_packet(decoder, packet, still->frame, status)
                            : cff_fail(status, cff_code_of(result), result, "%s", codec->name);
    avcodec_free_context(&decoder);
    return done;
}

cff_still *cff_still_decode(const uint8_t *bytes, size_t count, const char *decoder, int64_t max_pixels,
                            cff_status *status) {
    const AVCodec *codec = avcodec_find_decoder_by_name(decoder);
    if (!codec) {
        cff_fail(status, CFF_UNSUPPORTED, 0, "this FFmpeg has no %s decoder", decoder);
        return NULL;
    }
    cff_still *still = av_mallocz(sizeof *still);
    AVPacket *packet = av_packet_alloc();
    bool done = false;
    if (!still || !packet || !(still->frame = av_frame_alloc()) || count > INT32_MAX - AV_INPUT_BUFFER_PADDING_SIZE
        || av_new_packet(packet, (int)count) < 0) {
        cff_fail(status, CFF_MEMORY, 0, "no memory for %zu bytes", count);
    } else {
        memcpy(packet->data, bytes, count);
        packet->flags |= AV_PKT_FLAG_KEY;
        still->jpeg = codec->id == AV_CODEC_ID_MJPEG;
        done = decode(still, codec, packet, true, max_pixels, NULL);
        if (!done) {
            still->damaged = true;
            done = decode(still, codec, packet, false, max_pixels, status);
        }
    }
    av_packet_free(&packet);
    if (done) return still;
    cff_still_close(still);
    return NULL;
}

bool cff_still_damaged(const cff_still *still) { return still->damaged; }

void cff_still_close(cff_still *still) {
    if (!still) return;
    av_frame_free(&still->frame);
    sws_freeContext(still->scaler);
    av_free(still);
}

int cff_still_width(const cff_still *still) { return still->frame->width; }
int cff_still_height(const cff_still *still) { return still->frame->height; }

bool cff_still_rgb(cff_still *still, bool on_white, uint8_t *rgb, cff_status *status) {
    if (still->jpeg && cff_jpeg_to_rgb(still->frame, rgb)) return true;
    return cff_pixels_to_rgb(still->frame, on_white, &still->scaler, rgb, status);
}

bool cff_png_encode(const uint8_t *rgb, int width, int height, uint8_t **bytes, size_t *count, cff_status *status) {
    const AVCodec *codec = avcodec_find_encoder(AV_CODEC_ID_PNG);
    if (!codec) return cff_fail(status, CFF_UNSUPPORTED, 0, "this FFmpeg has no png encoder");
    AVCodecContext *encoder = avcodec_alloc_context3(codec);
    AVFrame *frame = av_frame_alloc();
    AVPacket *packet = av_packet_alloc();
    int result = AVERROR(ENOMEM);
    if (encoder && frame && packet) {
        encoder->width = frame->width = width;
        encoder->height = frame->height = height;
        encoder->pix_fmt = frame->format = AV_PIX_FMT_RGB24;
        encoder->time_base = (AVRational){1, 1};
        encoder->thread_count = 1;
        av_opt_set(encoder, "pred", "mixed", AV_OPT_SEARCH_CHILDREN);
        result = avcodec_open2(encoder, codec, NULL);
        if (result >= 0) result = av_frame_get_buffer(frame, 0);
        if (result >= 0) {
            av_image_copy_plane(frame->data[0], frame->linesize[0], rgb, width * 3, width * 3, height);
            result = avcodec_send_frame(encoder, frame);
        }
        if (result >= 0) result = avcodec_send_frame(encoder, NULL);
        if (result >= 0) result = avcodec_receive_packet(encoder, packet);
        if (result >= 0) {
            *bytes = av_memdup(packet->data, packet->size);
            *count = packet->size;
            if (!*bytes) result = AVERROR(ENOMEM);
        }
    }
    av_packet_free(&packet);
    av_frame_free(&frame);
    avcodec_free_context(&encoder);
    return result >= 0 || cff_fail(status, CFF_UNSUPPORTED, result, "png of %d x %d pixels", width, height);
}
