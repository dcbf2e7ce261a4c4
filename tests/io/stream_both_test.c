/* SPDX-License-Identifier: MIT */
/*
 * Proves that the two sides of a stream go together: a read sends what was written before, and never waits for room to
 * send in; with readers and writers at once, and whatever cuts them short at random points, each byte arrives once and
 * in order; and several writers do not cut into each other's pieces.
 */
#include <stdio.h>

#include "tests/io/flow.h"

/* ------------------------------------------------------------------------------------------------ request and reply */

static int echo_lines(void *arg) {
    filch_stream *stream = arg;
    char line[100];
    ssize_t count;
    while ((count = filch_stream_read_until(stream, "\n", 1, line, sizeof line, FILCH_NEVER)) > 0) {
        check_int(filch_stream_write(stream, line, (size_t)count, NULL, FILCH_NEVER), 0);
    }
    check_int(count, 0);
    return filch_stream_close(stream, FILCH_NEVER);
}

static int ask_without_draining(void *arg) {
    (void)arg;
    for (size_t capacity = 1; capacity <= 10000; capacity *= 100) { /* a request fits, or goes byte by byte */
        filch_stream *streams[2];
        stream_pair(streams, capacity, NULL);
        filch_task *task = start(echo_lines, streams[1]);
        for (int i = 0; i < 100; i++) {
            char line[100], reply[100];
            int length = snprintf(line, sizeof line, "request number %d\n", i);
            check_int(filch_stream_write(streams[0], line, (size_t)length, NULL, FILCH_NEVER), 0);
            check_int(filch_stream_read_line(streams[0], reply, sizeof reply, FILCH_NEVER), length);
            check(strncmp(reply, line, (size_t)length - 1) == 0);
        }
        check_int(filch_stream_close(streams[0], FILCH_NEVER), 0);
        check_int(result_of(task), 0);
        destroy_both(streams);
    }
    return 0;
}

TEST(stream_both, request_and_reply_need_no_drain) {
    run_with_each(ask_without_draining, NULL);
}

TEST(stream_both, a_read_from_what_is_buffered_sends_nothing_yet) {
    struct tap tap = {.text = "a\nb\nc\n", .length = 6};
    filch_stream *stream = tap_stream(&tap, NULL);
    char line[10];
    unsigned char bytes[30];
    fill_bytes(bytes, 30, 0);
    for (int i = 0; i < 3; i++) { /* as a server of pipelined requests */
        check_int(filch_stream_read_line(stream, line, 10, FILCH_NEVER), 2);
        check_int(filch_stream_write(stream, bytes + i * 10, 10, NULL, FILCH_NEVER), 0);
    }
    check_int(tap.reads, 1);
    check_int(tap.writes, 0);
    check_int(filch_stream_read_line(stream, line, 10, FILCH_NEVER), 0);
    check_int(tap.writes, 1); /* all replies together */
    check_int(tap.taken, 30);
    filch_stream_destroy(stream);
}

/* ----------------------------------------------------------------------------------------------- no room to send in */

enum { MUCH = 50000 };

/* Writes much, less than the mark, and only then reads: the other side does the same. */
static void write_then_read(filch_stream *stream) {
    unsigned char bytes[1000];
    for (uint64_t at = 0; at < MUCH; at += sizeof bytes) {
        fill_bytes(bytes, sizeof bytes, at);
        check_int(filch_stream_write(stream, bytes, sizeof bytes, NULL, FILCH_NEVER), 0);
    }
    for (uint64_t at = 0; at < MUCH; at += sizeof bytes) {
        check_int(filch_stream_read_exactly(stream, bytes, sizeof bytes, NULL, FILCH_NEVER), 0);
        check_bytes(bytes, sizeof bytes, at);
    }
}

static int write_then_read_task(void *arg) {
    write_then_read(arg);
    return filch_stream_drain(arg, FILCH_NEVER);
}

static void *write_then_read_thread(void *arg) {
    write_then_read(arg);
    check_int(filch_stream_drain(arg, FILCH_NEVER), 0);
    return NULL;
}

static int both_write_first(void *arg) {
    (void)arg;
    filch_stream *streams[2];
    stream_pair(streams, 16, NULL);
    filch_task *task = start(write_then_read_task, streams[0]);
    check_int(write_then_read_task(streams[1]), 0);
    check_int(result_of(task), 0);
    destroy_both(streams);
    return 0;
}

