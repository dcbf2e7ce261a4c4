/* SPDX-License-Identifier: MIT */
/*
 * Streams: a transport (filch/transport.h) with a buffer for each direction, so that a parser reads ahead and many
 * small writes become few large ones.
 *
 *     filch_stream *stream;
 *     int error = filch_stream_open_fd(&stream, fd, NULL);       from here on the descriptor is the stream's
 *     filch_deadline deadline = filch_after(FILCH_SEC(5));
 *     error = filch_stream_write(stream, "HELO me\r\n", 9, NULL, deadline);
 *     ssize_t length = filch_stream_read_line(stream, line, sizeof line, deadline);      sends what was written, first
 *     error = filch_stream_close(stream, deadline);              sends what is left
 *     filch_stream_destroy(stream);
 *
 * Reading. One task at a time reads; two at once abort. Bytes that a call has not handed out stay buffered, and the
 * next call finds them: nothing is lost to a deadline or a cancellation that does not stand in `*moved`.
 *
 * Writing. Any number of tasks may write; each write's bytes stand together, unless it is cut short. A write is over
 * when the stream has taken its bytes, not when they are sent. What is buffered is sent, in this order of frequency:
 *
 *     by a read of the same stream that has to ask the transport, before it does (request and reply need no drain);
 *     by a write that would leave more than the high-water mark, until at most the low-water mark is left;
 *     by filch_stream_drain, _shutdown and _close, all of it, and by a _send_file of more than a little.
 *
 * So what one task writes while another waits already in a read of the same stream is not sent by that read: who has a
 * reader and a writer apart lets the writer drain when it has no more to write for now. A read never waits for room to
 * send in: where the transport does not take all at once, the rest is sent while the read waits (by a task of its own
 * that ends before the read does; where the reader is a thread and no task, or there is no memory for that task, the
 * rest is sent first).
 *
 * Each byte that a write has taken is sent once, in order, or stays buffered: a call that is cut short while it sends
 * leaves the buffer without the bytes that went. An error of the transport is answered by the call that met it, or,
 * where that was a read that sent on the way, by the next that sends.
 *
 * Errors that every call below may answer, besides its own:
 *
 *     -EBADF       the stream was closed, before the call or while it waited, or its transport was taken away
 *     -ETIMEDOUT   `deadline` passed first; what needs no waiting is done whatever the deadline
 *     -ECANCELED   the scope was cancelled first, also where the call could have gone on at once
 *     -EINVAL      a bad argument: `stream` is NULL, bytes are NULL and their number is not 0
 *     -errno       what the transport answered
 */
#ifndef FILCH_STREAM_H
#define FILCH_STREAM_H

#include <filch/address.h>
#include <filch/base.h>
#include <filch/fd.h>
#include <filch/time.h>
#include <filch/transport.h>
#include <sys/types.h>
#include <sys/uio.h>

FILCH_BEGIN_DECLS

typedef struct filch_stream filch_stream;

/* The most that any limit can be set to. */
#define FILCH_STREAM_LIMIT_MAX ((size_t)1 << 30)

/* How a stream is made. NULL in place of options, and zero in a field, is the default. */
typedef struct filch_stream_options {
    size_t read_limit; /* the most that is read ahead, and that read_until and peek look through; default: 64 KiB */
    size_t high_water; /* a write that would leave more than this unsent sends; default: 64 KiB */
    size_t low_water;  /* until at most this is left; at most `high_water`; default: a quarter of it */
} filch_stream_options;

/* --------------------------------------------------------------------------------------------------- begin and end */

/*
 * Makes a stream over `transport`, which is the stream's from here on. Except on 0 it is still the caller's, and
 * `*stream` is not written. Buffers are small at first, and grow with what passes through.
 *
 * Returns  0         `*stream` is the stream, for filch_stream_destroy
 *          -EINVAL   `stream` is NULL, the transport has no table, or the table lacks read, write or close; a limit is
 *                    above FILCH_STREAM_LIMIT_MAX, or `low_water` is above `high_water`
 *          -ENOMEM   no memory
 * Call     from a task or from any thread
 * Waits    no
 */
