/* SPDX-License-Identifier: MIT */
/*
 * The writing side of streams.
 *
 * Bytes leave in the order in which they were taken, since who sends has the writing side, and sends the buffer before
 * its own. What the transport has taken leaves the buffer, or the rest, before anything else happens; so whatever comes
 * then, the buffer holds what was taken and is not sent, and nothing else.
 */
#include <limits.h>

#include "io/stream.h"
#include "sync/object.h"

/* ---------------------------------------------------------------------------------------------------- begin and end */

/* The side has been taken; perhaps of a stream that was closed meanwhile. */
static int look_again(filch_stream *stream) {
    int error = filch__stream_usable(stream);
    if (error != 0) filch_mutex_unlock(&stream->writing);
    return error;
}

int filch__stream_begin_write(filch_stream *stream, filch_deadline deadline) {
    int error = filch__stream_usable(stream);
    if (error == 0) error = filch_mutex_lock(&stream->writing, deadline);
    return error == 0 ? look_again(stream) : error;
}

int filch__stream_try_begin_write(filch_stream *stream) {
    int error = filch_mutex_try_lock(&stream->writing);
    return error == 0 ? look_again(stream) : error;
}

void filch__stream_end_write(filch_stream *stream) {
    filch_mutex_unlock(&stream->writing);
}

/* ------------------------------------------------------------------------------------------------------------- rest */

/* Goes on by `size` bytes, and past parts that are empty. */
static void rest_advance(struct filch__rest *rest, size_t size) {
    rest->length -= size;
    rest->skip += size;
    while (rest->count > 0 && rest->skip >= rest->parts->iov_len) {
        rest->skip -= rest->parts->iov_len;
        rest->parts++;
        rest->count--;
    }
}

static struct iovec rest_front(const struct filch__rest *rest) {
    return (struct iovec){(unsigned char *)rest->parts->iov_base + rest->skip, rest->parts->iov_len - rest->skip};
}

/* Has the buffer take all that is left. It has room. */
static void buffer_rest(filch_stream *stream, struct filch__rest *rest) {
    while (rest->length > 0) {
        struct iovec part = rest_front(rest);
        filch__buffer_put(&stream->out, part.iov_base, part.iov_len);
        rest_advance(rest, part.iov_len);
    }
    filch__stream_note_unsent(stream);
}

/* ------------------------------------------------------------------------------------------------------------- send */

enum { PARTS_AT_ONCE = 16 };

/* What is to go next, the buffer first: how many parts of it. */
static int gather(const struct filch__buffer *out, const struct filch__rest *rest, struct iovec parts[PARTS_AT_ONCE]) {
    int count = 0;
    if (out->length > 0) parts[count++] = (struct iovec){filch__buffer_front(out), out->length};
    struct filch__rest ahead = *rest;
    while (count < PARTS_AT_ONCE && ahead.length > 0) {
        parts[count] = rest_front(&ahead);
        rest_advance(&ahead, parts[count++].iov_len);
    }
    return count;
}

/* The transport has taken so many bytes. */
static void sent(filch_stream *stream, struct filch__rest *rest, size_t size) {
    size_t buffered = size < stream->out.length ? size : stream->out.length;
    filch__buffer_drop(&stream->out, buffered);
    filch__stream_note_unsent(stream);
    rest_advance(rest, size - buffered);
}

/* Has the transport send what it holds itself. */
static int flush_transport(filch_stream *stream, filch_deadline deadline) {
    if (likely(!load_relaxed(&stream->held))) return 0;
    int error = stream->transport.ops->flush(stream->transport.self, deadline);
    if (error == 0) store_relaxed(&stream->held, false); /* a glance, as `unsent` */
    return error;
}