TEST(stream_both, a_read_does_not_wait_for_room_to_send_in) {
    run_with_each(both_write_first, NULL);
}

/* A thread sends first, and may do so where the other side reads. */
static int thread_writes_first(void *arg) {
    (void)arg;
    filch_stream *streams[2];
    pthread_t thread;
    stream_pair(streams, 16, NULL);
    check_int(pthread_create(&thread, NULL, write_then_read_thread, streams[0]), 0);
    check_int(write_then_read_task(streams[1]), 0);
    filch_block_begin();
    pthread_join(thread, NULL);
    filch_block_end();
    destroy_both(streams);
    return 0;
}

TEST(stream_both, a_reader_that_is_a_thread_sends_first) {
    run_with_each(thread_writes_first, NULL);
}

static int do_nothing(void *arg) {
    (void)arg;
    return 0;
}

/* Uses up the records of tasks that there are. They come back when those run, which no call here lets them before. */
static void use_up_tasks(void) {
    filch__alloc_fail(1, true);
    int error, count = 0;
    while ((error = filch_spawn(NULL, do_nothing, NULL, NULL)) == 0) check(++count < 1000000);
    check_int(error, -ENOMEM);
}

/* Without memory for the task that would send, the reader does. */
static int send_without_memory(void *arg) {
    (void)arg;
    filch_stream *streams[2];
    char got[20];
    stream_pair(streams, 16, NULL);
    check_int(filch_stream_write(streams[0], "0123456789abcdefghi", 19, NULL, FILCH_NEVER), 0);
    use_up_tasks();
    check_int(filch_stream_read(streams[0], got, 1, filch_after(FILCH_MS(50))), -ETIMEDOUT);
    filch__alloc_fail(0, false);
    check_int(filch_stream_unsent(streams[0]), 3);
    check_int(filch_stream_read_exactly(streams[1], got, 16, NULL, FILCH_NEVER), 0);
    check_int(filch_stream_write(streams[1], "x", 1, NULL, FILCH_NEVER), 0);
    check_int(filch_stream_drain(streams[1], FILCH_NEVER), 0);
    check_int(filch_stream_read(streams[0], got, 1, FILCH_NEVER), 1); /* sends the rest on the way */
    check_int(filch_stream_read_exactly(streams[1], got + 16, 3, NULL, FILCH_NEVER), 0);
    check(memcmp(got + 1, "123456789abcdefghi", 18) == 0);
    destroy_both(streams);
    return 0;
}

TEST(stream_both, without_memory_for_a_task_a_read_sends_by_itself) {
    run_with(1, send_without_memory, NULL);
}

static int read_briefly(void *arg) {
    (void)arg;
    filch_stream *streams[2];
    char got[100];
    stream_pair(streams, 16, NULL);
    check_int(filch_stream_write(streams[0], "0123456789abcdefghi", 19, NULL, FILCH_NEVER), 0);
    check_int(filch_stream_read(streams[0], got, 1, at_once()), -ETIMEDOUT);
    check_int(filch_stream_unsent(streams[0]), 3); /* as much as went */
    filch_scope scope;
    check_int(filch_scope_open(&scope, &(filch_scope_options){.deadline = filch_after(FILCH_MS(1))}), 0);
    check_int(filch_stream_read(streams[0], got, 1, FILCH_NEVER), -ECANCELED);
    check_int(filch_scope_close(&scope), -ETIMEDOUT);
    check_int(filch_stream_unsent(streams[0]), 3);
    check_int(filch_stream_read_exactly(streams[1], got, 16, NULL, FILCH_NEVER), 0);
    check_int(filch_stream_drain(streams[0], FILCH_NEVER), 0);
    check_int(filch_stream_read_exactly(streams[1], got + 16, 3, NULL, FILCH_NEVER), 0);
    check(memcmp(got, "0123456789abcdefghi", 19) == 0);
    destroy_both(streams);
    return 0;
}

TEST(stream_both, what_a_read_could_not_send_stays_buffered) {
    run_with_each(read_briefly, NULL);
}

/*
 * A transport over another that takes up to so many bytes to itself, and sends them later: when it can, or is made to,
 * as TLS does.
 */
struct lagging {
    filch_transport below;
    unsigned char held[64];
    size_t length;
};

