/* SPDX-License-Identifier: MIT */
/*
 * The reading side of streams.
 *
 * Before the transport is asked, what the writing side has buffered is sent, so that a reply is not waited for while
 * its request lies here. That must not wait for room: the other side may be writing too, and read only when it has been
 * read from. So it is tried, and where not all goes, the transport is asked without waiting; and only if it has
 * nothing, a task is spawned that sends while the read waits. Its scope ends with the read.
 */
#include <filch/scope.h>
#include <string.h>

#include "io/stream.h"
#include "sync/object.h"

/* ---------------------------------------------------------------------------------------------------- begin and end */

/* Takes the reading side of an open stream, or says why not. */
static int begin_read(filch_stream *stream) {
    int error = filch__stream_usable(stream);
    if (error != 0) return error;
    if (unlikely(exchange_acquire(&stream->reading, true))) {
        filch__die("stream %p is read by two at once, the second is task \"%s\"", (void *)stream, caller_name());
    }
    return 0;
}

/* The same for a call that may wait. */
static int begin_waiting_read(filch_stream *stream) {
    int error = filch__stream_usable(stream);
    if (error != 0) return error;
    return filch__cancelled() ? -ECANCELED : begin_read(stream);
}

static void end_read(filch_stream *stream) {
    store_release(&stream->reading, false);
}

/* --------------------------------------------------------------------------------------------- asking the transport */

static ssize_t read_transport(filch_stream *stream, void *buffer, size_t size, filch_deadline deadline) {
    ssize_t got = stream->transport.ops->read(stream->transport.self, buffer, size, deadline);
    return got <= 0 || (size_t)got <= size ? got : -EIO; /* a table that does not keep to its rules */
}

/* Sends what is buffered as far as that goes without waiting; false: some is left that would have to wait. */
static bool send_ahead(filch_stream *stream) {
    if (!filch__stream_pending(stream)) return true;
    if (filch__stream_try_begin_write(stream) != 0) return true; /* another sends, or it is closed: the read tells */
    int error = filch__stream_send(stream, NULL, 0, (filch_deadline){0});
    filch__stream_end_write(stream);
    return error != -ETIMEDOUT; /* other errors are for who sends next */
}

static int send_meanwhile(void *arg) {
    return filch_stream_drain(arg, FILCH_NEVER); /* until the read is over, which cancels this */
}

/* Opens a scope in which a task sends; false: that cannot be had. */
static bool begin_sending(filch_stream *stream, filch_scope *scope) {
    filch_scope_options options = {.name = "stream", .policy = FILCH_SCOPE_SUPERVISE};
    if (filch_self() == NULL || filch_scope_open(scope, &options) != 0) return false;
    if (filch_scope_spawn(scope, NULL, send_meanwhile, stream, NULL) == 0) return true;
    filch_scope_close(scope);
    return false;
}

/* Where not all could be sent at once. */
static never_inline ssize_t read_while_sending(filch_stream *stream, void *buffer, size_t size,
                                               filch_deadline deadline) {
    ssize_t got = read_transport(stream, buffer, size, (filch_deadline){0});
    if (got != -ETIMEDOUT || deadline.at_ns <= filch_now()) return got;
    filch_scope scope;
    if (!begin_sending(stream, &scope)) {
        int error = filch_stream_drain(stream, deadline);
        bool over = error == -ETIMEDOUT || error == -ECANCELED || error == -EBADF;
        return over ? error : read_transport(stream, buffer, size, deadline);
    }
    got = read_transport(stream, buffer, size, deadline);
    filch_scope_cancel(&scope);
    filch_scope_close(&scope);
    return got;
}

/* Reads from the transport, at least one byte; 0: the end. */
static ssize_t ask(filch_stream *stream, void *buffer, size_t size, filch_deadline deadline) {
    if (stream->ended) return 0;
    ssize_t got = likely(send_ahead(stream)) ? read_transport(stream, buffer, size, deadline)
                                             : read_while_sending(stream, buffer, size, deadline);
    if (got == 0) stream->ended = true;
    return got;
}

