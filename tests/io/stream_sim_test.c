/* SPDX-License-Identifier: MIT */
/*
 * Proves by simulation, over many schedules, that conversations over streams neither lose a byte nor come to a stop: a
 * wake that is forgotten anywhere shows as a deadlock.
 */
#include <filch/simulation.h>

#include "tests/io/flow.h"

static const filch_stream_options marks = {.high_water = 80, .low_water = 20};

static void explore(filch_fn *fn, uint64_t seeds) {
    filch_explored explored;
    check_int(filch_explore(fn, NULL, &(filch_explore_options){.seeds = seeds / TEST_SCALE, .workers = 3}, &explored),
              0);
    check(explored.schedules > explored.seeds / 2);
}

static int write_task(void *arg) {
    struct flow *flow = arg;
    while (flow->written < flow->goal) check(write_step(flow));
    return filch_stream_shutdown(flow->from, FILCH_NEVER);
}

static int read_task(void *arg) {
    struct flow *flow = arg;
    while (flow->read < flow->goal) check(read_step(flow));
    return 0;
}

/* With a `tick` other than 0 calls are cut short: in a simulation little time passes, so it is small. */
static void converse(filch_fn *writes, filch_fn *reads, int64_t tick) {
    filch_stream *streams[2];
    struct flow flows[2];
    filch_task *tasks[4];
    stream_pair(streams, 30, &marks);
    begin_flows(flows, streams, 400, tick != 0);
    for (int i = 0; i < 2; i++) flows[i].tick = tick;
    for (int i = 0; i < 4; i++) tasks[i] = start(i % 2 == 0 ? writes : reads, &flows[i / 2]);
    for (int i = 0; i < 4; i++) check_int(result_of(tasks[i]), 0);
    check_flows(flows);
    destroy_both(streams);
}

static int in_peace(void *arg) {
    (void)arg;
    converse(write_task, read_task, 0);
    return 0;
}

TEST(stream_sim, readers_and_writers_at_once) {
    explore(in_peace, 2000);
}

static int cut_short(void *arg) {
    (void)arg;
    converse(write_cancelled_often, read_cancelled_often, 50);
    return 0;
}

TEST(stream_sim, cut_short_by_deadlines_and_cancellation) {
    explore(cut_short, 1000);
}

/* Two that write more than the pair holds, then read, and then do so again. */
static int speak_first(void *arg) {
    filch_stream *stream = arg;
    unsigned char bytes[70];
    for (uint64_t at = 0; at < 3 * sizeof bytes; at += sizeof bytes) {
        fill_bytes(bytes, sizeof bytes, at);
        check_int(filch_stream_write(stream, bytes, sizeof bytes, NULL, FILCH_NEVER), 0);
        check_int(filch_stream_read_exactly(stream, bytes, sizeof bytes, NULL, FILCH_NEVER), 0);
        check_bytes(bytes, sizeof bytes, at);
    }
    return filch_stream_close(stream, FILCH_NEVER);
}

static int both_speak_first(void *arg) {
    (void)arg;
    filch_stream *streams[2];
    stream_pair(streams, 10, &marks);
    filch_task *task = start(speak_first, streams[0]);
    check_int(speak_first(streams[1]), 0);
    check_int(result_of(task), 0);
    destroy_both(streams);
    return 0;
}

TEST(stream_sim, a_read_does_not_wait_for_room_to_send_in) {
    explore(both_speak_first, 2000);
}

static int read_until_the_end(void *arg) {
    char got[7];
    ssize_t count;
    do {
        count = filch_stream_read(arg, got, sizeof got, FILCH_NEVER);
    } while (count > 0);
    check(count == 0 || count == -EBADF);
    return 0;
}

static int write_until_the_end(void *arg) {
    int error;
    do {
        error = filch_stream_write(arg, "0123456789", 10, NULL, FILCH_NEVER);
    } while (error == 0);
    check(error == -EPIPE || error == -EBADF);
    return 0;
}

/* Everybody is at it when one side is aborted: all come back. */
static int abort_under_all(void *arg) {
    (void)arg;
    filch_stream *streams[2];
    filch_task *tasks[4];
    stream_pair(streams, 10, &marks);
    for (int i = 0; i < 4; i++) tasks[i] = start(i % 2 == 0 ? write_until_the_end : read_until_the_end, streams[i / 2]);
    for (int i = 0; i < 20; i++) filch_yield();
    filch_stream_abort(streams[0]);
    for (int i = 0; i < 4; i++) check_int(result_of(tasks[i]), 0);
    destroy_both(streams);
    return 0;
}

TEST(stream_sim, an_abort_wakes_all) {
    explore(abort_under_all, 3000);
}