static int lagging_flush(void *self, filch_deadline deadline) {
    struct lagging *lagging = self;
    while (lagging->length > 0) {
        ssize_t sent = end_write(lagging->below, lagging->held, lagging->length, deadline);
        if (sent < 0) return (int)sent;
        lagging->length -= (size_t)sent;
        memmove(lagging->held, lagging->held + sent, lagging->length);
    }
    return 0;
}

static ssize_t lagging_write(void *self, const struct iovec *parts, int count, filch_deadline deadline) {
    struct lagging *lagging = self;
    int error = lagging_flush(self, deadline);
    if (error != 0) return error;
    (void)count;
    lagging->length = parts->iov_len < sizeof lagging->held ? parts->iov_len : sizeof lagging->held;
    memcpy(lagging->held, parts->iov_base, lagging->length);
    size_t taken = lagging->length;
    (void)lagging_flush(self, at_once());
    return (ssize_t)taken;
}

static ssize_t lagging_read(void *self, void *buffer, size_t size, filch_deadline deadline) {
    return end_read(((struct lagging *)self)->below, buffer, size, deadline);
}

static void lagging_close(void *self) {
    filch_transport below = ((struct lagging *)self)->below;
    below.ops->close(below.self);
}

static void lagging_destroy(void *self) {
    filch_transport below = ((struct lagging *)self)->below;
    below.ops->destroy(below.self);
}

static const filch_transport_ops lagging_ops = {
    .kind = "lagging",
    .read = lagging_read,
    .write = lagging_write,
    .close = lagging_close,
    .destroy = lagging_destroy,
    .flush = lagging_flush,
};

static int ask_over_what_lags(void *arg) {
    (void)arg;
    filch_transport ends[2];
    filch_stream *asking, *answering;
    check_int(filch_pair_create(ends, 3), 0);
    struct lagging lagging = {.below = ends[0]};
    check_int(filch_stream_create(&asking, (filch_transport){&lagging_ops, &lagging}, NULL), 0);
    check_int(filch_stream_create(&answering, ends[1], NULL), 0);
    filch_task *task = start(echo_lines, answering);
    for (int i = 0; i < 30; i++) {
        char reply[100];
        check_int(filch_stream_write(asking, "what is held as well\n", 21, NULL, FILCH_NEVER), 0);
        check_int(filch_stream_read_line(asking, reply, sizeof reply, FILCH_NEVER), 21);
        check(strcmp(reply, "what is held as well") == 0);
    }
    check_int(filch_stream_close(asking, FILCH_NEVER), 0);
    check_int(result_of(task), 0);
    filch_stream_destroy(asking);
    filch_stream_destroy(answering);
    return 0;
}

TEST(stream_both, a_read_has_the_transport_send_what_it_holds) {
    run_with_each(ask_over_what_lags, NULL);
}

/* ----------------------------------------------------------------------------------------------------- many writers */

enum { WRITERS = 20, PIECES = 50, PIECE = 37 };

struct writer {
    filch_stream *stream;
    unsigned char name;
    filch_task *task;
};

/* Each piece is its writer's name, many times. */
static int write_pieces(void *arg) {
    struct writer *writer = arg;
    unsigned char piece[PIECE];
    memset(piece, writer->name, sizeof piece);
    for (int i = 0; i < PIECES; i++) {
        struct iovec parts[2] = {{piece, 10}, {piece + 10, PIECE - 10}};
        check_int(filch_stream_writev(writer->stream, parts, 2, NULL, FILCH_NEVER), 0);
    }
    return filch_stream_drain(writer->stream, FILCH_NEVER);
}

static int many_writers(void *arg) {
    (void)arg;
    filch_stream *streams[2];
    struct writer writers[WRITERS];
    int pieces[WRITERS] = {0};
    stream_pair(streams, 50, &(filch_stream_options){.high_water = 200, .low_water = 20});
    for (int i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){.stream = streams[0], .name = (unsigned char)i};
        writers[i].task = start(write_pieces, &writers[i]);
    }
    for (int n = 0; n < WRITERS * PIECES; n++) {
        unsigned char piece[PIECE];
        check_int(filch_stream_read_exactly(streams[1], piece, PIECE, NULL, FILCH_NEVER), 0);
        for (int i = 1; i < PIECE; i++) check_int(piece[i], piece[0]);
        check(piece[0] < WRITERS);
        pieces[piece[0]]++;
    }
    for (int i = 0; i < WRITERS; i++) check_int(pieces[i], PIECES);
    for (int i = 0; i < WRITERS; i++) check_int(result_of(writers[i].task), 0);
    destroy_both(streams);
    return 0;
}

