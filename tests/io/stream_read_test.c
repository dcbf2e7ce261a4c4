/* SPDX-License-Identifier: MIT */
/*
 * Proves that the reads of streams hand out what the transport gave, in order, whatever pieces it came in: beside a
 * plain array; that what is all or nothing consumes nothing where it fails; and that limits hold.
 */
#include "tests/io/tap.h"

enum { NEVER_MOVED = 12345 };

static filch_stream *text_stream(struct tap *tap, const char *text, size_t read_limit) {
    tap->text = text;
    tap->length = strlen(text);
    return tap_stream(tap, &(filch_stream_options){.read_limit = read_limit});
}

/* -------------------------------------------------------------------------------------------------------- arguments */

TEST(stream_read, bad_arguments_are_refused) {
    struct tap tap = {0};
    filch_stream *stream = text_stream(&tap, "text", 0);
    char got[8];
    const void *view;
    size_t moved = NEVER_MOVED;
    check_int(filch_stream_read(NULL, got, 8, FILCH_NEVER), -EINVAL);
    check_int(filch_stream_read(stream, NULL, 8, FILCH_NEVER), -EINVAL);
    check_int(filch_stream_read_exactly(NULL, got, 8, &moved, FILCH_NEVER), -EINVAL);
    check_int(moved, 0);
    check_int(filch_stream_read_exactly(stream, NULL, 8, NULL, FILCH_NEVER), -EINVAL);
    check_int(filch_stream_read_until(NULL, "e", 1, got, 8, FILCH_NEVER), -EINVAL);
    check_int(filch_stream_read_until(stream, NULL, 1, got, 8, FILCH_NEVER), -EINVAL);
    check_int(filch_stream_read_until(stream, "e", 0, got, 8, FILCH_NEVER), -EINVAL);
    check_int(filch_stream_read_until(stream, "e", 1, NULL, 8, FILCH_NEVER), -EINVAL);
    check_int(filch_stream_read_line(NULL, got, 8, FILCH_NEVER), -EINVAL);
    check_int(filch_stream_read_line(stream, NULL, 8, FILCH_NEVER), -EINVAL);
    check_int(filch_stream_peek(NULL, 1, &view, FILCH_NEVER), -EINVAL);
    check_int(filch_stream_peek(stream, 1, NULL, FILCH_NEVER), -EINVAL);
    check_int(filch_stream_skip(NULL, 0), -EINVAL);
    check_int(filch_stream_skip(stream, 1), -EINVAL);
    check(!filch_stream_at_end(NULL));
    check_int(tap.reads, 0);
    check_int(filch_stream_read(stream, NULL, 0, FILCH_NEVER), 0);
    check_int(filch_stream_read_exactly(stream, NULL, 0, NULL, FILCH_NEVER), 0);
    check_int(filch_stream_read(stream, got, 8, FILCH_NEVER), 4); /* nothing of it was touched */
    filch_stream_destroy(stream);
}

/* ------------------------------------------------------------------------------------------------------------ model */

enum { TEXT = 30000, LIMIT = 256 };

struct model {
    char text[TEXT];
    size_t at; /* what was read up to here */
    struct tap tap;
    filch_stream *stream;
    uint32_t random;
};

static const char *const separators[] = {"\n", "ab", "aab", "\r\n", "bbbbbbbbbbbbbb"};

static void check_text(struct model *model, const void *bytes, size_t size) {
    check(size <= TEXT - model->at);
    check(memcmp(bytes, model->text + model->at, size) == 0);
}

static void model_read(struct model *model, char *got, size_t size) {
    ssize_t count = filch_stream_read(model->stream, got, size, FILCH_NEVER);
    if (count == -ETIMEDOUT) return;
    check(count >= 0 && (size_t)count <= size);
    check((count == 0) == (size == 0 || model->at == TEXT));
    check_text(model, got, (size_t)count);
    model->at += (size_t)count;
}

static void model_read_exactly(struct model *model, char *got, size_t size) {
    size_t moved = NEVER_MOVED, left = TEXT - model->at;
    int error = filch_stream_read_exactly(model->stream, got, size, &moved, FILCH_NEVER);
    check(moved <= size);
    check_text(model, got, moved);
    if (error == 0) check_int(moved, size);
    if (error == -ENODATA) check(moved == left && moved < size);
    check(error == 0 || error == -ENODATA || error == -ETIMEDOUT);
    model->at += moved;
}

