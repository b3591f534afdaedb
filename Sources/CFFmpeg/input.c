// Opens a container, picks a stream and its decoder, and describes them.
#include "internal.h"

#include <libavutil/avstring.h>
#include <libavutil/display.h>
#include <libavutil/opt.h>
#include <libavutil/pixdesc.h>
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

enum { PROBE_BYTES = 1 << 20, MAX_STREAMS = 64, LEAST_SCORE = 5 };

// A playlist or a reference movie asks for other files here. It gets none.
static int refuse_to_open(AVFormatContext *format, AVIOContext **io, const char *url, int flags,
                          AVDictionary **options) {
    (void)format, (void)url, (void)flags, (void)options;
    *io = NULL;
    return AVERROR(EPERM);
}

static bool open_format(cff_input *input, cff_status *status) {
    const AVInputFormat *kind = NULL;
    const char *allowed = input->allowed;
    int result = av_probe_input_buffer2(input->reader.io, &kind, input->name, NULL, 0, PROBE_BYTES);
    if (input->reader.failed) return cff_fail(status, CFF_IO, result, "reading failed");
    if (result < LEAST_SCORE || !kind) return cff_fail(status, CFF_UNKNOWN_FORMAT, 0, "no known format");
    if (!av_match_list(kind->name, allowed, ',')) return cff_fail(status, CFF_BLOCKED, 0, "%s", kind->name);

    AVFormatContext *format = input->format = avformat_alloc_context();
    if (!format) return cff_fail(status, CFF_MEMORY, 0, "no memory");
    format->pb = input->reader.io;
    format->flags |= AVFMT_FLAG_CUSTOM_IO;
    format->io_open = refuse_to_open;
    format->max_streams = MAX_STREAMS;
    AVDictionary *options = NULL;
    av_dict_set(&options, "protocol_whitelist", "none", 0);
    av_dict_set(&options, "format_whitelist", allowed, 0);
    result = avformat_open_input(&input->format, input->name, kind, &options);
    av_dict_free(&options);
    if (result < 0) {  // input->format is freed and NULL
        return cff_fail(status, input->reader.failed ? CFF_IO : cff_code_of(result), result, "%s", kind->name);
    }

    unsigned count = input->format->nb_streams;
    AVDictionary *per_stream[MAX_STREAMS] = {NULL};
    for (unsigned i = 0; i < FFMIN(count, MAX_STREAMS); i++) {
        av_dict_set_int(&per_stream[i], "max_pixels", input->max_pixels, 0);
        av_dict_set(&per_stream[i], "threads", "1", 0);
    }
    result = avformat_find_stream_info(input->format, count > 0 && count <= MAX_STREAMS ? per_stream : NULL);
    for (unsigned i = 0; i < MAX_STREAMS; i++) av_dict_free(&per_stream[i]);
    if (result < 0) return cff_fail(status, cff_code_of(result), result, "%s", kind->name);
    return true;
}

cff_input *cff_input_open(const cff_source *source, const char *allowed, int64_t max_pixels, cff_status *status) {
    cff_input *input = av_mallocz(sizeof *input);
    if (!input) {
        cff_fail(status, CFF_MEMORY, 0, "no memory");
        if (source->descriptor >= 0) close(source->descriptor);
        return NULL;
    }
    input->progress.first_bad_seconds = input->progress.last_seconds = -1;
    input->allowed = av_strdup(allowed);
    input->name = av_strdup(source->name ? source->name : "");
    input->max_pixels = max_pixels;
    bool open = cff_reader_open(&input->reader, source, status);
    if (open && (!input->allowed || !input->name)) open = cff_fail(status, CFF_MEMORY, 0, "no memory");
    if (open && open_format(input, status)) return input;
    cff_input_close(input);
    return NULL;
}

bool cff_input_rewind(cff_input *input, cff_status *status) {
    avcodec_free_context(&input->decoder);
    avformat_close_input(&input->format);  // leaves the reader, which is ours
    input->stream = NULL;
    input->draining = false;
    input->drain_errors = 0;
    if (!input->reader.seekable || avio_seek(input->reader.io, 0, SEEK_SET) < 0) {
        return cff_fail(status, CFF_IO, 0, "cannot go back to its start");
    }
    return open_format(input, status) && cff_input_select(input, input->audio, input->threads, status);
}

void cff_input_close(cff_input *input) {
    if (!input) return;
    avcodec_free_context(&input->decoder);
    av_packet_free(&input->packet);
    av_frame_free(&input->frame);
    sws_freeContext(input->scaler);
    avformat_close_input(&input->format);
    cff_reader_close(&input->reader);
    av_free(input->allowed);
    av_free(input->name);
    av_free(input);
}

