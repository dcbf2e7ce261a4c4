/* SPDX-License-Identifier: MIT */
/*
 * Proves how streams begin and end: what belongs to whom after each answer, what a close sends and whom it wakes, that
 * a transport can be taken out and given back; that memory that fails costs nothing but the call; and that misuse ends
 * with a line that names it.
 */
#include "io/stream.h"
#include "tests/io/tap.h"

/* ------------------------------------------------------------------------------------------------------------ begin */

TEST(stream, bad_arguments_are_refused) {
    struct tap tap = {0};
    filch_transport good = {&tap_ops, &tap}, taken;
    filch_stream *stream = NULL;
    filch_address address;
    check_int(filch_stream_create(NULL, good, NULL), -EINVAL);
    check_int(filch_stream_create(&stream, (filch_transport){0}, NULL), -EINVAL);
    for (int i = 0; i < 3; i++) {
        filch_transport_ops ops = tap_ops;
        if (i == 0) ops.read = NULL;
        if (i == 1) ops.write = NULL;
        if (i == 2) ops.close = NULL;
        check_int(filch_stream_create(&stream, (filch_transport){&ops, &tap}, NULL), -EINVAL);
    }
    filch_stream_options bad[] = {{.read_limit = FILCH_STREAM_LIMIT_MAX + 1},
                                  {.high_water = FILCH_STREAM_LIMIT_MAX + 1},
                                  {.high_water = 10, .low_water = 11},
                                  {.low_water = 65537}};
    for (int i = 0; i < 4; i++) check_int(filch_stream_create(&stream, good, &bad[i]), -EINVAL);
    check(stream == NULL);
    check_int(filch_stream_create(&stream, good, NULL), 0);
    for (int i = 0; i < 4; i++) check_int(filch_stream_set_limits(stream, &bad[i]), -EINVAL);
    check_int(filch_stream_set_limits(stream, &(filch_stream_options){.high_water = 16383}),
              -EINVAL); /* a low of 16384 */
    check_int(filch_stream_set_limits(stream, &(filch_stream_options){.high_water = 16384}), 0);
    check_int(filch_stream_set_limits(NULL, &bad[0]), -EINVAL);
    check_int(filch_stream_set_limits(stream, NULL), -EINVAL);
    check_int(filch_stream_close(NULL, FILCH_NEVER), -EINVAL);
    check_int(filch_stream_detach(NULL, &taken, NULL, 0), -EINVAL);
    check_int(filch_stream_detach(stream, NULL, NULL, 0), -EINVAL);
    check_int(filch_stream_detach(stream, &taken, NULL, 1), -EINVAL);
    check_int(filch_stream_attach(NULL, good), -EINVAL);
    check_int(filch_stream_attach(stream, (filch_transport){0}), -EINVAL);
    check_int(filch_stream_attach(stream, good), -EBUSY);
    check_int(filch_stream_address(NULL, true, &address), -EINVAL);
    check_int(filch_stream_address(stream, true, NULL), -EINVAL);
    check_int(filch_stream_address(stream, true, &address), -EOPNOTSUPP);
    check(filch_stream_transport(NULL).ops == NULL);
    filch_stream_abort(NULL);
    filch_stream_destroy(NULL);
    check_int(tap.closes + tap.destroys, 0);
    filch_stream_destroy(stream);
    check_int(tap.closes, 1);
    check_int(tap.destroys, 1);
}

static int tell_address(void *self, bool peer, filch_address *address) {
    (void)self;
    *address = (filch_address){.length = peer ? 3 : 2};
    return 0;
}