TEST(stream_both, the_pieces_of_many_writers_stay_whole) {
    run_with_each(many_writers, NULL);
}

/* ----------------------------------------------------------------------------------------------------- conservation */

static int write_task(void *arg) {
    write_all(arg);
    return 0;
}

static int read_task(void *arg) {
    read_all(arg);
    return 0;
}

static void *write_thread(void *arg) {
    write_all(arg);
    return NULL;
}

static void *read_thread(void *arg) {
    read_all(arg);
    return NULL;
}

/* Both directions, each by a reader and a writer of its own, one of them a thread. */
static int both_ways(void *arg) {
    bool cut = *(bool *)arg;
    for (int round = 0; round < 2; round++) {
        filch_stream *streams[2];
        struct flow flows[2];
        pthread_t thread;
        stream_pair(streams, round == 0 ? 7 : 3000, &(filch_stream_options){.high_water = 800, .low_water = 100});
        begin_flows(flows, streams, 60000 / TEST_SCALE, cut);
        filch_task *tasks[3] = {start(write_task, &flows[0]), start(read_task, &flows[0]),
                                start(round == 0 ? read_task : write_task, &flows[1])};
        check_int(pthread_create(&thread, NULL, round == 0 ? write_thread : read_thread, &flows[1]), 0);
        for (int i = 0; i < 3; i++) check_int(result_of(tasks[i]), 0);
        filch_block_begin();
        pthread_join(thread, NULL);
        filch_block_end();
        check_flows(flows);
        destroy_both(streams);
    }
    return 0;
}

TEST(stream_both, every_byte_arrives_once_and_in_order) {
    run_with_each(both_ways, &(bool){false});
}

TEST(stream_both, deadlines_neither_lose_nor_double_a_byte) {
    run_with_each(both_ways, &(bool){true});
}

static int cancel_often(void *arg) {
    (void)arg;
    filch_stream *streams[2];
    struct flow flows[2];
    stream_pair(streams, 100, &(filch_stream_options){.high_water = 800, .low_water = 100});
    begin_flows(flows, streams, 60000 / TEST_SCALE, false);
    filch_task *tasks[4];
    for (int i = 0; i < 4; i++)
        tasks[i] = start(i % 2 == 0 ? write_cancelled_often : read_cancelled_often, &flows[i / 2]);
    for (int i = 0; i < 4; i++) check_int(result_of(tasks[i]), 0);
    check_flows(flows);
    destroy_both(streams);
    return 0;
}

TEST(stream_both, cancellation_neither_loses_nor_doubles_a_byte) {
    run_with_each(cancel_often, NULL);
}

/* One task a side, which writes and reads in turns, cut short at random: reads send what writes have left. */
struct talker {
    struct flow *out, *in;
};

static int talk(void *arg) {
    struct talker *talker = arg;
    uint32_t random = 23;
    while (talker->out->written < talker->out->goal || talker->in->read < talker->in->goal) {
        bool reads = talker->out->written == talker->out->goal ||
                     (talker->in->read < talker->in->goal && chance(&random, 2) == 0);
        filch_scope scope;
        filch_deadline soon = filch_after(chance(&random, 300) * 100);
        check_int(filch_scope_open(&scope, &(filch_scope_options){.deadline = soon}), 0);
        if (reads) (void)read_step(talker->in);
        if (!reads) (void)write_step(talker->out);
        filch_scope_close(&scope);
    }
    return filch_stream_shutdown(talker->out->from, FILCH_NEVER);
}

static int talk_in_turns(void *arg) {
    (void)arg;
    filch_stream *streams[2];
    struct flow flows[2];
    stream_pair(streams, 100, &(filch_stream_options){.high_water = 800, .low_water = 100});
    begin_flows(flows, streams, 30000 / TEST_SCALE, false);
    struct talker talkers[2] = {{&flows[0], &flows[1]}, {&flows[1], &flows[0]}};
    filch_task *task = start(talk, &talkers[0]);
    check_int(talk(&talkers[1]), 0);
    check_int(result_of(task), 0);
    check_flows(flows);
    destroy_both(streams);
    return 0;
}

TEST(stream_both, one_task_that_reads_and_writes_in_turns_loses_nothing) {
    run_with_each(talk_in_turns, NULL);
}
