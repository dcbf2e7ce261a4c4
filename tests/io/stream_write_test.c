/* SPDX-License-Identifier: MIT */
/*
 * Proves that what streams take from writers reaches the transport once and in order, whatever it takes at a time and
 * however often it refuses: beside a plain counter; that the marks hold; and that a file is sent like the rest.
 */
#include <limits.h>
#include <unistd.h>

#include "tests/io/tap.h"

enum { HIGH = 1000, LOW = 100 };

static const filch_stream_options marks = {.high_water = HIGH, .low_water = LOW};

/* Writes bytes of the flow from `at` on. */
static int write_flow(filch_stream *stream, uint64_t at, size_t size, size_t *moved) {
    unsigned char bytes[4096];
    check(size <= sizeof bytes);
    fill_bytes(bytes, size, at);
    return filch_stream_write(stream, bytes, size, moved, FILCH_NEVER);
}

/* A file of bytes of the flow from 0 on. */
static int flow_file(size_t size) {
    char name[] = "/tmp/filch-stream-XXXXXX";
    int file = mkstemp(name);
    check(file >= 0);
    unlink(name);
    unsigned char bytes[4096];
    for (size_t at = 0; at < size; at += sizeof bytes) {
        fill_bytes(bytes, sizeof bytes, at);
        check_int(write(file, bytes, sizeof bytes), sizeof bytes);
    }
    check_int(ftruncate(file, (off_t)size), 0);
    return file;
}

/* -------------------------------------------------------------------------------------------------------- arguments */

TEST(stream_write, bad_arguments_are_refused) {
    struct tap tap = {0};
    filch_stream *stream = tap_stream(&tap, NULL);
    struct iovec good = {"a", 1}, bad = {NULL, 1}, longs[2] = {{"a", SSIZE_MAX}, {"a", 1}},
                 over[2] = {longs[0], {"a", SIZE_MAX}};
    size_t moved = 77;
    check_int(filch_stream_write(NULL, "a", 1, &moved, FILCH_NEVER), -EINVAL);
    check_int(moved, 0);
    check_int(filch_stream_write(stream, NULL, 1, NULL, FILCH_NEVER), -EINVAL);
    check_int(filch_stream_write(stream, NULL, 0, NULL, FILCH_NEVER), 0);
    check_int(filch_stream_write(stream, "a", (size_t)SSIZE_MAX + 1, NULL, FILCH_NEVER), -EINVAL);
    check_int(filch_stream_writev(NULL, &good, 1, NULL, FILCH_NEVER), -EINVAL);
    check_int(filch_stream_writev(stream, &good, -1, NULL, FILCH_NEVER), -EINVAL);
    check_int(filch_stream_writev(stream, NULL, 1, NULL, FILCH_NEVER), -EINVAL);
    check_int(filch_stream_writev(stream, &bad, 1, NULL, FILCH_NEVER), -EINVAL);
    check_int(filch_stream_writev(stream, longs, 2, NULL, FILCH_NEVER), -EINVAL);
    check_int(filch_stream_writev(stream, over, 2, NULL, FILCH_NEVER), -EINVAL);
    check_int(filch_stream_writev(stream, NULL, 0, NULL, FILCH_NEVER), 0);
    check_int(filch_stream_drain(NULL, FILCH_NEVER), -EINVAL);
    check_int(filch_stream_shutdown(NULL, FILCH_NEVER), -EINVAL);
    check_int(filch_stream_send_file(NULL, 0, 0, 1, NULL, FILCH_NEVER), -EINVAL);
    check_int(filch_stream_send_file(stream, 0, -1, 1, NULL, FILCH_NEVER), -EINVAL);
    check_int(filch_stream_send_file(stream, 0, INT64_MAX, 1, NULL, FILCH_NEVER), -EINVAL);
    check_int(filch_stream_send_file(stream, -1, 0, 1, NULL, FILCH_NEVER), -EBADF);
    check_int(filch_stream_unsent(NULL), 0);
    check_int(filch_stream_unsent(stream), 0);
    check_int(tap.writes, 0);
    filch_stream_destroy(stream);
}

/* ------------------------------------------------------------------------------------------------------------ model */

enum { FLOW = 400000 };

struct model {
    uint64_t taken; /* by the stream, so far */
    struct tap tap;
    filch_stream *stream;
    int file;
    uint32_t random;
};

static int model_write(struct model *model, size_t *moved, size_t *offered) {
    *offered = chance(&model->random, 6) == 0 ? chance(&model->random, 4096) : chance(&model->random, 200);
    return write_flow(model->stream, model->taken, *offered, moved);
}