/*
 * Makes room to read ahead, so that at least `need` bytes, more than are buffered, can stand there. More memory is got
 * where reads have filled what there was; going without that is no failure.
 */
static bool make_room(filch_stream *stream, size_t need, size_t limit) {
    struct filch__buffer *in = &stream->in;
    size_t least = need - in->length;
    if (stream->overflowed && in->capacity < limit) {
        stream->overflowed = false;
        if (filch__buffer_reserve(in, in->capacity * 2 - in->length)) return true;
    }
    /* What is moved to the front is less than what can be read then, unless there is no other way. */
    if (in->length <= in->capacity / 2 && filch__buffer_room(in) < in->capacity / 2) least = in->capacity / 2;
    if (least < need - in->length) least = need - in->length;
    return filch__buffer_reserve(in, least);
}

/* Reads ahead once, so that `need` bytes can come to stand in the buffer: how many came, 0 for the end. */
static ssize_t fill(filch_stream *stream, size_t need, filch_deadline deadline) {
    struct filch__buffer *in = &stream->in;
    size_t limit = load_relaxed(&stream->read_limit);
    if (stream->last_fill > 0) filch__buffer_relax(in, stream->last_fill);
    if (limit < need) limit = need;
    if (!make_room(stream, need, limit)) return -ENOMEM;
    size_t room = filch__buffer_room(in);
    if (room > limit - in->length) room = limit - in->length;
    ssize_t got = ask(stream, filch__buffer_end(in), room, deadline);
    stream->last_fill = got > 0 ? (size_t)got : 0;
    stream->overflowed = stream->last_fill == room;
    in->length += stream->last_fill;
    return got;
}

/* Reads once where nothing is buffered: ahead, or straight to the caller where that is no less. */
static ssize_t read_once(filch_stream *stream, void *buffer, size_t size, filch_deadline deadline) {
    struct filch__buffer *in = &stream->in;
    if (size >= in->capacity && size >= FILCH__BUFFER_MIN) return ask(stream, buffer, size, deadline);
    ssize_t got = fill(stream, 1, deadline);
    if (got == -ENOMEM && in->capacity == 0) return ask(stream, buffer, size, deadline);
    return got > 0 ? (ssize_t)filch__buffer_take(in, buffer, size) : got;
}

/* ------------------------------------------------------------------------------------------------------------- read */

ssize_t filch_stream_read(filch_stream *stream, void *buffer, size_t size, filch_deadline deadline) {
    if (buffer == NULL && size > 0) return -EINVAL;
    ssize_t got = begin_waiting_read(stream);
    if (got != 0) return got;
    got = (ssize_t)filch__buffer_take(&stream->in, buffer, size);
    bool at_once = got > 0 || size == 0;
    if (!at_once) got = read_once(stream, buffer, size, deadline);
    end_read(stream);
    if (at_once) filch__spend();
    return got;
}

int filch_stream_read_exactly(filch_stream *stream, void *buffer, size_t size, size_t *moved, filch_deadline deadline) {
    if (moved != NULL) *moved = 0;
    if (buffer == NULL && size > 0) return -EINVAL;
    int error = begin_waiting_read(stream);
    if (error != 0) return error;
    size_t done = filch__buffer_take(&stream->in, buffer, size);
    bool at_once = done == size;
    while (error == 0 && done < size) {
        ssize_t got = read_once(stream, (unsigned char *)buffer + done, size - done, deadline);
        if (got > 0) {
            done += (size_t)got;
        } else {
            error = got == 0 ? -ENODATA : (int)got;
        }
    }
    end_read(stream);
    if (moved != NULL) *moved = done;
    if (at_once) filch__spend();
    return error;
}

/* ------------------------------------------------------------------------------------------------------- read until */