int filch__stream_send(filch_stream *stream, struct filch__rest *rest, size_t keep, filch_deadline deadline) {
    struct filch__rest nothing = {0};
    if (rest == NULL) rest = &nothing;
    const filch_transport transport = stream->transport;
    size_t left, buffered = stream->out.length;
    while ((left = stream->out.length + rest->length) > keep) {
        struct iovec parts[PARTS_AT_ONCE];
        if (transport.ops->flush != NULL) store_relaxed(&stream->held, true);
        int count = gather(&stream->out, rest, parts);
        ssize_t size = transport.ops->write(transport.self, parts, count, deadline);
        if (size < 0) return (int)size;
        if (size == 0 || (size_t)size > left) return -EIO; /* a table that does not keep to its rules */
        sent(stream, rest, (size_t)size);
    }
    if (buffered > 0) filch__buffer_relax(&stream->out, buffered);
    return keep == 0 ? flush_transport(stream, deadline) : 0;
}

/* ------------------------------------------------------------------------------------------------------------ write */

/* With the writing side. */
static int take(filch_stream *stream, struct filch__rest *rest, filch_deadline deadline) {
    if (stream->shut) return -EPIPE;
    size_t high = load_relaxed(&stream->high_water), buffered = stream->out.length;
    bool fits = buffered <= high && rest->length <= high - buffered;
    int error = fits ? 0 : filch__stream_send(stream, rest, load_relaxed(&stream->low_water), deadline);
    if (error == 0 && unlikely(!filch__buffer_reserve(&stream->out, rest->length))) {
        error = filch__stream_send(stream, rest, 0, deadline); /* there is no memory to keep it in */
    }
    if (error == 0) buffer_rest(stream, rest);
    return error;
}

/* How long all parts are together; -EINVAL: that is no size, or a part is bad. */
static ssize_t length_of(const struct iovec *parts, int count) {
    if (count < 0 || (count > 0 && parts == NULL)) return -EINVAL;
    size_t length = 0;
    for (int i = 0; i < count; i++) {
        if (parts[i].iov_base == NULL && parts[i].iov_len > 0) return -EINVAL;
        if (__builtin_add_overflow(length, parts[i].iov_len, &length)) return -EINVAL;
    }
    return length <= SSIZE_MAX ? (ssize_t)length : -EINVAL;
}

int filch_stream_writev(filch_stream *stream, const struct iovec *parts, int count, size_t *moved,
                        filch_deadline deadline) {
    if (moved != NULL) *moved = 0;
    ssize_t length = length_of(parts, count);
    if (length < 0) return -EINVAL;
    int error = filch__stream_begin_write(stream, deadline);
    if (error != 0) return error;
    struct filch__rest rest = {.parts = parts, .count = count, .length = (size_t)length};
    rest_advance(&rest, 0);
    error = take(stream, &rest, deadline);
    filch__stream_end_write(stream);
    if (moved != NULL) *moved = (size_t)length - rest.length;
    filch__spend();
    return error;
}

int filch_stream_write(filch_stream *stream, const void *bytes, size_t size, size_t *moved, filch_deadline deadline) {
    struct iovec part = {(void *)(uintptr_t)bytes, size};
    return filch_stream_writev(stream, &part, 1, moved, deadline);
}

/* ----------------------------------------------------------------------------------------------- drain and shutdown */

int filch_stream_drain(filch_stream *stream, filch_deadline deadline) {
    int error = filch__stream_begin_write(stream, deadline);
    if (error != 0) return error;
    error = filch__stream_send(stream, NULL, 0, deadline);
    filch__stream_end_write(stream);
    return error;
}

size_t filch_stream_unsent(const filch_stream *stream) {
    return stream != NULL ? load_relaxed(&stream->unsent) : 0;
}

/* With the writing side. */
static int shut(filch_stream *stream, filch_deadline deadline) {
    if (stream->shut) return 0;
    const filch_transport transport = stream->transport;
    if (transport.ops->shutdown == NULL) return -EOPNOTSUPP;
    int error = filch__stream_send(stream, NULL, 0, deadline);
    if (error == 0) error = transport.ops->shutdown(transport.self, deadline);
    if (error == 0) stream->shut = true;
    return error;
}

int filch_stream_shutdown(filch_stream *stream, filch_deadline deadline) {
    int error = filch__stream_begin_write(stream, deadline);
    if (error != 0) return error;
    error = shut(stream, deadline);
    filch__stream_end_write(stream);
    return error;
}