TEST(stream, it_tells_of_its_transport) {
    struct tap tap = {0};
    filch_transport_ops ops = tap_ops;
    ops.address = tell_address;
    filch_stream *stream;
    filch_address address;
    check_int(filch_stream_create(&stream, (filch_transport){&ops, &tap}, NULL), 0);
    check(filch_stream_transport(stream).ops == &ops);
    check(filch_stream_transport(stream).self == &tap);
    check_int(filch_stream_address(stream, true, &address), 0);
    check_int(address.length, 3);
    check_int(filch_stream_address(stream, false, &address), 0);
    check_int(address.length, 2);
    filch_stream_abort(stream);
    check(filch_stream_transport(stream).ops == NULL);
    check_int(filch_stream_address(stream, false, &address), -EBADF);
    filch_stream_destroy(stream);
}

/* -------------------------------------------------------------------------------------------------------------- end */

/* Every call on a stream that has no transport to use. */
static void check_unusable(filch_stream *stream) {
    char got[4];
    const void *view;
    filch_transport transport;
    check_int(filch_stream_read(stream, got, 4, FILCH_NEVER), -EBADF);
    check_int(filch_stream_read_exactly(stream, got, 4, NULL, FILCH_NEVER), -EBADF);
    check_int(filch_stream_read_until(stream, "a", 1, got, 4, FILCH_NEVER), -EBADF);
    check_int(filch_stream_read_line(stream, got, 4, FILCH_NEVER), -EBADF);
    check_int(filch_stream_peek(stream, 0, &view, FILCH_NEVER), -EBADF);
    check_int(filch_stream_skip(stream, 0), -EBADF);
    check_int(filch_stream_write(stream, "a", 1, NULL, FILCH_NEVER), -EBADF);
    check_int(filch_stream_drain(stream, FILCH_NEVER), -EBADF);
    check_int(filch_stream_shutdown(stream, FILCH_NEVER), -EBADF);
    check_int(filch_stream_send_file(stream, 0, 0, 1, NULL, FILCH_NEVER), -EBADF);
    check_int(filch_stream_close(stream, FILCH_NEVER), -EBADF);
    check_int(filch_stream_detach(stream, &transport, NULL, 0), -EBADF);
    filch_stream_abort(stream); /* nothing */
}

TEST(stream, a_close_sends_what_is_left) {
    struct tap tap = {.text = "abc", .length = 3, .most = 3};
    filch_stream *stream = tap_stream(&tap, NULL);
    unsigned char bytes[100];
    const void *view;
    fill_bytes(bytes, 100, 0);
    check(filch_stream_peek(stream, 1, &view, FILCH_NEVER) > 0);
    check_int(filch_stream_write(stream, bytes, 100, NULL, FILCH_NEVER), 0);
    check_int(filch_stream_close(stream, FILCH_NEVER), 0);
    check_int(tap.taken, 100);
    check_int(tap.closes, 1);
    check_unusable(stream);
    check_int(filch_stream_attach(stream, (filch_transport){&tap_ops, &tap}), -EBADF);
    check_int(tap.closes, 1);
    check_int(tap.destroys, 0);
    filch_stream_destroy(stream);
    check_int(tap.closes, 1);
    check_int(tap.destroys, 1);
}

TEST(stream, a_close_that_cannot_send_closes_all_the_same) {
    filch_stream *streams[2];
    stream_pair(streams, 3, NULL);
    char got[8];
    check_int(filch_stream_write(streams[0], "abcde", 5, NULL, FILCH_NEVER), 0);
    check_int(filch_stream_close(streams[0], filch_after(FILCH_MS(1))), -ETIMEDOUT);
    check_unusable(streams[0]);
    check_int(filch_stream_read(streams[1], got, 8, FILCH_NEVER), 3);
    check_int(filch_stream_read(streams[1], got, 8, FILCH_NEVER), 0);
    destroy_both(streams);
}