/* What a read until `separator` must answer. */
static ssize_t expected_until(const struct model *model, const char *separator, size_t size) {
    size_t left = TEXT - model->at, most = size < LIMIT ? size : LIMIT, look = left < most ? left : most;
    const char *from = model->text + model->at, *found = memmem(from, look, separator, strlen(separator));
    if (found != NULL) return found - from + (ssize_t)strlen(separator);
    if (left >= most) return most < LIMIT ? -ENOBUFS : -EMSGSIZE;
    return left > 0 ? -ENODATA : 0;
}

static void model_read_until(struct model *model, char *got, size_t size) {
    const char *separator = separators[chance(&model->random, 5)];
    ssize_t expected = expected_until(model, separator, size);
    ssize_t count = filch_stream_read_until(model->stream, separator, strlen(separator), got, size, FILCH_NEVER);
    if (count == -ETIMEDOUT) return;
    check_int(count, expected);
    if (count <= 0) return;
    check_text(model, got, (size_t)count);
    model->at += (size_t)count;
}

static void model_read_line(struct model *model, char *got, size_t size) {
    ssize_t expected = expected_until(model, "\n", size);
    ssize_t count = filch_stream_read_line(model->stream, got, size, FILCH_NEVER);
    if (count == -ETIMEDOUT) return;
    check_int(count, expected);
    if (count <= 0) return;
    size_t length = (size_t)count - 1;
    if (length > 0 && model->text[model->at + length - 1] == '\r') length--;
    check_int(strlen(got), length);
    check_text(model, got, length);
    model->at += (size_t)count;
}

static void model_peek(struct model *model, size_t size) {
    const void *view = NULL;
    ssize_t count = filch_stream_peek(model->stream, size, &view, FILCH_NEVER);
    if (count == -ETIMEDOUT) return;
    if (size > LIMIT) {
        check_int(count, -EMSGSIZE);
        return;
    }
    check(count >= 0 && view != NULL);
    check((size_t)count >= size || (size_t)count == TEXT - model->at);
    check_text(model, view, (size_t)count);
    check_int(filch_stream_skip(model->stream, (size_t)count + 1), -EINVAL);
    size_t skipped = chance(&model->random, (unsigned)count + 1);
    check_int(filch_stream_skip(model->stream, skipped), 0);
    model->at += skipped;
}

static void model_step(struct model *model) {
    char got[LIMIT + 100];
    size_t size = chance(&model->random, 8) == 0 ? chance(&model->random, sizeof got) : chance(&model->random, 20);
    switch (chance(&model->random, 5)) {
    case 0:
        model_read(model, got, size);
        break;
    case 1:
        model_read_exactly(model, got, size);
        break;
    case 2:
        model_read_until(model, got, size);
        break;
    case 3:
        model_read_line(model, got, size);
        break;
    default:
        model_peek(model, size);
    }
    check((size_t)model->at <= model->tap.at);
}

static int walk_through_text(void *arg) {
    struct model *model = arg;
    static const char alphabet[] = "aaaabbbcccc\n\r\n\r";
    for (size_t i = 0; i < TEXT; i++) model->text[i] = alphabet[chance(&model->random, sizeof alphabet - 1)];
    memset(model->text + TEXT / 2, 'c', 3 * LIMIT); /* nothing to be found in there */
    model->tap = (struct tap){.text = model->text, .length = TEXT, .refusal = -ETIMEDOUT};
    model->tap.most = (size_t[]){1, 5, 100, 0}[chance(&model->random, 4)];
    model->tap.every = (unsigned[]){0, 2, 5}[chance(&model->random, 3)];
    model->stream = tap_stream(&model->tap, &(filch_stream_options){.read_limit = LIMIT});
    for (model->at = 0; !filch_stream_at_end(model->stream);) model_step(model);
    check_int(model->at, TEXT);
    for (int i = 0; i < 20; i++) model_step(model); /* at the end */
    check_int(model->at, TEXT);
    filch_stream_destroy(model->stream);
    return 0;
}

