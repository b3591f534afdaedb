// Sample format, rate and channels -> mono, by libswresample.
#include "internal.h"

#include <libavutil/opt.h>

enum { MAX_CHANNELS = 64 };

// One row of weights for the single output channel, where libswresample's own downmix does not apply.
static int set_weights(SwrContext *swr, int channels, bool first_channel) {
    double weights[MAX_CHANNELS];
    for (int i = 0; i < channels; i++) weights[i] = first_channel ? i == 0 : 1.0 / channels;
    return swr_set_matrix(swr, weights, channels);
}

bool cff_resampler_open(cff_resampler *resampler, const AVChannelLayout *layout, enum AVSampleFormat in_format,
                        int in_rate, enum AVSampleFormat out_format, int out_rate, bool first_channel,
                        cff_status *status) {
    *resampler = (cff_resampler){
        .in_format = in_format, .out_format = out_format, .in_rate = in_rate, .out_rate = out_rate};
    int channels = layout->nb_channels;
    if (channels < 1 || channels > MAX_CHANNELS) {
        return cff_fail(status, CFF_UNSUPPORTED, 0, "%d channels", channels);
    }
    if (av_channel_layout_copy(&resampler->layout, layout) < 0) return cff_fail(status, CFF_MEMORY, 0, "no memory");
    AVChannelLayout known = {0}, mono = AV_CHANNEL_LAYOUT_MONO;
    bool named = layout->order == AV_CHANNEL_ORDER_NATIVE;
    if (named) {
        av_channel_layout_copy(&known, layout);
    } else {
        av_channel_layout_default(&known, channels);  // stays without names for unusual counts
        named = layout->order == AV_CHANNEL_ORDER_UNSPEC && known.order == AV_CHANNEL_ORDER_NATIVE && channels <= 2;
    }
    int result = swr_alloc_set_opts2(&resampler->swr, &mono, out_format, out_rate, &known, in_format, in_rate, 0, NULL);
    av_channel_layout_uninit(&known);
    if (result < 0) return cff_fail(status, cff_code_of(result), result, "resampler");
    SwrContext *swr = resampler->swr;
    av_opt_set_double(swr, "rematrix_maxval", 1.0, 0);  // an average, not a louder sum
    if (channels > 1 && (first_channel || !named)) result = set_weights(swr, channels, first_channel);
    if (result >= 0) result = swr_init(swr);
    if (result < 0) {
        return cff_fail(status, CFF_UNSUPPORTED, result, "cannot resample %d channels at %d Hz", channels, in_rate);
    }
    return true;
}

void cff_resampler_close(cff_resampler *resampler) {
    swr_free(&resampler->swr);
    av_channel_layout_uninit(&resampler->layout);
}

bool cff_resampler_push(cff_resampler *resampler, const uint8_t *const *data, int count, cff_bytes *out,
                        cff_status *status) {
    int size = av_get_bytes_per_sample(resampler->out_format);
    int room = swr_get_out_samples(resampler->swr, count);
    if (room < 0) return cff_fail(status, CFF_CORRUPT, room, "resampler");
    int64_t wanted = INT64_MAX;
    resampler->consumed += count;
    if (!data) {
        wanted = av_rescale_rnd(resampler->consumed, resampler->out_rate, resampler->in_rate, AV_ROUND_UP)
            - resampler->produced;
        wanted = FFMAX(wanted, 0);
        room = (int)FFMAX(room, FFMIN(wanted, INT32_MAX / 8));
    }
    uint8_t *place = cff_bytes_reserve(out, (size_t)room * size);
    if (!place) return cff_fail(status, CFF_MEMORY, 0, "no memory for %d samples", room);
    int made = swr_convert(resampler->swr, &place, room, (const uint8_t **)data, count);
    if (made < 0) return cff_fail(status, CFF_CORRUPT, made, "resampler");
    if (!data) {
        while (made < wanted && made < room) {  // the filter's tail can be a sample short
            for (int i = 0; i < size; i++) place[(size_t)made * size + i] = 0;
            made++;
        }
        made = (int)FFMIN(made, wanted);
    }
    out->end += (size_t)made * size;
    resampler->produced += made;
    return true;
}