static int close_cancelled(void *arg) {
    (void)arg;
    for (size_t size = 0; size < 2; size++) {
        struct tap tap = {0};
        filch_stream *stream = tap_stream(&tap, NULL);
        filch_scope scope;
        unsigned char byte = byte_at(0);
        check_int(filch_stream_write(stream, &byte, size, NULL, FILCH_NEVER), 0);
        check_int(filch_scope_open(&scope, NULL), 0);
        filch_scope_cancel(&scope);
        check_int(filch_stream_close(stream, FILCH_NEVER),
                  size == 0 ? 0 : -ECANCELED); /* nothing to send: nothing missed */
        check_int(filch_scope_close(&scope), -ECANCELED);
        check_int(tap.closes, 1);
        check_int(tap.taken, 0);
        filch_stream_destroy(stream);
    }
    return 0;
}

TEST(stream, in_a_cancelled_scope_a_close_drops_what_is_left) {
    run_with(1, close_cancelled, NULL);
}

struct call {
    filch_stream *stream;
    ssize_t answer;
    size_t moved;
};

static int read_call(void *arg) {
    struct call *call = arg;
    char got[4];
    call->answer = filch_stream_read(call->stream, got, 4, FILCH_NEVER);
    return 0;
}

static int write_call(void *arg) {
    struct call *call = arg;
    static const char bytes[100000];
    call->answer = filch_stream_write(call->stream, bytes, sizeof bytes, &call->moved, FILCH_NEVER);
    return 0;
}

static int drain_call(void *arg) {
    struct call *call = arg;
    call->answer = filch_stream_drain(call->stream, FILCH_NEVER);
    return 0;
}

/* Starts it, and lets others run until it has the side that it needs. */
static filch_task *start_read(struct call *call) {
    filch_task *task = start(read_call, call);
    until(load_relaxed(&call->stream->reading));
    return task;
}

static filch_task *start_write(struct call *call) {
    filch_task *task = start(write_call, call);
    until(filch_mutex_locked(&call->stream->writing));
    return task;
}

static int end_under_calls(void *arg) {
    bool abort = *(bool *)arg;
    filch_stream *streams[2];
    stream_pair(streams, 3, NULL);
    struct call read = {.stream = streams[0]}, write = {.stream = streams[0]}, drain = {.stream = streams[0]};
    filch_task *tasks[3] = {start_read(&read), start_write(&write), start(drain_call, &drain)};
    if (abort) filch_stream_abort(streams[0]);
    if (!abort) filch_stream_close(streams[0], filch_after(FILCH_MS(1)));
    for (int i = 0; i < 3; i++) check_int(result_of(tasks[i]), 0);
    check_int(read.answer, -EBADF);
    check_int(write.answer, -EBADF);
    check(write.moved <= 3);
    check_int(drain.answer, -EBADF);
    check_unusable(streams[0]);
    destroy_both(streams);
    return 0;
}

TEST(stream, a_close_wakes_who_waits) {
    run_with_each(end_under_calls, &(bool){false});
}

TEST(stream, an_abort_wakes_who_waits) {
    run_with_each(end_under_calls, &(bool){true});
}

/* ------------------------------------------------------------------------------------------------ detach and attach */

TEST(stream, a_transport_is_taken_out_with_what_was_read_ahead) {
    struct tap first = {.text = "plain\nrest", .length = 10}, second = {.text = "secret", .length = 6};
    filch_stream *stream = tap_stream(&first, NULL);
    filch_transport taken = {0};
    char line[10], left[10];
    unsigned char byte = byte_at(0);
    check_int(filch_stream_read_line(stream, line, 10, FILCH_NEVER), 6);
    check_int(filch_stream_write(stream, &byte, 1, NULL, FILCH_NEVER), 0);
    check_int(filch_stream_detach(stream, &taken, left, 10), -EBUSY);
    check_int(filch_stream_drain(stream, FILCH_NEVER), 0);
    check_int(filch_stream_detach(stream, &taken, left, 3), -ENOBUFS);
    check(taken.ops == NULL);
    check_int(filch_stream_detach(stream, &taken, left, 10), 4);
    check(memcmp(left, "rest", 4) == 0);
    check(taken.ops == &tap_ops && taken.self == &first);
    check_unusable(stream);
    check_int(filch_stream_attach(stream, (filch_transport){&tap_ops, &second}), 0);
    check_int(filch_stream_read_exactly(stream, left, 6, NULL, FILCH_NEVER), 0);
    check(memcmp(left, "secret", 6) == 0);
    check_int(filch_stream_read(stream, left, 6, FILCH_NEVER), 0);
    check(filch_stream_at_end(stream));
    check_int(filch_stream_shutdown(stream, FILCH_NEVER), 0);
    check_int(filch_stream_detach(stream, &taken, NULL, 0), 0);
    check_int(filch_stream_attach(stream, (filch_transport){&tap_ops, &first}), 0);
    check(!filch_stream_at_end(stream)); /* of a former transport */
    check_int(filch_stream_write(stream, "", 0, NULL, FILCH_NEVER), 0);
    check_int(filch_stream_detach(stream, &taken, NULL, 0), 0);
    filch_stream_destroy(stream);
    check_int(first.closes + first.destroys + second.closes + second.destroys, 0);
}