static int model_writev(struct model *model, size_t *moved, size_t *offered) {
    enum { PARTS = 40, PART = 60 };
    unsigned char bytes[PARTS][PART];
    struct iovec parts[PARTS];
    int count = (int)chance(&model->random, PARTS);
    *offered = 0;
    for (int i = 0; i < count; i++) {
        parts[i] = (struct iovec){bytes[i], chance(&model->random, 3) == 0 ? 0 : chance(&model->random, PART)};
        fill_bytes(bytes[i], parts[i].iov_len, model->taken + *offered);
        *offered += parts[i].iov_len;
        if (parts[i].iov_len == 0) parts[i].iov_base = NULL;
    }
    return filch_stream_writev(model->stream, parts, count, moved, FILCH_NEVER);
}

static int model_send_file(struct model *model, size_t *moved, size_t *offered) {
    *offered = chance(&model->random, 3000);
    if (*offered > FLOW - model->taken) *offered = (size_t)(FLOW - model->taken);
    return filch_stream_send_file(model->stream, model->file, (int64_t)model->taken, *offered, moved, FILCH_NEVER);
}

static void model_step(struct model *model) {
    size_t moved = 0, offered = 0;
    unsigned what = chance(&model->random, 5);
    int writes = model->tap.writes;
    int error = what == 0   ? filch_stream_drain(model->stream, FILCH_NEVER)
                : what == 1 ? model_send_file(model, &moved, &offered)
                : what < 4  ? model_write(model, &moved, &offered)
                            : model_writev(model, &moved, &offered);
    check(error == 0 || error == -ETIMEDOUT);
    check(error == 0 ? moved == offered : moved <= offered);
    model->taken += moved;
    size_t unsent = filch_stream_unsent(model->stream);
    check_int(model->tap.taken + unsent, model->taken); /* nothing lost, nothing twice */
    check(unsent <= HIGH);
    if (error == 0 && what == 0) check_int(unsent, 0);
    if (error == 0 && what >= 2 && model->tap.writes > writes) check(unsent <= LOW);
}

static int walk_through_flow(void *arg) {
    struct model *model = arg;
    model->taken = 0;
    model->tap = (struct tap){.refusal = -ETIMEDOUT};
    model->tap.most = (size_t[]){1, 50, 700, 0}[chance(&model->random, 4)];
    model->tap.every = (unsigned[]){0, 2, 5}[chance(&model->random, 3)];
    model->stream = tap_stream(&model->tap, &marks);
    while (model->taken < FLOW / TEST_SCALE) model_step(model);
    model->tap.every = 0;
    check_int(filch_stream_close(model->stream, FILCH_NEVER), 0);
    check_int(model->tap.taken, model->taken);
    filch_stream_destroy(model->stream);
    return 0;
}

TEST(stream_write, any_mixture_of_writes_arrives_once_and_in_order) {
    static struct model model = {.random = 20231224};
    model.file = flow_file(FLOW);
    for (int i = 0; i < 12; i++) {
        if (i % 2 == 0) check_int(walk_through_flow(&model), 0);
        if (i % 2 == 1) run_with(1, walk_through_flow, &model);
    }
    close(model.file);
}

/* ------------------------------------------------------------------------------------------------------------ marks */

TEST(stream_write, small_writes_are_sent_together) {
    struct tap tap = {0};
    filch_stream *stream = tap_stream(&tap, &marks);
    for (uint64_t at = 0; at < HIGH; at += 10) check_int(write_flow(stream, at, 10, NULL), 0);
    check_int(tap.writes, 0);
    check_int(filch_stream_unsent(stream), HIGH);
    check_int(write_flow(stream, HIGH, 1, NULL), 0); /* above the mark */
    check_int(tap.writes, 1);
    check_int(tap.last, HIGH + 1);
    check_int(filch_stream_unsent(stream), 0);
    check_int(write_flow(stream, HIGH + 1, 5, NULL), 0);
    check_int(filch_stream_drain(stream, FILCH_NEVER), 0);
    check_int(tap.writes, 2);
    check_int(filch_stream_drain(stream, FILCH_NEVER), 0); /* nothing to do */
    check_int(tap.writes, 2);
    filch_stream_destroy(stream);
}

TEST(stream_write, a_large_piece_is_sent_from_where_it_stands) {
    size_t before = filch__heap_objects();
    struct tap tap = {0};
    filch_stream *stream = tap_stream(&tap, &marks);
    unsigned char bytes[HIGH + 1];
    fill_bytes(bytes, sizeof bytes, 0);
    check_int(filch_stream_write(stream, bytes, sizeof bytes, NULL, FILCH_NEVER), 0);
    check(tap.last_part == bytes);
    check_int(tap.writes, 1);
    check_int(filch__heap_objects(), before + 1); /* the stream, and no buffer */
    filch_stream_destroy(stream);
}

