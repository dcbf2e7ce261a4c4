/* SPDX-License-Identifier: MIT */
/*
 * Pairs: two transports in memory, each the other's other side, like the two ends of socketpair(2) but without the
 * kernel: to speak to a part of the program through the streams that it was written for, and for tests.
 *
 *     filch_transport ends[2];
 *     int error = filch_pair_create(ends, 65536);
 *     error = filch_stream_create(&client, ends[0], NULL);        from here on the end is the stream's
 *     error = filch_stream_create(&server, ends[1], NULL);
 *
 * What is written to one end is read from the other, in order, byte by byte. Each direction holds so many bytes that
 * were not read yet; who writes more waits. An end keeps to the rules of filch/transport.h:
 *
 *   - One task (or thread) at a time reads from an end, and one writes; two at once abort.
 *   - After the shutdown of an end, or its close, the other end reads what is inside and then the end of it.
 *   - After the close of an end, the other end's writes answer -EPIPE, those that wait included; what it has written
 *     before and was not read is dropped. Its own calls answer -EBADF.
 *   - After the shutdown of an end its own writes answer -EPIPE.
 *   - On an error, a deadline or a cancellation nothing was moved.
 *
 * The memory goes when both ends have been destroyed.
 */
#ifndef FILCH_PAIR_H
#define FILCH_PAIR_H

#include <filch/base.h>
#include <filch/transport.h>

FILCH_BEGIN_DECLS

/* The most bytes that a direction can be made to hold. */
#define FILCH_PAIR_CAPACITY_MAX ((size_t)1 << 30)

/*
 * Makes a pair whose directions hold `capacity` bytes each. Each end is to be closed and destroyed by its table, mostly
 * by the stream that takes it over. Except on 0, `ends` is not written.
 *
 * Returns  0
 *          -EINVAL   `ends` is NULL, or `capacity` is 0 or above FILCH_PAIR_CAPACITY_MAX
 *          -ENOMEM   no memory
 * Call     from a task or from any thread
 * Waits    no
 */
FILCH_API FILCH_CHECK int filch_pair_create(filch_transport ends[2], size_t capacity);

FILCH_END_DECLS

#endif