static int detach_under_write(void *arg) {
    (void)arg;
    filch_stream *streams[2];
    filch_transport taken;
    stream_pair(streams, 3, NULL);
    struct call write = {.stream = streams[0]};
    filch_task *task = start_write(&write);
    check_int(filch_stream_detach(streams[0], &taken, NULL, 0), -EBUSY);
    filch_stream_abort(streams[1]);
    check_int(result_of(task), 0);
    check_int(write.answer, -EPIPE);
    check_int(filch_stream_detach(streams[0], &taken, NULL, 0), 0);
    end_over(taken);
    destroy_both(streams);
    return 0;
}

TEST(stream, under_a_write_a_transport_is_not_taken_out) {
    run_with_each(detach_under_write, NULL);
}

static int detach_under_read(void *arg) {
    (void)arg;
    filch_stream *streams[2];
    filch_transport taken;
    stream_pair(streams, 3, NULL);
    struct call read = {.stream = streams[0]};
    filch_task *task = start_read(&read);
    check_int(filch_stream_detach(streams[0], &taken, NULL, 0), -EBUSY);
    check_int(filch_stream_write(streams[1], "abc", 3, NULL, FILCH_NEVER), 0);
    check_int(filch_stream_drain(streams[1], FILCH_NEVER), 0);
    check_int(result_of(task), 0);
    check_int(read.answer, 3);
    check_int(filch_stream_detach(streams[0], &taken, NULL, 0), 0);
    end_over(taken);
    destroy_both(streams);
    return 0;
}

TEST(stream, under_a_read_a_transport_is_not_taken_out) {
    run_with_each(detach_under_read, NULL);
}

/* ----------------------------------------------------------------------------------------------------------- memory */

/* Makes two streams and has one speak to the other; -ENOMEM, and nothing is left, where memory fails on the way. */
static int speak(void) {
    filch_transport ends[2];
    filch_stream *streams[2] = {NULL, NULL};
    char got[3000];
    int error = filch_pair_create(ends, 100);
    if (error != 0) return error;
    for (int i = 0; i < 2 && error == 0; i++) {
        error = filch_stream_create(&streams[i], ends[i], NULL);
        if (error != 0) end_over(ends[i]); /* still ours */
        if (error != 0 && i == 0) end_over(ends[1]);
    }
    if (error == 0) error = filch_stream_write(streams[0], "one\ntwo\n", 8, NULL, at_once());
    if (error == 0) error = filch_stream_drain(streams[0], at_once());
    for (int i = 0; i < 2 && error == 0; i++) {
        ssize_t count = filch_stream_read_line(streams[1], got, sizeof got, at_once());
        if (count == -ENOMEM) error = -ENOMEM; /* it is still there, whole */
        if (count == -ENOMEM) check_int(filch_stream_read_exactly(streams[1], got, 4, NULL, at_once()), 0);
        check(memcmp(got, i == 0 ? "one" : "two", 3) == 0);
    }
    destroy_both(streams);
    return error;
}

