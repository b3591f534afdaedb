// An audio stream as mono float samples.
#include "internal.h"

#include <math.h>
#include <string.h>

enum { LEAST_RATE = 1000, LARGEST_RATE = 768000, MAX_CHANNELS = 64 };

struct cff_audio {
    cff_input *input;
    int rate;
    bool first_channel, open, ended;
    int64_t replaced;
    cff_resampler resampler;
    cff_bytes pending;
};

cff_audio *cff_audio_open(cff_input *input, int rate, bool first_channel, cff_status *status) {
    const AVCodecParameters *codec = input->stream->codecpar;
    int in_rate = codec->sample_rate, channels = codec->ch_layout.nb_channels;
    if (in_rate < LEAST_RATE || in_rate > LARGEST_RATE) {
        cff_fail(status, CFF_UNSUPPORTED, 0, "sample rate of %d Hz (usable: %d to %d)", in_rate, LEAST_RATE, LARGEST_RATE);
        return NULL;
    }
    if (channels < 1 || channels > MAX_CHANNELS) {
        cff_fail(status, CFF_UNSUPPORTED, 0, "%d channels (usable: 1 to %d)", channels, MAX_CHANNELS);
        return NULL;
    }
    cff_audio *audio = av_mallocz(sizeof *audio);
    if (!audio) {
        cff_fail(status, CFF_MEMORY, 0, "no memory");
        return NULL;
    }
    audio->input = input;
    audio->rate = rate;
    audio->first_channel = first_channel;
    return audio;
}

void cff_audio_close(cff_audio *audio) {
    if (!audio) return;
    cff_resampler_close(&audio->resampler);
    cff_bytes_free(&audio->pending);
    av_free(audio);
}

static bool finish_resampler(cff_audio *audio, cff_status *status) {
    if (!audio->open) return true;
    audio->open = false;
    bool done = cff_resampler_push(&audio->resampler, NULL, 0, &audio->pending, status);
    cff_resampler_close(&audio->resampler);
    return done;
}

static bool push_frame(cff_audio *audio, cff_status *status) {
    const AVFrame *frame = audio->input->frame;
    cff_resampler *resampler = &audio->resampler;
    if (frame->nb_samples <= 0 || frame->sample_rate < LEAST_RATE || frame->sample_rate > LARGEST_RATE) return true;
    bool same = audio->open && resampler->in_format == frame->format && resampler->in_rate == frame->sample_rate
        && av_channel_layout_compare(&resampler->layout, &frame->ch_layout) == 0;
    if (!same) {  // the stream's format may change on the way
        if (!finish_resampler(audio, status)) return false;
        cff_resampling wanted = {
            .layout = &frame->ch_layout, .in_format = frame->format, .in_rate = frame->sample_rate,
            .out_format = AV_SAMPLE_FMT_FLT, .out_rate = audio->rate, .first_channel = audio->first_channel,
            .as_trained = true};
        audio->open = cff_resampler_open(resampler, &wanted, status);
        if (!audio->open) {
            cff_resampler_close(resampler);
            return false;
        }
    }
    return cff_resampler_push(resampler, (const uint8_t *const *)frame->extended_data, frame->nb_samples,
                              &audio->pending, status);
}

int64_t cff_audio_replaced(const cff_audio *audio) { return audio->replaced; }

int64_t cff_audio_read(cff_audio *audio, float *samples, int64_t capacity, cff_status *status) {
    cff_bytes *pending = &audio->pending;
    while (!audio->ended && pending->end - pending->start < capacity * sizeof(float)) {
        int result = cff_input_next(audio->input, status);
        if (result < 0) return -1;
        if (result == 0) audio->ended = true;
        if (!(result ? push_frame(audio, status) : finish_resampler(audio, status))) return -1;
    }
    size_t count = FFMIN((size_t)capacity, (pending->end - pending->start) / sizeof(float));
    if (count > 0) memcpy(samples, pending->data + pending->start, count * sizeof(float));
    for (size_t i = 0; i < count; i++) {
        if (isfinite(samples[i])) continue;
        samples[i] = 0;  // float files can hold anything
        audio->replaced++;
    }
    pending->start += count * sizeof(float);
    return (int64_t)count;
}
