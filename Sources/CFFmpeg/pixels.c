// Decoded pictures -> rows of 8-bit R, G, B. RGB, grey and palette pictures keep their exact values (deeper ones their
// upper 8 bits, as Pillow does); YUV goes through libswscale with the matrix and range that the stream names.
#include "internal.h"

#include <libavutil/pixdesc.h>
#include <string.h>

static inline uint8_t over_white(unsigned colour, unsigned alpha) {
    return (colour * alpha + 255 * (255 - alpha) + 127) / 255;
}

static inline uint8_t to_8_bits(unsigned value, int depth) {
    if (depth == 8) return value;
    return depth > 8 ? value >> (depth - 8) : value * 255 / ((1u << depth) - 1);
}

// Formats whose components are colours as they stand.
static bool is_plain(const AVPixFmtDescriptor *format) {
    if (format->flags & (AV_PIX_FMT_FLAG_FLOAT | AV_PIX_FMT_FLAG_BAYER | AV_PIX_FMT_FLAG_HWACCEL)) return false;
    for (int i = 0; i < format->nb_components; i++) if (format->comp[i].depth > 16) return false;
    if (!strncmp(format->name, "xyz", 3)) return false;
    return format->nb_components <= 2 || format->flags & (AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_PAL);
}

// One component of a row, as 8 bits.
static void read_line(const AVFrame *frame, const AVPixFmtDescriptor *format, int y, int component, uint16_t *line) {
    const uint8_t *data[4] = {frame->data[0], frame->data[1], frame->data[2], frame->data[3]};
    int width = frame->width, depth = format->comp[component].depth;
    av_read_image_line2(line, data, frame->linesize, format, 0, y, component, width, 0, sizeof *line);
    if (depth != 8) for (int x = 0; x < width; x++) line[x] = to_8_bits(line[x], depth);
    if (frame->format == AV_PIX_FMT_MONOWHITE) for (int x = 0; x < width; x++) line[x] = 255 - line[x];
}

// A row of indices into 256 entries 0xAARRGGBB -> R, G, B, A.
static void read_palette_line(const AVFrame *frame, int y, uint16_t *line[4]) {
    const uint8_t *indices = frame->data[0] + (ptrdiff_t)y * frame->linesize[0];
    const uint32_t *entries = (const uint32_t *)frame->data[1];
    for (int x = 0; x < frame->width; x++) {
        uint32_t entry = entries[indices[x]];
        line[0][x] = entry >> 16 & 255;
        line[1][x] = entry >> 8 & 255;
        line[2][x] = entry & 255;
        line[3][x] = entry >> 24;
    }
}

static bool plain_to_rgb(const AVFrame *frame, const AVPixFmtDescriptor *format, bool on_white, uint8_t *rgb,
                         cff_status *status) {
    int width = frame->width, height = frame->height;
    if (frame->format == AV_PIX_FMT_RGB24) {
        for (int y = 0; y < height; y++) {
            memcpy(rgb + (size_t)y * width * 3, frame->data[0] + (ptrdiff_t)y * frame->linesize[0], (size_t)width * 3);
        }
        return true;
    }
    bool palette = format->flags & AV_PIX_FMT_FLAG_PAL;
    bool alpha = format->flags & AV_PIX_FMT_FLAG_ALPHA || palette;
    bool grey = !palette && format->nb_components <= 2;
    int components = palette ? 4 : format->nb_components;
    uint16_t *lines = av_malloc_array(4 * (size_t)width, sizeof *lines);
    if (!lines) return cff_fail(status, CFF_MEMORY, 0, "no memory");
    uint16_t *line[4] = {lines, lines + width, lines + 2 * (size_t)width, lines + 3 * (size_t)width};
    const uint16_t *red = line[0], *green = grey ? line[0] : line[1], *blue = grey ? line[0] : line[2];
    const uint16_t *opacity = alpha && on_white ? line[components - 1] : NULL;
    for (int y = 0; y < height; y++) {
        if (palette) read_palette_line(frame, y, line);
        else for (int c = 0; c < components; c++) read_line(frame, format, y, c, line[c]);
        uint8_t *out = rgb + (size_t)y * width * 3;
        for (int x = 0; x < width; x++, out += 3) {
            unsigned a = opacity ? opacity[x] : 255;
            out[0] = over_white(red[x], a);
            out[1] = over_white(green[x], a);
            out[2] = over_white(blue[x], a);
        }
    }
    av_free(lines);
    return true;
}