struct separator {
    const void *bytes;
    size_t length;
};

/*
 * Looks for the separator in the first `look` bytes of the buffer, of which `*looked` were looked through before, or more,
 * if the limit has been lowered since: how many bytes there are with it, or 0.
 */
static size_t find(const struct filch__buffer *in, struct separator separator, size_t look, size_t *looked) {
    if (look < *looked + separator.length) return 0;
    const unsigned char *front = filch__buffer_front(in);
    const unsigned char *found = memmem(front + *looked, look - *looked, separator.bytes, separator.length);
    *looked = look - separator.length + 1; /* where one may begin of which the end has not come yet */
    return found != NULL ? (size_t)(found - front) + separator.length : 0;
}

/* Reads ahead until the first separator is there: how many bytes with it; or as filch_stream_read_until. */
static ssize_t await_separator(filch_stream *stream, struct separator separator, size_t size, filch_deadline deadline) {
    const struct filch__buffer *in = &stream->in;
    size_t looked = 0;
    for (;;) {
        size_t limit = load_relaxed(&stream->read_limit), most = size < limit ? size : limit;
        size_t look = in->length < most ? in->length : most;
        size_t count = find(in, separator, look, &looked);
        if (count > 0) return (ssize_t)count;
        if (look == most) return most < limit ? -ENOBUFS : -EMSGSIZE;
        ssize_t got = stream->ended ? 0 : fill(stream, in->length + 1, deadline);
        if (got == 0) return in->length > 0 ? -ENODATA : 0;
        if (got < 0) return got;
    }
}

ssize_t filch_stream_read_until(filch_stream *stream, const void *separator, size_t separator_length, void *buffer,
                                size_t size, filch_deadline deadline) {
    if (separator == NULL || separator_length == 0 || (buffer == NULL && size > 0)) return -EINVAL;
    ssize_t count = begin_waiting_read(stream);
    if (count != 0) return count;
    count = await_separator(stream, (struct separator){separator, separator_length}, size, deadline);
    if (count > 0) filch__buffer_take(&stream->in, buffer, (size_t)count);
    end_read(stream);
    if (count > 0) filch__spend();
    return count;
}

ssize_t filch_stream_read_line(filch_stream *stream, char *line, size_t size, filch_deadline deadline) {
    ssize_t count = filch_stream_read_until(stream, "\n", 1, line, size, deadline);
    if (count < 0) return count;
    size_t length = count > 0 ? (size_t)count - 1 : 0;
    if (length > 0 && line[length - 1] == '\r') length--;
    if (size > 0) line[length] = '\0';
    return count;
}

/* ---------------------------------------------------------------------------------------------------- peek and skip */

ssize_t filch_stream_peek(filch_stream *stream, size_t at_least, const void **bytes, filch_deadline deadline) {
    if (bytes == NULL) return -EINVAL;
    ssize_t got = at_least > 0 ? begin_waiting_read(stream) : begin_read(stream);
    if (got != 0) return got;
    struct filch__buffer *in = &stream->in;
    bool too_much = at_least > load_relaxed(&stream->read_limit);
    got = too_much ? -EMSGSIZE : 1;
    while (got > 0 && in->length < at_least) got = fill(stream, at_least, deadline);
    if (got >= 0) {
        got = (ssize_t)in->length;
        *bytes = in->bytes != NULL ? filch__buffer_front(in) : (const void *)"";
    }
    end_read(stream);
    return got;
}

int filch_stream_skip(filch_stream *stream, size_t count) {
    int error = begin_read(stream);
    if (error != 0) return error;
    if (count > stream->in.length) {
        error = -EINVAL;
    } else {
        filch__buffer_drop(&stream->in, count);
    }
    end_read(stream);
    return error;
}

bool filch_stream_at_end(const filch_stream *stream) {
    return stream != NULL && stream->ended && stream->in.length == 0;
}
