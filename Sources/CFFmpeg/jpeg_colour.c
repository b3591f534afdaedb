// JPEG's planes -> RGB the way the Independent JPEG Group's decoder does it by default, which is what Pillow and most
// programs show: triangle-filtered chroma ("fancy upsampling") and 16-bit fixed-point YCbCr. libswscale's bicubic
// chroma would differ by tens of levels at coloured edges.
#include "internal.h"

#include <libavutil/pixdesc.h>
#include <string.h>

static inline uint8_t clip(int value) { return value < 0 ? 0 : value > 255 ? 255 : value; }

// Doubles a line. `in` is scaled by `unit` (1, or 4 where two rows were added 3 : 1 before).
static void double_width(const int *in, int count, int unit, uint8_t *out) {
    int shift = unit == 1 ? 2 : 4, left = unit == 1 ? 1 : 8, right = unit == 1 ? 2 : 7;
    for (int i = 0; i < count; i++) {
        int before = in[i > 0 ? i - 1 : 0], after = in[i < count - 1 ? i + 1 : count - 1];
        out[2 * i] = (3 * in[i] + before + left) >> shift;
        out[2 * i + 1] = (3 * in[i] + after + right) >> shift;
    }
}

// Row `y` of a chroma plane at full resolution.
static void chroma_row(const AVFrame *frame, int plane, int y, int across, int down, int *sums, uint8_t *out) {
    int count = AV_CEIL_RSHIFT(frame->width, across), rows = AV_CEIL_RSHIFT(frame->height, down);
    const uint8_t *data = frame->data[plane];
    ptrdiff_t stride = frame->linesize[plane];
    const uint8_t *near = data + (y >> down) * stride;
    bool smooth = !across || count > 2;  // very narrow pictures are not filtered
    if (!across && !down) {
        memcpy(out, near, count);
        return;
    }
    if (!smooth) {
        for (int i = 0; i < count; i++) out[2 * i] = out[2 * i + 1] = near[i];
        return;
    }
    if (!down) {
        for (int i = 0; i < count; i++) sums[i] = near[i];
        double_width(sums, count, 1, out);
        return;
    }
    int other = (y >> 1) + (y & 1 ? 1 : -1);
    const uint8_t *far = data + av_clip(other, 0, rows - 1) * stride;
    if (across) {
        for (int i = 0; i < count; i++) sums[i] = 3 * near[i] + far[i];
        double_width(sums, count, 4, out);
    } else {
        for (int i = 0; i < count; i++) out[i] = (3 * near[i] + far[i] + (y & 1 ? 2 : 1)) >> 2;
    }
}

bool cff_jpeg_to_rgb(const AVFrame *frame, uint8_t *rgb) {
    const AVPixFmtDescriptor *format = av_pix_fmt_desc_get(frame->format);
    if (!format || format->nb_components != 3 || format->comp[0].depth != 8 || format->comp[1].plane != 1
        || format->comp[2].plane != 2 || format->flags & AV_PIX_FMT_FLAG_RGB) return false;
    int across = format->log2_chroma_w, down = format->log2_chroma_h;
    if (across > 1 || down > 1) return false;
    int width = frame->width, count = AV_CEIL_RSHIFT(width, across);
    int *sums = av_malloc_array(count, sizeof *sums);
    uint8_t *chroma = av_malloc_array(2 * (size_t)count, 4);
    if (!sums || !chroma) {
        av_free(sums);
        av_free(chroma);
        return false;
    }
    uint8_t *blue_line = chroma, *red_line = chroma + 2 * (size_t)count;
    enum { HALF = 1 << 15 };
    for (int y = 0; y < frame->height; y++) {
        chroma_row(frame, 1, y, across, down, sums, blue_line);
        chroma_row(frame, 2, y, across, down, sums, red_line);
        const uint8_t *luma = frame->data[0] + (ptrdiff_t)y * frame->linesize[0];
        uint8_t *out = rgb + (size_t)y * width * 3;
        for (int x = 0; x < width; x++, out += 3) {
            int cb = blue_line[x] - 128, cr = red_line[x] - 128;
            out[0] = clip(luma[x] + ((91881 * cr + HALF) >> 16));               // 1.402
            out[1] = clip(luma[x] + ((-22554 * cb - 46802 * cr + HALF) >> 16)); // 0.34414, 0.71414
            out[2] = clip(luma[x] + ((116130 * cb + HALF) >> 16));              // 1.772
        }
    }
    av_free(sums);
    av_free(chroma);
    return true;
}
