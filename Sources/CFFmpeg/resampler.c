// Sample format, rate and channels -> mono, by libswresample.
#include "internal.h"

#include <libavutil/opt.h>
#include <string.h>

enum { MAX_CHANNELS = 64, LEAST_MARGIN = 64 };

// One row of weights for the single output channel, where libswresample's own downmix does not apply.
static int set_weights(SwrContext *swr, int channels, bool first_channel) {
    double weights[MAX_CHANNELS];
    for (int i = 0; i < channels; i++) weights[i] = first_channel ? i == 0 : 1.0 / channels;
    return swr_set_matrix(swr, weights, channels);
}

// torchaudio's default resampler, which the model's training data went through, is a sinc of 6 zero crossings a side
// under a Hann window, cut off at 0.99. Of what libswresample offers, this comes closest: within 7e-4 of its samples at
// most, 1e-3 of the signal in the mean (libswresample's own filter: 1.5e-2, 2e-2).
static void set_filter(SwrContext *swr) {
    av_opt_set_int(swr, "filter_size", 13, 0);
    av_opt_set_double(swr, "cutoff", 0.99, 0);
    av_opt_set_int(swr, "filter_type", SWR_FILTER_TYPE_KAISER, 0);
    av_opt_set_double(swr, "kaiser_beta", 7, 0);
}

// Without silence around it libswresample continues the signal by its mirror image. Both sides of the silence are whole
// numbers of samples.
static int surround_with_silence(cff_resampler *resampler) {
    int divisor = (int)av_gcd(resampler->in_rate, resampler->out_rate);
    int in_unit = resampler->in_rate / divisor, out_unit = resampler->out_rate / divisor;
    int least = LEAST_MARGIN * FFMAX(1, resampler->in_rate / resampler->out_rate);
    int times = (least + in_unit - 1) / in_unit;
    resampler->margin = times * in_unit;
    resampler->skip = times * out_unit;
    return swr_inject_silence(resampler->swr, resampler->margin);
}

bool cff_resampler_open(cff_resampler *resampler, const cff_resampling *wanted, cff_status *status) {
    *resampler = (cff_resampler){.in_format = wanted->in_format, .out_format = wanted->out_format,
                                 .in_rate = wanted->in_rate, .out_rate = wanted->out_rate};
    const AVChannelLayout *layout = wanted->layout;
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
        named = channels <= 2;
    }
    int result = swr_alloc_set_opts2(&resampler->swr, &mono, wanted->out_format, wanted->out_rate, &known,
                                     wanted->in_format, wanted->in_rate, 0, NULL);
    av_channel_layout_uninit(&known);
    if (result < 0) return cff_fail(status, cff_code_of(result), result, "resampler");
    SwrContext *swr = resampler->swr;
    av_opt_set_double(swr, "rematrix_maxval", 1.0, 0);  // an average, not a louder sum
    if (wanted->as_trained) set_filter(swr);
    if (channels > 1 && (wanted->first_channel || !named)) result = set_weights(swr, channels, wanted->first_channel);
    if (result >= 0) result = swr_init(swr);
    if (result >= 0 && wanted->in_rate != wanted->out_rate) result = surround_with_silence(resampler);
    if (result >= 0) return true;
    return cff_fail(status, CFF_UNSUPPORTED, result, "cannot resample %d channels at %d Hz", channels, wanted->in_rate);
}

void cff_resampler_close(cff_resampler *resampler) {
    swr_free(&resampler->swr);
    av_channel_layout_uninit(&resampler->layout);
}

bool cff_resampler_push(cff_resampler *resampler, const uint8_t *const *data, int count, cff_bytes *out,
                        cff_status *status) {
    size_t size = av_get_bytes_per_sample(resampler->out_format);
    if (!data && resampler->margin > 0) swr_inject_silence(resampler->swr, resampler->margin);
    int room = swr_get_out_samples(resampler->swr, count);
    uint8_t *place = room < 0 ? NULL : cff_bytes_reserve(out, room * size + 1);
    if (!place) return cff_fail(status, CFF_MEMORY, 0, "no memory for %d samples", room);
    int made = swr_convert(resampler->swr, &place, room, (const uint8_t **)data, count);
    if (made < 0) return cff_fail(status, CFF_CORRUPT, made, "resampler");
    int dropped = FFMIN(made, resampler->skip);
    if (dropped > 0) memmove(place, place + dropped * size, (made - dropped) * size);
    made -= dropped;
    resampler->skip -= dropped;
    resampler->consumed += count;
    if (!data) {
        int64_t whole = av_rescale_rnd(resampler->consumed, resampler->out_rate, resampler->in_rate, AV_ROUND_UP);
        made = (int)av_clip64(whole - resampler->produced, 0, made);
    }
    out->end += made * size;
    resampler->produced += made;
    return true;
}