TEST(stream, each_request_for_memory_may_fail) {
    size_t before = filch__heap_objects();
    filch__alloc_fail(1000, false);
    check_int(speak(), 0);
    uint64_t requests = filch__alloc_requests();
    check(requests >= 5); /* pair, streams, buffers */
    int failures = 0;
    for (uint64_t nth = 1; nth <= requests; nth++) {
        filch__alloc_fail(nth, false);
        int error = speak();
        filch__alloc_fail(0, false);
        check(error == 0 || error == -ENOMEM);
        failures += error != 0;
        check_int(filch__heap_objects(), before);
    }
    check_int(failures, 4); /* the write did without */
}

/* Passes `size` bytes through both buffers of a stream, as the reader of what it writes itself. */
static void pass_through(filch_stream *stream, struct tap *tap, size_t size) {
    static unsigned char bytes[60000];
    char got[100];
    fill_bytes(bytes, size, tap->taken);
    check_int(filch_stream_write(stream, bytes, size, NULL, FILCH_NEVER), 0);
    tap->text = bytes;
    tap->at = 0;
    tap->length = size;
    for (size_t read = 0; read < size;) {
        ssize_t count = filch_stream_read(stream, got, sizeof got, FILCH_NEVER);
        check(count > 0);
        read += (size_t)count;
    }
}

TEST(stream, buffers_grow_with_what_passes_and_shrink_again) {
    struct tap tap = {0};
    filch_stream *stream = tap_stream(&tap, NULL);
    for (int i = 0; i < 10; i++) pass_through(stream, &tap, 60000);
    check_int(stream->out.capacity, 65536);
    check(stream->in.capacity >= 32768);
    for (int i = 0; i < 10; i++) pass_through(stream, &tap, 100);
    check_int(stream->out.capacity, FILCH__BUFFER_MIN);
    check_int(stream->in.capacity, FILCH__BUFFER_MIN);
    filch__alloc_fail(1, true);
    for (int i = 0; i < 10; i++) pass_through(stream, &tap, 100); /* enough for that */
    filch__alloc_fail(0, false);
    filch_stream_destroy(stream);
}

/* ----------------------------------------------------------------------------------------------------------- misuse */

static int read_twice(void *arg) {
    (void)arg;
    filch_stream *streams[2];
    stream_pair(streams, 3, NULL);
    struct call read = {.stream = streams[0]};
    start_read(&read);
    return (int)filch_stream_read(streams[0], (char[4]){0}, 4, FILCH_NEVER);
}

TEST_DIES(stream, two_readers_at_once_abort, "is read by two at once") {
    run_with(2, read_twice, NULL);
}

static int peek_under_read(void *arg) {
    (void)arg;
    filch_stream *streams[2];
    stream_pair(streams, 3, NULL);
    struct call read = {.stream = streams[0]};
    start_read(&read);
    return filch_stream_skip(streams[0], 0);
}

TEST_DIES(stream, a_skip_beside_a_read_aborts, "is read by two at once") {
    run_with(2, peek_under_read, NULL);
}

static int destroy_under_read(void *arg) {
    (void)arg;
    filch_stream *streams[2];
    stream_pair(streams, 3, NULL);
    struct call read = {.stream = streams[0]};
    start_read(&read);
    filch_stream_destroy(streams[0]);
    return 0;
}

TEST_DIES(stream, destroyed_while_it_is_read_it_aborts, "is destroyed while somebody reads it") {
    run_with(2, destroy_under_read, NULL);
}

static int destroy_under_write(void *arg) {
    (void)arg;
    filch_stream *streams[2];
    stream_pair(streams, 3, NULL);
    struct call write = {.stream = streams[0]};
    start_write(&write);
    filch_stream_destroy(streams[0]);
    return 0;
}

TEST_DIES(stream, destroyed_while_it_is_written_it_aborts, "mutex") {
    run_with(2, destroy_under_write, NULL);
}
