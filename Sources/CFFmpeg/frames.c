// The decoding loop: packets in, frames out; seeking; counting without decoding.
#include "internal.h"

#include <stdlib.h>

enum { MAX_DRAIN_ERRORS = 1000 };

static double seconds_of(const cff_input *input, int64_t timestamp) {
    return timestamp == AV_NOPTS_VALUE ? -1 : timestamp * av_q2d(input->stream->time_base);
}

static void note_bad_packet(cff_input *input, int64_t timestamp) {
    if (input->progress.bad_packets++ == 0) input->progress.first_bad_seconds = seconds_of(input, timestamp);
}

// Hands the decoder one more packet, or the end. False when memory ran out.
static bool feed(cff_input *input, cff_status *status) {
    for (;;) {
        int result = av_read_frame(input->format, input->packet);
        if (result == AVERROR(EAGAIN)) continue;
        if (result < 0) {
            if (result != AVERROR_EOF) input->progress.read_failed = true;
            if (result == AVERROR(ENOMEM)) return cff_fail(status, CFF_MEMORY, 0, "no memory");
            input->draining = true;
            avcodec_send_packet(input->decoder, NULL);
            return true;
        }
        if (input->packet->stream_index != input->stream->index) {
            av_packet_unref(input->packet);
            continue;
        }
        result = avcodec_send_packet(input->decoder, input->packet);
        if (result < 0) note_bad_packet(input, input->packet->pts);
        av_packet_unref(input->packet);
        if (result == AVERROR(ENOMEM)) return cff_fail(status, CFF_MEMORY, 0, "no memory for a decoded frame");
        return true;
    }
}

int cff_input_next(cff_input *input, cff_status *status) {
    if (!input->decoder) return cff_fail(status, CFF_IO, 0, "it could not be opened again"), -1;
    for (;;) {
        int result = avcodec_receive_frame(input->decoder, input->frame);
        if (result == 0) {
            input->progress.frames++;
            int64_t timestamp = cff_input_timestamp(input);
            if (timestamp != INT64_MIN) input->progress.last_seconds = seconds_of(input, timestamp);
            return 1;
        }
        if (result == AVERROR_EOF) return 0;
        if (result == AVERROR(ENOMEM)) return cff_fail(status, CFF_MEMORY, 0, "no memory for a decoded frame"), -1;
        if (result != AVERROR(EAGAIN)) {
            note_bad_packet(input, AV_NOPTS_VALUE);
            if (input->draining && ++input->drain_errors > MAX_DRAIN_ERRORS) return 0;
            if (input->draining) continue;
        } else if (input->draining) {
            return 0;
        }
        if (!feed(input, status)) return -1;
    }
}

int64_t cff_input_timestamp(const cff_input *input) {
    int64_t timestamp = input->frame->best_effort_timestamp;
    if (timestamp == AV_NOPTS_VALUE) timestamp = input->frame->pts;
    return timestamp == AV_NOPTS_VALUE ? INT64_MIN : timestamp;
}

bool cff_input_seek(cff_input *input, int64_t timestamp) {
    if (!input->reader.seekable || !input->decoder) return false;
    int result = avformat_seek_file(input->format, input->stream->index, INT64_MIN, timestamp, timestamp, 0);
    if (result < 0) return false;
    avcodec_flush_buffers(input->decoder);
    input->draining = false;
    input->drain_errors = 0;
    return true;
}

static int compare_times(const void *left, const void *right) {
    int64_t a = ((const cff_frame_time *)left)->timestamp, b = ((const cff_frame_time *)right)->timestamp;
    return (a > b) - (a < b);
}

int64_t cff_input_scan(cff_input *input, int64_t limit, cff_frame_time **times, bool *distinct, cff_status *status) {
    int64_t count = 0, capacity = 0;
    cff_frame_time *list = NULL;
    *times = NULL;
    *distinct = true;
    if (!input->decoder) return cff_fail(status, CFF_IO, 0, "it could not be opened again"), -1;
    for (;;) {
        int result = av_read_frame(input->format, input->packet);
        if (result == AVERROR(EAGAIN)) continue;
        if (result < 0) break;
        bool counts = input->packet->stream_index == input->stream->index
            && !(input->packet->flags & AV_PKT_FLAG_DISCARD);
        cff_frame_time time = {input->packet->pts, input->packet->flags & AV_PKT_FLAG_KEY};
        av_packet_unref(input->packet);
        if (!counts) continue;
        if (count == limit) {
            av_free(list);
            return cff_fail(status, CFF_TOO_LARGE, 0, "more than %lld frames", (long long)limit), -1;
        }
        if (count == capacity) {
            capacity = FFMAX(1024, capacity * 2);
            cff_frame_time *grown = av_realloc_array(list, capacity, sizeof *list);
            if (!grown) {
                av_free(list);
                return cff_fail(status, CFF_MEMORY, 0, "no memory"), -1;
            }
            list = grown;
        }
        if (time.timestamp == AV_NOPTS_VALUE) *distinct = false;
        list[count++] = time;
    }
    if (count > 0) qsort(list, count, sizeof *list, compare_times);
    for (int64_t i = 1; i < count; i++) if (list[i].timestamp == list[i - 1].timestamp) *distinct = false;
    *times = list;
    return count;
}