bool cff_input_select(cff_input *input, bool audio, int threads, cff_status *status) {
    input->audio = audio;
    input->threads = threads;
    enum AVMediaType type = audio ? AVMEDIA_TYPE_AUDIO : AVMEDIA_TYPE_VIDEO;
    int index = av_find_best_stream(input->format, type, -1, -1, NULL, 0);
    if (index < 0 || (!audio && input->format->streams[index]->disposition & AV_DISPOSITION_ATTACHED_PIC)) {
        return cff_fail(status, CFF_NO_STREAM, 0, "%s", input->format->iformat->name);
    }
    for (unsigned i = 0; i < input->format->nb_streams; i++) {
        input->format->streams[i]->discard = (int)i == index ? AVDISCARD_DEFAULT : AVDISCARD_ALL;
    }
    AVStream *stream = input->stream = input->format->streams[index];
    const char *name = avcodec_get_name(stream->codecpar->codec_id);
    const AVCodec *codec = avcodec_find_decoder(stream->codecpar->codec_id);
    if (!codec) return cff_fail(status, CFF_UNSUPPORTED, 0, "no decoder for %s", name);
    avcodec_free_context(&input->decoder);
    input->decoder = avcodec_alloc_context3(codec);
    if (!input->packet) input->packet = av_packet_alloc();
    if (!input->frame) input->frame = av_frame_alloc();
    if (!input->decoder || !input->packet || !input->frame) return cff_fail(status, CFF_MEMORY, 0, "no memory");
    int result = avcodec_parameters_to_context(input->decoder, stream->codecpar);
    input->decoder->pkt_timebase = stream->time_base;
    input->decoder->thread_count = threads;
    input->decoder->max_pixels = input->max_pixels;
    if (result >= 0) result = avcodec_open2(input->decoder, codec, NULL);
    if (result < 0) return cff_fail(status, cff_code_of(result), result, "%s", name);
    return true;
}

// EXIF number of a display matrix. Pictures are turned by multiples of 90 degrees only.
static int orientation_of(const int32_t *matrix) {
    // Rows of the matrix: where x and y go. Only signs and which one is larger matter.
    bool swapped = llabs(matrix[1]) > llabs(matrix[0]);
    if (swapped) return matrix[1] > 0 ? (matrix[3] > 0 ? 5 : 6) : (matrix[3] > 0 ? 8 : 7);
    return matrix[0] >= 0 ? (matrix[4] >= 0 ? 1 : 4) : (matrix[4] >= 0 ? 2 : 3);
}

static const int32_t *display_matrix(const AVStream *stream) {
#if LIBAVFORMAT_VERSION_INT >= AV_VERSION_INT(60, 15, 100)
    const AVPacketSideData *data = av_packet_side_data_get(
        stream->codecpar->coded_side_data, stream->codecpar->nb_coded_side_data, AV_PKT_DATA_DISPLAYMATRIX);
    return data && data->size >= 9 * sizeof(int32_t) ? (const int32_t *)data->data : NULL;
#else
    size_t size = 0;
    const uint8_t *data = av_stream_get_side_data(stream, AV_PKT_DATA_DISPLAYMATRIX, &size);
    return data && size >= 9 * sizeof(int32_t) ? (const int32_t *)data : NULL;
#endif
}

// As the container's table tells, without empty frames and those that its edit list leaves out; 0 when there is no full
// table. A count in the header alone is not to be relied on.
static int64_t frame_count(const AVStream *stream) {
    AVStream *table = (AVStream *)stream;  // the accessors lack const
    int entries = avformat_index_get_entries_count(table);
    if (stream->nb_frames <= 0 || entries < stream->nb_frames) return 0;
    int64_t count = 0;
    for (int i = 0; i < entries; i++) {
        const AVIndexEntry *entry = avformat_index_get_entry(table, i);
        count += entry->size > 0 && !(entry->flags & AVINDEX_DISCARD_FRAME);
    }
    return count;
}

static double positive(double value) { return isfinite(value) && value > 0 ? value : 0; }

// A header may promise more plain samples than the file has bytes for: cut short, or written by a program that did not
// know the length and put a number near 2^31 there.
static void limit_by_size(const cff_input *input, cff_stream_info *info) {
    const AVCodecParameters *codec = input->stream->codecpar;
    int64_t bytes = input->reader.seekable ? avio_size(input->reader.io) : -1;
    info->promised = info->duration;
    if (bytes <= 0 || codec->bit_rate <= 0 || av_get_exact_bits_per_sample(codec->codec_id) == 0) return;
    double held = bytes * 8.0 / codec->bit_rate;
    if (info->duration <= held) return;
    if (info->duration * codec->bit_rate / 8 > 0x7FFF0000) info->promised = 0;
    info->duration = held;
}

cff_stream_info cff_input_info(const cff_input *input) {
    cff_stream_info info = {.codec = "", .orientation = 1};
    for (unsigned i = 0; input->format && i < input->format->nb_streams; i++) {
        const AVCodecParameters *codec = input->format->streams[i]->codecpar;
        info.has_audio |= codec->codec_type == AVMEDIA_TYPE_AUDIO;
    }
    const AVStream *stream = input->stream;
    if (!stream) return info;
    const AVCodecParameters *codec = stream->codecpar;
    info.codec = avcodec_get_name(codec->codec_id);
    info.sample_rate = codec->sample_rate;
    info.channels = codec->ch_layout.nb_channels;
    info.width = codec->width;
    info.height = codec->height;
    info.frame_count = frame_count(stream);
    info.frame_rate = positive(av_q2d(stream->avg_frame_rate));
    if (info.frame_rate == 0) info.frame_rate = positive(av_q2d(stream->r_frame_rate));
    if (stream->duration != AV_NOPTS_VALUE) info.duration = positive(stream->duration * av_q2d(stream->time_base));
    if (info.duration == 0 && input->format->duration != AV_NOPTS_VALUE) {
        info.duration = positive(input->format->duration / (double)AV_TIME_BASE);
    }
    limit_by_size(input, &info);
    const int32_t *matrix = display_matrix(stream);
    if (matrix) info.orientation = orientation_of(matrix);
    return info;
}

cff_progress cff_input_progress(const cff_input *input) {
    cff_progress progress = input->progress;
    progress.io_failed = input->reader.failed;
    return progress;
}