static int take_slowly(void *arg) {
    filch_transport *end = arg;
    unsigned char got[60];
    uint64_t at = 0;
    ssize_t count;
    while ((count = end_read(*end, got, sizeof got, FILCH_NEVER)) > 0) {
        check_bytes(got, (size_t)count, at);
        at += (uint64_t)count;
        filch_yield();
    }
    check_int(at, 4000);
    return 0;
}

/* With room for 10 bytes in between, what a write waits for shows in how much it leaves. */
static int wait_at_the_mark(void *arg) {
    (void)arg;
    filch_transport ends[2];
    filch_stream *stream;
    check_int(filch_pair_create(ends, 10), 0);
    check_int(filch_stream_create(&stream, ends[0], &marks), 0);
    check_int(write_flow(stream, 0, HIGH, NULL), 0); /* below the mark: does not wait, though nobody reads */
    check_int(filch_stream_unsent(stream), HIGH);
    filch_task *task = start(take_slowly, &ends[1]);
    check_int(write_flow(stream, HIGH, 3000, NULL), 0);
    check(filch_stream_unsent(stream) <= LOW);
    check_int(filch_stream_close(stream, FILCH_NEVER), 0);
    check_int(result_of(task), 0);
    filch_stream_destroy(stream);
    end_over(ends[1]);
    return 0;
}

TEST(stream_write, above_the_high_mark_it_waits_for_the_low_one) {
    run_with_each(wait_at_the_mark, NULL);
}

TEST(stream_write, what_a_deadline_cuts_short_says_what_was_taken) {
    filch_transport ends[2];
    filch_stream *stream;
    unsigned char bytes[3000];
    size_t moved;
    check_int(filch_pair_create(ends, 600), 0);
    check_int(filch_stream_create(&stream, ends[0], &marks), 0);
    check_int(write_flow(stream, 0, 500, NULL), 0);
    fill_bytes(bytes, sizeof bytes, 500);
    check_int(filch_stream_write(stream, bytes, 3000, &moved, filch_after(FILCH_MS(1))), -ETIMEDOUT);
    check_int(moved, 100); /* what was buffered went first */
    check_int(filch_stream_unsent(stream), 0);
    check_int(end_read(ends[1], bytes, 3000, at_once()), 600);
    check_bytes(bytes, 600, 0);
    check_int(write_flow(stream, 600, 700, NULL), 0); /* and so it goes on */
    check_int(filch_stream_drain(stream, at_once()), -ETIMEDOUT);
    check_int(filch_stream_unsent(stream), 100);
    check_int(end_read(ends[1], bytes, 3000, at_once()), 600);
    check_int(filch_stream_drain(stream, at_once()), 0);
    check_int(end_read(ends[1], bytes + 600, 3000 - 600, at_once()), 100);
    check_bytes(bytes, 700, 600);
    filch_stream_destroy(stream);
    end_over(ends[1]);
}

static int write_cancelled(void *arg) {
    (void)arg;
    struct tap tap = {0};
    filch_stream *stream = tap_stream(&tap, NULL);
    filch_scope scope;
    size_t moved = 77;
    check_int(write_flow(stream, 0, 10, NULL), 0);
    check_int(filch_scope_open(&scope, NULL), 0);
    filch_scope_cancel(&scope);
    check_int(write_flow(stream, 10, 10, &moved), -ECANCELED);
    check_int(moved, 0);
    check_int(filch_stream_drain(stream, FILCH_NEVER), -ECANCELED);
    check_int(filch_stream_shutdown(stream, FILCH_NEVER), -ECANCELED);
    check_int(filch_stream_send_file(stream, 0, 0, 1, NULL, FILCH_NEVER), -ECANCELED);
    check_int(filch_stream_unsent(stream), 10);
    check_int(tap.writes, 0);
    check_int(filch_scope_close(&scope), -ECANCELED);
    check_int(filch_stream_drain(stream, FILCH_NEVER), 0);
    check_int(tap.taken, 10);
    filch_stream_destroy(stream);
    return 0;
}

TEST(stream_write, in_a_cancelled_scope_nothing_is_taken) {
    run_with(1, write_cancelled, NULL);
}

/* --------------------------------------------------------------------------------------------------- errors, memory */