FILCH_API FILCH_CHECK int filch_stream_create(filch_stream **stream, filch_transport transport,
                                              const filch_stream_options *options);

/*
 * Makes a stream over a descriptor, which is the stream's from here on: filch_transport_open_fd and
 * filch_stream_create. Except on 0 it is still the caller's, and `*stream` is not written.
 *
 * Returns  0, -EINVAL or -ENOMEM, as filch_stream_create
 *          -EBADF   `fd` is closed, or none
 * Call     from a task or from any thread
 * Waits    no
 */
FILCH_API FILCH_CHECK int filch_stream_open_fd(filch_stream **stream, filch_fd fd, const filch_stream_options *options);

/*
 * Sends what is buffered, within `deadline`, and then closes the transport, whatever came of that: who waits at the
 * stream is told -EBADF, and so is every later call. What was read ahead is dropped.
 *
 * Returns  0            all was sent
 *          -EBADF       it was closed before
 *          -ETIMEDOUT, -ECANCELED, -errno   not all was sent, and the rest is dropped; closed all the same. (Where
 *                       nothing is left to be sent it is 0, also in a cancelled scope)
 *          -EINVAL      `stream` is NULL
 * Call     from a task or from any thread
 * Waits    yes, while there is something to send; a task may continue on another worker
 */
FILCH_API int filch_stream_close(filch_stream *stream, filch_deadline deadline);

/*
 * Closes the transport at once: as filch_stream_close, but what is buffered is dropped. Once more is nothing, and so is
 * NULL. From a task or any thread; does not wait.
 */
FILCH_API void filch_stream_abort(filch_stream *stream);

/*
 * Frees `stream` and its transport, which it closes at once if it is open; NULL is nothing. Nobody may be in a call on
 * it. A stream over a descriptor is to be destroyed before the descriptor's runtime ends. From a task or any thread; does
 * not wait.
 */
FILCH_API void filch_stream_destroy(filch_stream *stream);

/*
 * Takes the transport back out of the stream, to go on with it otherwise (to begin TLS on it: what was read ahead came
 * unprotected). The bytes that were read ahead and not handed out, `size` at most, are copied to `left`. From then on
 * calls on the stream answer -EBADF, until filch_stream_attach; it is still to be destroyed. Except where a count is
 * answered, nothing has changed.
 *
 * Returns  how many bytes stand in `left`
 *          -ENOBUFS   more than `size` were read ahead; filch_stream_peek tells how many
 *          -EBUSY     bytes wait to be sent (drain first), or somebody is in a call on the stream
 * Call     from who reads
 * Waits    no
 */
FILCH_API FILCH_CHECK ssize_t filch_stream_detach(filch_stream *stream, filch_transport *transport, void *left,
                                                  size_t size);

/*
 * Gives a stream whose transport was taken away another one, or the same. Its limits stay. Except on 0 the transport is
 * still the caller's.
 *
 * Returns  0
 *          -EINVAL   as filch_stream_create
 *          -EBUSY    it has a transport
 *          -EBADF    it was closed
 * Call     from who reads, while nobody else is in a call on the stream
 * Waits    no
 */
FILCH_API FILCH_CHECK int filch_stream_attach(filch_stream *stream, filch_transport transport);

/* ----------------------------------------------------------------------------------------------------------- read */

/*
 * Reads up to `size` bytes, waiting until there is at least one, or the end. A large read of which nothing is buffered
 * goes straight to `buffer`. On an error nothing was read.
 *
 * Returns  how many; 0: the end (or `size` is 0)
 * Call     from one task or thread at a time
 * Waits    yes; a task may continue on another worker. A task that never has to wait gives way now and then
 * Keeps    `buffer` until it returns
 */