// The full-range twins of YUV formats, which libswscale takes as the plain format plus a range.
static enum AVPixelFormat without_range(enum AVPixelFormat format, bool *full) {
    *full = true;
    switch (format) {
    case AV_PIX_FMT_YUVJ420P: return AV_PIX_FMT_YUV420P;
    case AV_PIX_FMT_YUVJ422P: return AV_PIX_FMT_YUV422P;
    case AV_PIX_FMT_YUVJ444P: return AV_PIX_FMT_YUV444P;
    case AV_PIX_FMT_YUVJ440P: return AV_PIX_FMT_YUV440P;
    case AV_PIX_FMT_YUVJ411P: return AV_PIX_FMT_YUV411P;
    default: *full = false; return format;
    }
}

static int matrix_of(enum AVColorSpace space) {
    switch (space) {
    case AVCOL_SPC_BT709: return SWS_CS_ITU709;
    case AVCOL_SPC_FCC: return SWS_CS_FCC;
    case AVCOL_SPC_SMPTE240M: return SWS_CS_SMPTE240M;
    case AVCOL_SPC_BT2020_NCL:
    case AVCOL_SPC_BT2020_CL: return SWS_CS_BT2020;
    default: return SWS_CS_DEFAULT;  // BT.601, also where the stream does not say
    }
}

static bool scale_to_rgb(const AVFrame *frame, const AVPixFmtDescriptor *format, bool on_white,
                         struct SwsContext **scaler, uint8_t *rgb, cff_status *status) {
    int width = frame->width, height = frame->height;
    bool full, alpha = on_white && format->flags & AV_PIX_FMT_FLAG_ALPHA;
    enum AVPixelFormat in = without_range(frame->format, &full);
    enum AVPixelFormat out = alpha ? AV_PIX_FMT_RGBA : AV_PIX_FMT_RGB24;
    full |= frame->color_range == AVCOL_RANGE_JPEG;
    if (!sws_isSupportedInput(in)) return cff_fail(status, CFF_UNSUPPORTED, 0, "pixel format %s", format->name);
    int flags = SWS_BICUBIC | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT | SWS_FULL_CHR_H_INP | SWS_BITEXACT;
    *scaler = sws_getCachedContext(*scaler, width, height, in, width, height, out, flags, NULL, NULL, NULL);
    if (!*scaler) return cff_fail(status, CFF_UNSUPPORTED, 0, "pixel format %s", format->name);
    const int *matrix = sws_getCoefficients(matrix_of(frame->colorspace));
    sws_setColorspaceDetails(*scaler, matrix, full, sws_getCoefficients(SWS_CS_DEFAULT), 1, 0, 1 << 16, 1 << 16);
    // libswscale's vector code may write past the end of a row: give it rows with room.
    int bytes = alpha ? 4 : 3, stride = FFALIGN(width * bytes, 64);
    uint8_t *rows = av_malloc((size_t)stride * height + 64);
    if (!rows) return cff_fail(status, CFF_MEMORY, 0, "no memory for %d x %d pixels", width, height);
    int done = sws_scale(*scaler, (const uint8_t *const *)frame->data, frame->linesize, 0, height,
                         (uint8_t *const[4]){rows}, (const int[4]){stride});
    for (int y = 0; done == height && y < height; y++) {
        const uint8_t *line = rows + (size_t)y * stride;
        uint8_t *to = rgb + (size_t)y * width * 3;
        if (!alpha) {
            memcpy(to, line, (size_t)width * 3);
            continue;
        }
        for (int x = 0; x < width; x++, line += 4, to += 3) {
            for (int c = 0; c < 3; c++) to[c] = over_white(line[c], line[3]);
        }
    }
    av_free(rows);
    return done == height || cff_fail(status, CFF_UNSUPPORTED, done, "pixel format %s", format->name);
}

bool cff_pixels_to_rgb(const AVFrame *frame, bool on_white, struct SwsContext **scaler, uint8_t *rgb,
                       cff_status *status) {
    const AVPixFmtDescriptor *format = av_pix_fmt_desc_get(frame->format);
    if (!format || frame->width <= 0 || frame->height <= 0 || !frame->data[0]) {
        return cff_fail(status, CFF_CORRUPT, 0, "an empty picture");
    }
    if (is_plain(format)) return plain_to_rgb(frame, format, on_white, rgb, status);
    return scale_to_rgb(frame, format, on_white, scaler, rgb, status);
}

int cff_input_frame_width(const cff_input *input) { return input->frame->width; }
int cff_input_frame_height(const cff_input *input) { return input->frame->height; }

bool cff_input_frame_rgb(cff_input *input, bool on_white, uint8_t *rgb, cff_status *status) {
    return cff_pixels_to_rgb(input->frame, on_white, &input->scaler, rgb, status);
}