TEST(stream_read, any_mixture_of_reads_sees_the_bytes_in_order) {
    static struct model model = {.random = 20240229};
    for (int i = 0; i < 40 / (TEST_SCALE > 1 ? 4 : 1); i++) {
        if (i % 2 == 0) check_int(walk_through_text(&model), 0);
        if (i % 2 == 1) run_with(1, walk_through_text, &model);
    }
}

/* ----------------------------------------------------------------------------------------------------------- limits */

TEST(stream_read, what_is_too_long_consumes_nothing) {
    struct tap tap = {.most = 3};
    filch_stream *stream = text_stream(&tap, "0123456789\nrest", 8);
    char got[20];
    const void *view;
    check_int(filch_stream_read_until(stream, "\n", 1, got, 20, FILCH_NEVER), -EMSGSIZE);
    check(tap.at <= 8); /* nor was more read ahead */
    check_int(filch_stream_read_until(stream, "\n", 1, got, 5, FILCH_NEVER), -ENOBUFS);
    check_int(filch_stream_peek(stream, 9, &view, FILCH_NEVER), -EMSGSIZE);
    check_int(filch_stream_set_limits(stream, &(filch_stream_options){.read_limit = 11}), 0);
    check_int(filch_stream_read_line(stream, got, 11, FILCH_NEVER), 11);
    check(strcmp(got, "0123456789") == 0);
    check_int(filch_stream_read_line(stream, got, 20, FILCH_NEVER), -ENODATA);
    check(!filch_stream_at_end(stream));
    check_int(filch_stream_read(stream, got, 20, FILCH_NEVER), 4); /* what is there stays readable */
    check(memcmp(got, "rest", 4) == 0);
    check(filch_stream_at_end(stream));
    check_int(filch_stream_read_line(stream, got, 20, FILCH_NEVER), 0);
    check(got[0] == '\0');
    check_int(filch_stream_peek(stream, 5, &view, FILCH_NEVER), 0);
    filch_stream_destroy(stream);
}

TEST(stream_read, lines_lose_their_ends) {
    struct tap tap = {0};
    filch_stream *stream = text_stream(&tap, "\n\r\na\r\n\rb\n\r\r\n", 0);
    const char *const lines[] = {"", "", "a", "\rb", "\r"};
    const ssize_t counts[] = {1, 2, 3, 3, 3};
    for (int i = 0; i < 5; i++) {
        char got[10];
        check_int(filch_stream_read_line(stream, got, sizeof got, FILCH_NEVER), counts[i]);
        check(strcmp(got, lines[i]) == 0);
    }
    filch_stream_destroy(stream);
}

TEST(stream_read, a_lower_limit_leaves_what_is_read_ahead) {
    struct tap tap = {0};
    filch_stream *stream = text_stream(&tap, "0123456789", 10);
    const void *view;
    char got[10];
    check_int(filch_stream_peek(stream, 1, &view, FILCH_NEVER), 10);
    check_int(filch_stream_set_limits(stream, &(filch_stream_options){.read_limit = 4}), 0);
    check_int(filch_stream_read_until(stream, "4", 1, got, 10, FILCH_NEVER), -EMSGSIZE);
    check_int(filch_stream_read_until(stream, "3", 1, got, 10, FILCH_NEVER), 4);
    check_int(filch_stream_peek(stream, 0, &view, FILCH_NEVER), 6);
    check_int(filch_stream_read(stream, got, 10, FILCH_NEVER), 6);
    filch_stream_destroy(stream);
}

/* A transport during whose second read somebody lowers the limit, to less than a line has been looked through by then. */
struct lowering {
    filch_stream *stream;
    int reads;
};

static ssize_t read_and_lower(void *self, void *buffer, size_t size, filch_deadline deadline) {
    (void)deadline;
    struct lowering *lowering = self;
    if (++lowering->reads == 2) {
        check_int(filch_stream_set_limits(lowering->stream, &(filch_stream_options){.read_limit = 16}), 0);
        size = 1;
    }
    memset(buffer, 'x', size);
    return (ssize_t)size;
}

static void close_nothing(void *self) {
    (void)self;
}