FILCH_API FILCH_CHECK ssize_t filch_stream_read(filch_stream *stream, void *buffer, size_t size,
                                                filch_deadline deadline);

/*
 * Reads just `size` bytes. `*moved`, unless `moved` is NULL, says how many stand in `buffer`, whatever the answer is:
 * those have been read, and the stream goes on behind them.
 *
 * Returns  0          all of them
 *          -ENODATA   the end came before
 * Call     from one task or thread at a time
 * Waits    yes; a task may continue on another worker
 * Keeps    `buffer` until it returns
 */
FILCH_API FILCH_CHECK int filch_stream_read_exactly(filch_stream *stream, void *buffer, size_t size, size_t *moved,
                                                    filch_deadline deadline);

/*
 * Reads up to and with the first `separator`, `separator_length` bytes of any value and at least one. All or nothing:
 * except where a count above 0 is answered, nothing was consumed, and what has come stays buffered.
 *
 * Returns  how many bytes stand in `buffer`, the separator included
 *          0           the end, and nothing before it
 *          -ENODATA    the end came after some bytes without a separator; filch_stream_read has those
 *          -EMSGSIZE   the first `read_limit` bytes hold no separator
 *          -ENOBUFS    the first `size` bytes hold none, and `size` is less than `read_limit`
 *          -ENOMEM     no memory for what is read ahead
 * Call     from one task or thread at a time
 * Waits    yes; a task may continue on another worker
 * Keeps    `buffer` and `separator` until it returns
 */
FILCH_API FILCH_CHECK ssize_t filch_stream_read_until(filch_stream *stream, const void *separator,
                                                      size_t separator_length, void *buffer, size_t size,
                                                      filch_deadline deadline);

/*
 * Reads a line of text: as filch_stream_read_until with "\n", but `line` is given it without its "\n" or "\r\n", and
 * with a zero in that place. What is answered counts the line's end in, so that an empty line is 1 or 2. (A line may
 * hold zeros: who must know compares with strlen.)
 */
FILCH_API FILCH_CHECK ssize_t filch_stream_read_line(filch_stream *stream, char *line, size_t size,
                                                     filch_deadline deadline);

/*
 * Shows what is read ahead, without copying or consuming it: waits until there are at least `at_least` bytes, or the
 * end, and points `*bytes` at them. They stay there until the next call that reads, skips, peeks or closes. With 0 it
 * does not wait, and shows what there is. A parser that needs more than it was shown asks for one more.
 *
 * Returns  how many bytes are shown; fewer than `at_least`: the end comes after them
 *          -EMSGSIZE   `at_least` is above `read_limit`
 *          -ENOMEM     no memory for what is read ahead
 * Call     from one task or thread at a time
 * Waits    yes; a task may continue on another worker
 */
FILCH_API FILCH_CHECK ssize_t filch_stream_peek(filch_stream *stream, size_t at_least, const void **bytes,
                                                filch_deadline deadline);

/*
 * Consumes the first `count` of the bytes that filch_stream_peek has shown. 0, or -EINVAL: there are not so many, and
 * nothing was consumed; or -EBADF. From who reads; does not wait.
 */
FILCH_API int filch_stream_skip(filch_stream *stream, size_t count);

/*
 * Whether all has been read and the end was met (a read would answer 0); false for NULL. From who reads; does not
 * wait.
 */
FILCH_API bool filch_stream_at_end(const filch_stream *stream);

/* ---------------------------------------------------------------------------------------------------------- write */

/*
 * Writes `size` bytes: the stream takes all of them, to send them later, or now where more than `high_water` would be
 * unsent. Then it waits until at most `low_water` is; bytes that are sent at once are not copied. `*moved`, unless
 * `moved` is NULL, says how many of the bytes were taken, whatever the answer is: those are sent or will be, and the
 * others were not taken. Where there is no memory to buffer in, all is sent at once.
 *
 * Returns  0        all were taken
 *          -EPIPE   the stream was shut down for writing; or the transport's: nobody will read
 * Call     from a task or from any thread
 * Waits    yes; a task may continue on another worker
 * Keeps    `bytes` until it returns
 */