TEST(stream_write, an_error_of_the_transport_is_answered_and_keeps_the_bytes) {
    struct tap tap = {.broken = -ECONNRESET};
    filch_stream *stream = tap_stream(&tap, &marks);
    size_t moved;
    check_int(write_flow(stream, 0, 10, NULL), 0);
    check_int(filch_stream_drain(stream, FILCH_NEVER), -ECONNRESET);
    check_int(filch_stream_unsent(stream), 10);
    check_int(write_flow(stream, 10, 2000, &moved), -ECONNRESET);
    check_int(moved, 0);
    check_int(filch_stream_shutdown(stream, FILCH_NEVER), -ECONNRESET);
    check_int(tap.shuts, 0);
    char got[4];
    check_int(filch_stream_read(stream, got, 4, FILCH_NEVER), 0); /* sends on the way: not its error */
    check_int(filch_stream_close(stream, FILCH_NEVER), -ECONNRESET);
    check_int(tap.closes, 1);
    filch_stream_destroy(stream);
}

static ssize_t write_nothing(void *self, const struct iovec *parts, int count, filch_deadline deadline) {
    (void)parts, (void)deadline;
    return *(bool *)self ? 0 : (ssize_t)parts[count - 1].iov_len + 1;
}

static ssize_t read_nothing(void *self, void *buffer, size_t size, filch_deadline deadline) {
    (void)self, (void)buffer, (void)size, (void)deadline;
    return 0;
}

static void close_nothing(void *self) {
    (void)self;
}

TEST(stream_write, a_transport_that_answers_nonsense_is_an_error) {
    static const filch_transport_ops ops = {.read = read_nothing, .write = write_nothing, .close = close_nothing};
    for (int i = 0; i < 2; i++) {
        bool nothing = i == 0;
        filch_stream *stream;
        check_int(filch_stream_create(&stream, (filch_transport){&ops, &nothing}, NULL), 0);
        check_int(filch_stream_write(stream, "a", 1, NULL, FILCH_NEVER), 0);
        check_int(filch_stream_drain(stream, FILCH_NEVER), -EIO);
        filch_stream_destroy(stream); /* without a destroy */
    }
}

TEST(stream_write, without_memory_all_is_sent_at_once) {
    struct tap tap = {.most = 7};
    filch_stream *stream = tap_stream(&tap, &marks);
    int file = flow_file(4096);
    filch__alloc_fail(1, true);
    check_int(write_flow(stream, 0, 100, NULL), 0);
    check_int(filch_stream_unsent(stream), 0);
    check_int(filch_stream_send_file(stream, file, 100, 100, NULL, FILCH_NEVER), -ENOMEM);
    filch__alloc_fail(0, false);
    check_int(write_flow(stream, 100, 100, NULL), 0);
    check_int(filch_stream_unsent(stream), 100);
    check_int(filch_stream_set_limits(stream, &(filch_stream_options){.high_water = 60000}), 0);
    filch__alloc_fail(1, true); /* there is a buffer, but it cannot grow */
    check_int(write_flow(stream, 200, 4000, NULL), 0);
    check_int(filch_stream_unsent(stream), 0);
    check_int(tap.taken, 4200);
    filch__alloc_fail(0, false);
    close(file);
    filch_stream_destroy(stream);
}

/* ---------------------------------------------------------------------------------------------------------- the end */

TEST(stream_write, a_shutdown_sends_what_is_left_and_refuses_more) {
    struct tap tap = {.text = "hello", .length = 5};
    filch_stream *stream = tap_stream(&tap, &marks);
    char got[8];
    check_int(write_flow(stream, 0, 10, NULL), 0);
    tap.every = 1;
    tap.refusal = -ETIMEDOUT;
    check_int(filch_stream_shutdown(stream, at_once()), -ETIMEDOUT);
    tap.every = 0;
    check_int(write_flow(stream, 10, 10, NULL), 0); /* it has not been shut down */
    check_int(filch_stream_shutdown(stream, at_once()), 0);
    check_int(tap.taken, 20);
    check_int(tap.shuts, 1);
    check_int(filch_stream_shutdown(stream, at_once()), 0);
    check_int(tap.shuts, 1);
    check_int(write_flow(stream, 20, 1, NULL), -EPIPE);
    check_int(filch_stream_send_file(stream, 0, 0, 1, NULL, FILCH_NEVER), -EPIPE);
    check_int(filch_stream_drain(stream, FILCH_NEVER), 0);
    check_int(filch_stream_read(stream, got, 8, FILCH_NEVER), 5); /* reading goes on */
    check_int(filch_stream_close(stream, FILCH_NEVER), 0);
    filch_stream_destroy(stream);
}

