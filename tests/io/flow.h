/* SPDX-License-Identifier: MIT */
/*
 * Conversations over two streams, for proofs that nothing is lost on the way: whoever writes and reads makes all kinds
 * of calls at random, is cut short now and then, and counts what has moved.
 */
#ifndef FILCH_TESTS_IO_FLOW_H
#define FILCH_TESTS_IO_FLOW_H

#include "tests/io/tap.h"

/* One direction of a conversation: who writes and who reads it count what has moved. */
struct flow {
    filch_stream *from, *to;
    uint64_t goal, written, read;
    bool cut;     /* calls are cut short now and then */
    int64_t tick; /* what deadlines are made of, in nanoseconds */
    uint32_t write_random, read_random;
};

static inline filch_deadline near_deadline(const struct flow *flow, uint32_t *random) {
    if (!flow->cut || chance(random, 3) == 0) return FILCH_NEVER;
    return filch_after(chance(random, 30) * flow->tick);
}

/* One call that writes; false: it was cut short by a cancellation. */
static inline bool write_step(struct flow *flow) {
    unsigned char bytes[1500];
    uint32_t *random = &flow->write_random;
    size_t size = chance(random, 4) == 0 ? chance(random, sizeof bytes) : chance(random, 100), moved = 0;
    if (size > flow->goal - flow->written) size = (size_t)(flow->goal - flow->written);
    fill_bytes(bytes, size, flow->written);
    struct iovec parts[3] = {{bytes, size / 3}, {NULL, 0}, {bytes + size / 3, size - size / 3}};
    unsigned what = chance(random, 5);
    filch_deadline deadline = near_deadline(flow, random);
    int error = what == 0   ? filch_stream_drain(flow->from, deadline)
                : what == 1 ? filch_stream_writev(flow->from, parts, 3, &moved, deadline)
                            : filch_stream_write(flow->from, bytes, size, &moved, deadline);
    check(error == 0 || error == -ECANCELED || (error == -ETIMEDOUT && flow->cut));
    check(moved <= size && (error != 0 || what == 0 || moved == size));
    flow->written += moved;
    return error != -ECANCELED;
}

/* One call that reads, or two. */
static inline bool read_step(struct flow *flow) {
    unsigned char bytes[1500];
    const void *view;
    uint32_t *random = &flow->read_random;
    size_t size = chance(random, 4) == 0 ? chance(random, sizeof bytes) : chance(random, 100), moved = 0;
    if (size > flow->goal - flow->read) size = (size_t)(flow->goal - flow->read);
    unsigned what = chance(random, 4);
    filch_deadline deadline = near_deadline(flow, random);
    ssize_t answer;
    if (what == 0) {
        answer = filch_stream_read_exactly(flow->to, bytes, size, &moved, deadline);
        check_bytes(bytes, moved, flow->read);
    } else if (what == 1) {
        answer = filch_stream_peek(flow->to, size, &view, deadline);
        if (answer > 0) check_bytes(view, (size_t)answer, flow->read);
        if (answer > 0) moved = chance(random, (unsigned)answer + 1);
        check_int(filch_stream_skip(flow->to, moved), 0);
    } else if (what == 2) {
        unsigned char separator = byte_at(flow->read + chance(random, 50));
        answer = filch_stream_read_until(flow->to, &separator, 1, bytes, sizeof bytes, deadline);
        if (answer > 0) check_int(bytes[answer - 1], separator);
        if (answer > 0) moved = (size_t)answer;
        check_bytes(bytes, moved, flow->read);
        if (answer == -ENODATA || answer == -ENOBUFS) answer = 0;
    } else {
        answer = filch_stream_read(flow->to, bytes, size, deadline);
        if (answer > 0) moved = (size_t)answer;
        check_bytes(bytes, moved, flow->read);
    }
    check(answer >= 0 || answer == -ECANCELED || (answer == -ETIMEDOUT && flow->cut));
    flow->read += moved;
    return answer != -ECANCELED;
}

static inline void write_all(struct flow *flow) {
    while (flow->written < flow->goal) check(write_step(flow));
    check_int(filch_stream_shutdown(flow->from, FILCH_NEVER), 0);
}

static inline void read_all(struct flow *flow) {
    while (flow->read < flow->goal) check(read_step(flow));
}

static inline void begin_flows(struct flow flows[2], filch_stream *streams[2], uint64_t goal, bool cut) {
    for (int i = 0; i < 2; i++) {
        flows[i] = (struct flow){.from = streams[i], .to = streams[1 - i], .goal = goal, .cut = cut, .tick = 1000};
        flows[i].write_random = 1000003u + (uint32_t)i;
        flows[i].read_random = 7000003u + (uint32_t)i;
    }
}

static inline void check_flows(const struct flow flows[2]) {
    for (int i = 0; i < 2; i++) {
        check_int(flows[i].written, flows[i].goal);
        check_int(flows[i].read, flows[i].goal);
        check_int(filch_stream_read(flows[i].to, (char[1]){0}, 1, FILCH_NEVER), 0); /* and no byte more */
        check(filch_stream_at_end(flows[i].to));
    }
}

/* Calls `step` until `*done` is the goal, in scopes that are cancelled at random points. */
static inline void cancelled_often(struct flow *flow, bool (*step)(struct flow *), const uint64_t *done,
                                   uint32_t random) {
    while (*done < flow->goal) {
        filch_scope scope;
        filch_deadline soon = filch_after(chance(&random, 30) * flow->tick);
        check_int(filch_scope_open(&scope, &(filch_scope_options){.deadline = soon}), 0);
        while (*done < flow->goal && step(flow)) continue;
        filch_scope_close(&scope);
    }
}

static inline int write_cancelled_often(void *arg) {
    struct flow *flow = arg;
    cancelled_often(flow, write_step, &flow->written, 17);
    return filch_stream_shutdown(flow->from, FILCH_NEVER);
}

static inline int read_cancelled_often(void *arg) {
    struct flow *flow = arg;
    cancelled_often(flow, read_step, &flow->read, 19);
    return 0;
}

#endif