FILCH_API FILCH_CHECK int filch_stream_write(filch_stream *stream, const void *bytes, size_t size, size_t *moved,
                                             filch_deadline deadline);

/*
 * The same with the bytes of `count` parts, one after the other.
 *
 * Returns  0, -EPIPE, as filch_stream_write
 *          -EINVAL   `count` is negative, a part is NULL with a length, or all are longer than SSIZE_MAX
 */
FILCH_API FILCH_CHECK int filch_stream_writev(filch_stream *stream, const struct iovec *parts, int count, size_t *moved,
                                              filch_deadline deadline);

/*
 * Sends all that is buffered: waits until the transport has taken it. Where that is cut short, what was not sent stays
 * buffered.
 *
 * Returns  0   all is sent that was taken before the call
 * Call     from a task or from any thread
 * Waits    yes; a task may continue on another worker
 */
FILCH_API FILCH_CHECK int filch_stream_drain(filch_stream *stream, filch_deadline deadline);

/* How many bytes were taken and are not sent, a moment ago; 0 for NULL. From a task or any thread; does not wait. */
FILCH_API size_t filch_stream_unsent(const filch_stream *stream);

/*
 * Sends all that is buffered, and then says to the other side that no more will come: it reads the end. Reading goes
 * on. Later writes answer -EPIPE. Once more is nothing. Except on 0 the stream is not shut down, and what was not sent
 * stays buffered.
 *
 * Returns  0
 *          -EOPNOTSUPP   the transport cannot
 * Call     from a task or from any thread
 * Waits    yes; a task may continue on another worker
 */
FILCH_API FILCH_CHECK int filch_stream_shutdown(filch_stream *stream, filch_deadline deadline);

/*
 * Sends `count` bytes of descriptor `file`, a regular file, from `offset` on, behind what is buffered: by sendfile(2)
 * where bytes written to the transport's descriptor are as good as written to it, else through the buffer. A piece of
 * 16 KiB or less is always put into the buffer, and sent like a write's. The file's position does not move. What is
 * not in memory is read from the disk on the caller's thread. `*moved` as in filch_stream_write.
 *
 * Returns  0          all of them
 *          -ENODATA   the file ended before
 *          -EBADF     also: `file` is no open descriptor
 *          -EPIPE     as filch_stream_write
 *          -EINVAL    `offset` is negative, or offset and count are too large together
 *          -ENOMEM    no memory for the buffer
 * Call     from a task or from any thread
 * Waits    yes; a task may continue on another worker
 */
FILCH_API FILCH_CHECK int filch_stream_send_file(filch_stream *stream, int file, int64_t offset, size_t count,
                                                 size_t *moved, filch_deadline deadline);

/* ----------------------------------------------------------------------------------------------------------- other */

/*
 * Sets the limits anew; a field that is zero stays as it is. What is buffered beyond a lower limit stays.
 *
 * Returns  0, or -EINVAL: a limit is too high, `low_water` would be above `high_water`, or an argument is NULL
 * Call     from a task or from any thread, one at a time
 * Waits    no
 */
FILCH_API FILCH_CHECK int filch_stream_set_limits(filch_stream *stream, const filch_stream_options *options);

/*
 * The address of the other side (`peer`), or this side's own. Except on 0, `*address` is not written.
 *
 * Returns  0
 *          -EOPNOTSUPP   the transport has none
 * Call     from a task or from any thread
 * Waits    no
 */
FILCH_API FILCH_CHECK int filch_stream_address(filch_stream *stream, bool peer, filch_address *address);

/*
 * The transport below, which stays the stream's: to look at (`ops->kind`, a session's certificate). A transport without
 * a table where the stream has none. From a task or any thread; does not wait.
 */
FILCH_API filch_transport filch_stream_transport(const filch_stream *stream);

FILCH_END_DECLS

#endif
