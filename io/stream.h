/* SPDX-License-Identifier: MIT */
/*
 * A stream as its files see it: stream.c (begin, end, and the rest), stream_read.c, stream_write.c, stream_file.c.
 *
 * Who may touch what
 *   the reading side   the one who is in a call that reads: `reading` is set for so long, and a second one aborts
 *   the writing side   who holds `writing`
 *   `unsent`, `held`   changed under `writing`, looked at by anybody
 *   `transport`        its read by the reader, its write and shutdown under `writing`; its close by whoever turns
 *                      `state` from OPEN to CLOSED, whatever others are doing
 *
 * A call that waits at the transport keeps its side for so long. So a reader never waits for `writing`: it tries, and
 * where another has it, that one is sending already.
 *
 * Edge
 *   OPEN   attach: state (release) -> every call: state (acquire)   carries the transport and two empty buffers
 */
#ifndef FILCH_IO_STREAM_H
#define FILCH_IO_STREAM_H

#include <errno.h>
#include <filch/mutex.h>
#include <filch/stream.h>

#include "base/assert.h"
#include "base/atomic.h"
#include "io/buffer.h"

enum stream_state {
    STREAM_OPEN,
    STREAM_CLOSED,
    STREAM_DETACHED, /* its transport was taken away: STREAM_OPEN again by an attach, or destroyed */
};

struct filch_stream {
    filch_transport transport;
    ATOMIC(uint32_t) state; /* enum stream_state: OPEN */

    /* limits; each is looked at by itself, and a value of a moment ago will do */
    ATOMIC(size_t) read_limit;
    ATOMIC(size_t) high_water;
    ATOMIC(size_t) low_water;

    /* the reading side */
    ATOMIC(bool) reading;
    bool ended;       /* the transport has answered 0 */
    bool overflowed;  /* the last read ahead filled all the room that it was given: more room next time */
    size_t last_fill; /* how much it was */
    struct filch__buffer in;

    /* the writing side */
    filch_mutex writing cache_aligned;
    bool shut;
    struct filch__buffer out;
    ATOMIC(size_t) unsent; /* out.length */
    ATOMIC(bool) held;     /* the transport, which has a flush, may hold some of what it was given */
};

/* What a writer has not got rid of yet: parts of its own memory. */
struct filch__rest {
    const struct iovec *parts;
    int count;
    size_t skip;   /* of the first part */
    size_t length; /* of all that is left */
};

/* 0, or what a call on a stream answers that is none or is not open. */
static inline int filch__stream_usable(const filch_stream *stream) {
    if (unlikely(stream == NULL)) return -EINVAL;
    return likely(load_acquire(&stream->state) == STREAM_OPEN) ? 0 : -EBADF; /* OPEN */
}

/* Takes the writing side of an open stream, waiting for it; or why not. */
int filch__stream_begin_write(filch_stream *stream, filch_deadline deadline);

/* The same without waiting: -EBUSY. */
int filch__stream_try_begin_write(filch_stream *stream);

void filch__stream_end_write(filch_stream *stream);

/*
 * Sends the buffer, and behind it `rest`, which may be NULL, until at most `keep` bytes of both are left; with a `keep`
 * of 0 also what the transport itself holds. With the writing side.
 */
int filch__stream_send(filch_stream *stream, struct filch__rest *rest, size_t keep, filch_deadline deadline);

/* Whether something is left to send; a glance, but what the caller knows to be written it sees. */
static inline bool filch__stream_pending(const filch_stream *stream) {
    return load_relaxed(&stream->unsent) > 0 || load_relaxed(&stream->held);
}

/* Notes how much is in the buffer, after it has changed. With the writing side. */
static inline void filch__stream_note_unsent(filch_stream *stream) {
    store_relaxed(&stream->unsent, stream->out.length); /* a glance: who must be sure has the writing side */
}

#endif