static int flushes;

/* As the tap's writes, it refuses now and then. */
static int tap_flush(void *self, filch_deadline deadline) {
    (void)deadline;
    flushes++;
    return tap_refuses(self) ? ((struct tap *)self)->refusal : 0;
}

TEST(stream_write, what_the_transport_holds_is_part_of_what_is_drained) {
    filch_transport_ops ops = tap_ops;
    ops.flush = tap_flush;
    struct tap tap = {.random = 1, .refusal = -ETIMEDOUT};
    filch_transport taken;
    filch_stream *stream;
    check_int(filch_stream_create(&stream, (filch_transport){&ops, &tap}, &marks), 0);
    check_int(filch_stream_drain(stream, FILCH_NEVER), 0);
    check_int(flushes, 0); /* nothing was written */
    check_int(write_flow(stream, 0, 3000, NULL), 0);
    check_int(tap.taken, 3000);
    check_int(flushes, 0); /* nor is a write a drain */
    tap.every = 1;
    check_int(filch_stream_drain(stream, at_once()), -ETIMEDOUT);
    check_int(filch_stream_unsent(stream), 0);
    check_int(filch_stream_detach(stream, &taken, NULL, 0), -EBUSY);
    check_int(filch_stream_shutdown(stream, at_once()), -ETIMEDOUT);
    check_int(flushes, 2);
    tap.every = 0;
    check_int(filch_stream_drain(stream, at_once()), 0);
    check_int(filch_stream_drain(stream, at_once()), 0);
    check_int(flushes, 3);
    check_int(write_flow(stream, 3000, 10, NULL), 0);
    check_int(filch_stream_read(stream, (char[1]){0}, 1, FILCH_NEVER), 0); /* sends it */
    check_int(flushes, 4);
    check_int(write_flow(stream, 3010, 3000, NULL), 0);
    tap.every = 1;
    check_int(filch_stream_close(stream, at_once()), -ETIMEDOUT);
    check_int(flushes, 5);
    filch_stream_destroy(stream);
}

TEST(stream_write, a_transport_that_cannot_shut_down_says_so) {
    filch_transport_ops ops = tap_ops;
    ops.shutdown = NULL;
    struct tap tap = {0};
    filch_stream *stream;
    check_int(filch_stream_create(&stream, (filch_transport){&ops, &tap}, NULL), 0);
    check_int(filch_stream_shutdown(stream, FILCH_NEVER), -EOPNOTSUPP);
    check_int(filch_stream_write(stream, "", 0, NULL, FILCH_NEVER), 0);
    filch_stream_destroy(stream);
}

/* ------------------------------------------------------------------------------------------------------------ files */

TEST(stream_write, a_file_goes_through_the_buffer_where_there_is_no_descriptor) {
    enum { SIZE = 300000 };
    struct tap tap = {0};
    filch_stream *stream = tap_stream(&tap, NULL);
    int file = flow_file(SIZE);
    size_t moved;
    check_int(lseek(file, 5, SEEK_SET), 5);
    check_int(write_flow(stream, 0, 1000, NULL), 0);
    check_int(filch_stream_send_file(stream, file, 1000, 200000, &moved, FILCH_NEVER), 0);
    check_int(moved, 200000);
    check_int(filch_stream_send_file(stream, file, 201000, SIZE, &moved, FILCH_NEVER), -ENODATA);
    check_int(moved, SIZE - 201000);
    check_int(filch_stream_send_file(stream, file, SIZE, 10, &moved, FILCH_NEVER), -ENODATA);
    check_int(moved, 0);
    check_int(filch_stream_send_file(stream, file, SIZE, 0, &moved, FILCH_NEVER), 0);
    check_int(filch_stream_close(stream, FILCH_NEVER), 0);
    check_int(tap.taken, SIZE);
    check_int(lseek(file, 0, SEEK_CUR), 5); /* its position has not moved */
    close(file);
    filch_stream_destroy(stream);
}

TEST(stream_write, a_small_file_leaves_with_what_is_buffered) {
    struct tap tap = {0};
    filch_stream *stream = tap_stream(&tap, NULL);
    int file = flow_file(8192);
    check_int(write_flow(stream, 0, 200, NULL), 0);
    check_int(filch_stream_send_file(stream, file, 200, 7000, NULL, FILCH_NEVER), 0);
    check_int(tap.writes, 0);
    check_int(filch_stream_drain(stream, FILCH_NEVER), 0);
    check_int(tap.writes, 1);
    check_int(tap.taken, 7200);
    close(file);
    filch_stream_destroy(stream);
}
