/* SPDX-License-Identifier: MIT */
/*
 * Channels: values of one size, passed from any number of senders to any number of receivers, in order.
 *
 * Without a buffer (capacity 0) a send ends when a receiver has the value, and a receive takes it from a sender. With
 * one, a send ends when the value is inside, and waits only while `capacity` values are. Values are copied; where they
 * are large, send pointers. A value size of 0 makes a channel of bare signals, whose values may be NULL.
 *
 * Senders are served in the order they came, and so are receivers. What one sender sends is received in the order in
 * which it was sent. A call that has answered 0 has moved its value, exactly once; one that has not has moved nothing.
 */
#ifndef FILCH_CHAN_H
#define FILCH_CHAN_H

#include <filch/base.h>
#include <filch/time.h>

FILCH_BEGIN_DECLS

typedef struct filch_chan filch_chan;

/* The most values that a channel can be made to hold. */
#define FILCH_CHAN_CAPACITY_MAX ((size_t)1 << 31)

/*
 * Makes a channel of values of `value_size` bytes that holds up to `capacity` of them. Except on 0, `*chan` is not
 * written.
 *
 * Returns  0         `*chan` is the channel, for filch_chan_destroy
 *          -EINVAL   `chan` is NULL, or `capacity` is above FILCH_CHAN_CAPACITY_MAX
 *          -ENOMEM   no memory
 * Call     from a task or from any thread
 * Waits    no
 */
FILCH_API FILCH_CHECK int filch_chan_create(filch_chan **chan, size_t value_size, size_t capacity);

/*
 * Frees `chan` and what is still inside; NULL is nothing. It need not be closed before. Nobody may be in a call on it,
 * so await the tasks that use it first; where somebody waits at it, the process is aborted.
 * Call     from a task or from any thread
 * Waits    no
 */
FILCH_API void filch_chan_destroy(filch_chan *chan);

/*
 * Sends `*value`, waiting while the channel is full, or without a buffer, until a receiver takes it.
 *
 * Senders are served in the order they came. Except on 0, nothing was sent: also where the channel is closed while this
 * waits.
 *
 * Returns  0            the value was sent
 *          -EPIPE       the channel is closed
 *          -ETIMEDOUT   `deadline` passed first
 *          -ECANCELED   the scope was cancelled first
 *          -EINVAL      `chan` is NULL, or `value` is, and values have a size
 * Call     from a task or from any thread
 * Waits    yes; a task may continue on another worker. A task that never has to wait gives way now and then
 * Orders   what the caller did before, before what follows the receive
 * Keeps    `value` until it returns; then nothing: the value is copied
 */
FILCH_API FILCH_CHECK int filch_chan_send(filch_chan *chan, const void *value, filch_deadline deadline);

/*
 * Receives the oldest value of `chan` into `*value`, waiting for one if there is none.
 *
 * Receivers are served in the order they came. After filch_chan_close the values already inside are still
 * delivered, and then the answer is -EPIPE. Except on 0, `*value` is not written and nothing leaves the channel.
 *
 * Returns  0            a value was received
 *          -EPIPE       closed, and empty
 *          -ETIMEDOUT   `deadline` passed first
 *          -ECANCELED   the scope was cancelled first
 *          -EINVAL      `chan` is NULL, or `value` is, and values have a size
 * Call     from a task or from any thread
 * Waits    yes; a task may continue on another worker. A task that never has to wait gives way now and then
 * Orders   what the sender did before its send, before what follows this call
 * Keeps    nothing: the value is copied
 */
FILCH_API FILCH_CHECK int filch_chan_recv(filch_chan *chan, void *value, filch_deadline deadline);

/*
 * Sends `*value` if that is possible at once: there is room, or a receiver waits. Otherwise as filch_chan_send; does
 * not look whether the scope is cancelled.
 *
 * Returns  0, -EPIPE or -EINVAL, as filch_chan_send
 *          -EAGAIN      it would have had to wait
 * Call     from a task or from any thread
 * Waits    no
 */
FILCH_API FILCH_CHECK int filch_chan_try_send(filch_chan *chan, const void *value);

/*
 * Receives a value if there is one, or a sender waits. Otherwise as filch_chan_recv; does not look whether the scope is
 * cancelled.
 *
 * Returns  0, -EPIPE or -EINVAL, as filch_chan_recv
 *          -EAGAIN      it would have had to wait
 * Call     from a task or from any thread
 * Waits    no
 */
FILCH_API FILCH_CHECK int filch_chan_try_recv(filch_chan *chan, void *value);

/*
 * Sends the `count` values that stand one after the other at `values`, waiting as often as needed. Other senders'
 * values may come to stand between those that could be sent at once and the rest, but not within the rest.
 *
 * When it is cut short, the first so many values have been sent, and the others have not.
 *
 * Returns  `count`      all were sent
 *          from 1 to `count` - 1   so many were sent; then the channel was closed, the deadline passed, or the scope
 *                       was cancelled: the next call says which
 *          0            `count` is 0
 *          -EPIPE, -ETIMEDOUT, -ECANCELED   none was sent, for the reason that filch_chan_send gives
 *          -EINVAL      `chan` is NULL, or `values` is, and values have a size; or `count` is above INT64_MAX
 * Call     from a task or from any thread
 * Waits    yes; a task may continue on another worker
 * Orders   as filch_chan_send
 * Keeps    `values` until it returns
 */
FILCH_API FILCH_CHECK int64_t filch_chan_send_many(filch_chan *chan, const void *values, size_t count,
                                                   filch_deadline deadline);

/*
 * Receives up to `count` values into `values`, one after the other: waits until there is one, and takes as many as
 * there are then.
 *
 * Returns  from 1 to `count`   so many were received
 *          0            `count` is 0
 *          -EPIPE, -ETIMEDOUT, -ECANCELED   none was received, for the reason that filch_chan_recv gives
 *          -EINVAL      `chan` is NULL, or `values` is, and values have a size; or `count` is above INT64_MAX
 * Call     from a task or from any thread
 * Waits    yes; a task may continue on another worker
 * Orders   as filch_chan_recv
 * Keeps    `values` until it returns; those beyond what was received are not written
 */
FILCH_API FILCH_CHECK int64_t filch_chan_recv_many(filch_chan *chan, void *values, size_t count,
                                                   filch_deadline deadline);

/*
 * Closes `chan`: every send from now on answers -EPIPE, and so do those that wait; receivers are given what is inside,
 * and then -EPIPE. Once more is nothing.
 *
 * Returns  0
 *          -EINVAL   `chan` is NULL
 * Call     from a task or from any thread
 * Waits    no
 * Orders   what the caller did before, before what follows an -EPIPE
 */
FILCH_API int filch_chan_close(filch_chan *chan);

/* How many values are inside, a moment ago; 0 for NULL. From a task or any thread; does not wait. */
FILCH_API size_t filch_chan_length(const filch_chan *chan);

/* How many values it was made to hold; 0 for NULL. From a task or any thread; does not wait. */
FILCH_API size_t filch_chan_capacity(const filch_chan *chan);

FILCH_END_DECLS

#endif