TEST(stream_read, a_limit_that_is_lowered_while_a_line_is_waited_for_holds) {
    static const filch_transport_ops ops = {
        .kind = "lowering", .read = read_and_lower, .write = tap_write, .close = close_nothing};
    struct lowering lowering = {0};
    char line[2 * LIMIT];
    const void *view;
    check_int(filch_stream_create(&lowering.stream, (filch_transport){&ops, &lowering}, NULL), 0);
    filch_stream *stream = lowering.stream;
    check_int(filch_stream_read_line(stream, line, sizeof line, FILCH_NEVER), -ENOBUFS);
    ssize_t ahead = filch_stream_peek(stream, 0, &view, FILCH_NEVER);
    check_int(lowering.reads, 1);
    char *room = malloc((size_t)ahead + 2);
    check_int(filch_stream_read_until(stream, "\n", 1, room, (size_t)ahead + 2, FILCH_NEVER), -EMSGSIZE);
    check_int(lowering.reads, 2);
    check_int(filch_stream_read_exactly(stream, room, (size_t)ahead + 1, NULL, FILCH_NEVER), 0);
    check(room[0] == 'x' && room[ahead] == 'x');
    free(room);
    filch_stream_destroy(stream);
}

TEST(stream_read, no_more_is_read_ahead_than_the_limit) {
    static char text[300000];
    memset(text, 'x', sizeof text - 1);
    struct tap tap = {0};
    filch_stream *stream = text_stream(&tap, text, 5000);
    char got[100];
    while (!filch_stream_at_end(stream)) {
        size_t before = tap.at;
        check(filch_stream_read(stream, got, sizeof got, FILCH_NEVER) >= 0);
        check(tap.at - before <= 5000);
    }
    filch_stream_destroy(stream);
}

TEST(stream_read, what_flows_fast_is_read_in_large_pieces) {
    static char text[1000000];
    memset(text, 'x', sizeof text - 1);
    struct tap tap = {0};
    filch_stream *stream = text_stream(&tap, text, 0);
    char got[100];
    while (filch_stream_read(stream, got, sizeof got, FILCH_NEVER) > 0) continue;
    check(tap.reads < 40); /* 16 of 64 KiB, and the small ones before */
    filch_stream_destroy(stream);
}

TEST(stream_read, a_large_read_goes_straight_to_the_caller) {
    static char text[100000], got[100000];
    for (size_t i = 0; i < sizeof text - 1; i++) text[i] = (char)('a' + i % 23);
    size_t before = filch__heap_objects(), moved;
    struct tap tap = {0};
    filch_stream *stream = text_stream(&tap, text, 0);
    check_int(filch_stream_read_exactly(stream, got, sizeof text - 1, &moved, FILCH_NEVER), 0);
    check_int(moved, sizeof text - 1);
    check(memcmp(text, got, sizeof text) == 0);
    check_int(tap.reads, 1);
    check_int(filch__heap_objects(), before + 1); /* the stream, and no buffer */
    filch_stream_destroy(stream);
    check_int(filch__heap_objects(), before);
}

TEST(stream_read, after_the_end_the_transport_is_not_asked_again) {
    struct tap tap = {0};
    filch_stream *stream = text_stream(&tap, "", 0);
    char got[5000];
    check_int(filch_stream_read(stream, got, 4, FILCH_NEVER), 0);
    int reads = tap.reads;
    check_int(filch_stream_read(stream, got, 5000, FILCH_NEVER), 0);
    check_int(filch_stream_read_exactly(stream, got, 4, NULL, FILCH_NEVER), -ENODATA);
    check_int(filch_stream_read_line(stream, got, 4, FILCH_NEVER), 0);
    check_int(tap.reads, reads);
    filch_stream_destroy(stream);
}

/* ----------------------------------------------------------------------------------------------------------- memory */

TEST(stream_read, without_memory_nothing_is_lost) {
    struct tap tap = {0};
    filch_stream *stream = text_stream(&tap, "one\ntwo", 0);
    char got[10];
    const void *view;
    filch__alloc_fail(1, true);
    check_int(filch_stream_read_line(stream, got, 10, FILCH_NEVER), -ENOMEM);
    check_int(filch_stream_peek(stream, 1, &view, FILCH_NEVER), -ENOMEM);
    check_int(filch_stream_read(stream, got, 1, FILCH_NEVER), 1); /* straight to the caller */
    check_int(filch_stream_read_exactly(stream, got + 1, 1, NULL, FILCH_NEVER), 0);
    filch__alloc_fail(0, false);
    check_int(filch_stream_read_line(stream, got + 2, 8, FILCH_NEVER), 2);
    check(strcmp(got, "one") == 0);
    check_int(filch_stream_peek(stream, 3, &view, FILCH_NEVER), 3);
    check(memcmp(view, "two", 3) == 0);
    filch_stream_destroy(stream);
}

