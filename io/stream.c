/* SPDX-License-Identifier: MIT */
/* Streams: how they begin and end, their limits, and what they tell of their transport. */
#include "io/stream.h"

#include <string.h>

#include "alloc/heap.h"
#include "sync/object.h"

enum { LIMIT_DEFAULT = 65536 };

/* ----------------------------------------------------------------------------------------------------------- limits */

/* Fills in what is zero: the read limit and the high-water mark from `before`, the low one as a quarter. */
static int choose_limits(filch_stream_options *limits, const filch_stream_options *before) {
    if (limits->read_limit == 0) limits->read_limit = before->read_limit;
    if (limits->high_water == 0) limits->high_water = before->high_water;
    if (limits->low_water == 0) limits->low_water = before->low_water;
    bool good = limits->read_limit <= FILCH_STREAM_LIMIT_MAX && limits->high_water <= FILCH_STREAM_LIMIT_MAX &&
                limits->low_water <= limits->high_water;
    return good ? 0 : -EINVAL;
}

static void set_limits(filch_stream *stream, const filch_stream_options *limits) {
    store_relaxed(&stream->read_limit, limits->read_limit); /* any mixture of old and new will do */
    store_relaxed(&stream->high_water, limits->high_water);
    store_relaxed(&stream->low_water, limits->low_water);
}

int filch_stream_set_limits(filch_stream *stream, const filch_stream_options *options) {
    if (stream == NULL || options == NULL) return -EINVAL;
    filch_stream_options limits = *options, before = {
                                                .read_limit = load_relaxed(&stream->read_limit),
                                                .high_water = load_relaxed(&stream->high_water),
                                                .low_water = load_relaxed(&stream->low_water),
                                            };
    int error = choose_limits(&limits, &before);
    if (error == 0) set_limits(stream, &limits);
    return error;
}

/* ------------------------------------------------------------------------------------------------------------ begin */

static bool is_transport(filch_transport transport) {
    const filch_transport_ops *ops = transport.ops;
    return ops != NULL && ops->read != NULL && ops->write != NULL && ops->close != NULL;
}

int filch_stream_create(filch_stream **stream, filch_transport transport, const filch_stream_options *options) {
    if (stream == NULL || !is_transport(transport)) return -EINVAL;
    filch_stream_options limits = options != NULL ? *options : (filch_stream_options){0};
    filch_stream_options defaults = {.read_limit = LIMIT_DEFAULT, .high_water = LIMIT_DEFAULT};
    defaults.low_water = (limits.high_water != 0 ? limits.high_water : LIMIT_DEFAULT) / 4;
    int error = choose_limits(&limits, &defaults);
    if (error != 0) return error;
    struct filch_stream *made = filch__heap_get(sizeof *made, CACHE_LINE);
    if (made == NULL) return -ENOMEM;
    made->transport = transport;
    filch_mutex_init(&made->writing);
    set_limits(made, &limits);
    *stream = made;
    return 0;
}

/* -------------------------------------------------------------------------------------------------------------- end */

/* Closes the transport, once; false: somebody else did, or it was taken away. */
static bool end(filch_stream *stream) {
    uint32_t open = STREAM_OPEN;
    if (!cas_acq_rel(&stream->state, &open, STREAM_CLOSED)) return false; /* OPEN */
    stream->transport.ops->close(stream->transport.self);
    return true;
}

void filch_stream_abort(filch_stream *stream) {
    if (stream != NULL) end(stream);
}

int filch_stream_close(filch_stream *stream, filch_deadline deadline) {
    int error = filch__stream_usable(stream);
    if (error != 0) return error;
    error = filch_stream_drain(stream, deadline);
    bool was_open = end(stream);
    if (error != 0 && !filch__stream_pending(stream)) error = 0; /* cut short, but there was nothing to send */
    return was_open ? error : -EBADF;
}

void filch_stream_destroy(filch_stream *stream) {
    if (stream == NULL) return;
    if (unlikely(load_relaxed(&stream->reading))) {
        filch__die("stream %p is destroyed while somebody reads it, by task \"%s\"", (void *)stream, caller_name());
    }
    filch_mutex_fini(&stream->writing);
    end(stream);
    const filch_transport_ops *ops = stream->transport.ops;
    if (load_acquire(&stream->state) == STREAM_CLOSED && ops->destroy != NULL) ops->destroy(stream->transport.self);
    filch__buffer_clear(&stream->in);
    filch__buffer_clear(&stream->out);
    filch__heap_put(stream, sizeof *stream, CACHE_LINE);
}

/* --------------------------------------------------------------------------------------------------- detach, attach */

/* With both sides. */
static ssize_t take_apart(filch_stream *stream, filch_transport *transport, void *left, size_t size) {
    if (filch__stream_pending(stream)) return -EBUSY;
    if (stream->in.length > size) return -ENOBUFS;
    uint32_t open = STREAM_OPEN;
    if (!cas_acq_rel(&stream->state, &open, STREAM_DETACHED)) return -EBADF;
    *transport = stream->transport;
    size_t count = filch__buffer_take(&stream->in, left, size);
    stream->ended = false;
    stream->shut = false;
    store_relaxed(&stream->held, false); /* nobody else is in a call */
    return (ssize_t)count;
}

ssize_t filch_stream_detach(filch_stream *stream, filch_transport *transport, void *left, size_t size) {
    if (transport == NULL || (left == NULL && size > 0)) return -EINVAL;
    ssize_t answer = filch__stream_usable(stream);
    if (answer != 0) return answer;
    if (exchange_acquire(&stream->reading, true)) return -EBUSY;
    answer = filch__stream_try_begin_write(stream);
    if (answer == 0) {
        answer = take_apart(stream, transport, left, size);
        filch__stream_end_write(stream);
    }
    store_release(&stream->reading, false);
    return answer;
}

int filch_stream_attach(filch_stream *stream, filch_transport transport) {
    if (stream == NULL || !is_transport(transport)) return -EINVAL;
    uint32_t state = load_acquire(&stream->state);
    if (state != STREAM_DETACHED) return state == STREAM_OPEN ? -EBUSY : -EBADF;
    stream->transport = transport;
    store_release(&stream->state, STREAM_OPEN); /* OPEN */
    return 0;
}

/* ------------------------------------------------------------------------------------------------------------ other */

int filch_stream_address(filch_stream *stream, bool peer, filch_address *address) {
    if (address == NULL) return -EINVAL;
    int error = filch__stream_usable(stream);
    if (error != 0) return error;
    const filch_transport_ops *ops = stream->transport.ops;
    return ops->address != NULL ? ops->address(stream->transport.self, peer, address) : -EOPNOTSUPP;
}

filch_transport filch_stream_transport(const filch_stream *stream) {
    return filch__stream_usable(stream) == 0 ? stream->transport : (filch_transport){0};
}