TEST(stream_read, a_buffer_that_cannot_grow_keeps_its_bytes) {
    static char text[10001];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 2] = '\n';
    struct tap tap = {0};
    filch_stream *stream = text_stream(&tap, text, 0);
    static char got[10001];
    const void *view;
    check_int(filch_stream_peek(stream, 1, &view, FILCH_NEVER), 2048);
    filch__alloc_fail(1, true);
    check_int(filch_stream_read_line(stream, got, sizeof got, FILCH_NEVER), -ENOMEM);
    filch__alloc_fail(0, false);
    check_int(filch_stream_read_line(stream, got, sizeof got, FILCH_NEVER), 10000);
    check_int(strlen(got), 9999);
    filch_stream_destroy(stream);
}

/* ------------------------------------------------------------------------------------------------ errors on the way */

static ssize_t read_too_much(void *self, void *buffer, size_t size, filch_deadline deadline) {
    (void)self, (void)buffer, (void)deadline;
    return (ssize_t)size + 1;
}

TEST(stream_read, a_transport_that_answers_nonsense_is_an_error) {
    filch_transport_ops ops = tap_ops;
    ops.read = read_too_much;
    struct tap tap = {0};
    filch_stream *stream;
    char got[5000];
    check_int(filch_stream_create(&stream, (filch_transport){&ops, &tap}, NULL), 0);
    check_int(filch_stream_read(stream, got, 10, FILCH_NEVER), -EIO);
    check_int(filch_stream_read(stream, got, 5000, FILCH_NEVER), -EIO);
    check(!filch_stream_at_end(stream));
    filch_stream_destroy(stream);
}

static int read_cancelled(void *arg) {
    (void)arg;
    struct tap tap = {0};
    filch_stream *stream = text_stream(&tap, "one\ntwo", 0);
    char got[10];
    const void *view;
    filch_scope scope;
    check_int(filch_stream_peek(stream, 1, &view, FILCH_NEVER), 7);
    check_int(filch_scope_open(&scope, NULL), 0);
    filch_scope_cancel(&scope);
    check_int(filch_stream_read(stream, got, 1, FILCH_NEVER), -ECANCELED); /* though it is there */
    check_int(filch_stream_read_exactly(stream, got, 1, NULL, FILCH_NEVER), -ECANCELED);
    check_int(filch_stream_read_line(stream, got, 10, FILCH_NEVER), -ECANCELED);
    check_int(filch_stream_peek(stream, 1, &view, FILCH_NEVER), -ECANCELED);
    check_int(filch_stream_peek(stream, 0, &view, FILCH_NEVER), 7); /* these do not wait */
    check_int(filch_stream_skip(stream, 1), 0);
    check_int(filch_scope_close(&scope), -ECANCELED);
    check_int(filch_stream_read(stream, got, 10, FILCH_NEVER), 6);
    filch_stream_destroy(stream);
    return 0;
}

TEST(stream_read, in_a_cancelled_scope_nothing_is_read) {
    run_with(1, read_cancelled, NULL);
}

TEST(stream_read, a_passed_deadline_is_no_reason_not_to_take_what_is_there) {
    filch_stream *streams[2];
    char got[10];
    size_t moved;
    stream_pair(streams, 100, NULL);
    check_int(filch_stream_read(streams[0], got, 10, at_once()), -ETIMEDOUT);
    check_int(filch_stream_write(streams[1], "abc\nd", 5, NULL, at_once()), 0);
    check_int(filch_stream_drain(streams[1], at_once()), 0);
    check_int(filch_stream_read_line(streams[0], got, 10, at_once()), 4);
    check_int(filch_stream_read_line(streams[0], got, 10, at_once()), -ETIMEDOUT);
    check_int(filch_stream_read_exactly(streams[0], got, 10, &moved, at_once()), -ETIMEDOUT);
    check_int(moved, 1);
    check(got[0] == 'd');
    destroy_both(streams);
}
