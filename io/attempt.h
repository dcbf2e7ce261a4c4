/* SPDX-License-Identifier: MIT */
/* System calls on descriptors for which filch/fd.h has no function: tried at once, and again when there is an event. */
#ifndef FILCH_IO_ATTEMPT_H
#define FILCH_IO_ATTEMPT_H

#include <filch/fd.h>

#include "io/record.h"

/*
 * One system call on descriptor `number`: what it answered, or -errno, but never -EINTR. It does not block. It is by a
 * function that is never inlined, as those of io/system.h, that errno is read.
 */
typedef ssize_t filch__attempt_fn(int number, void *arg);

/*
 * Makes the call `fn(number, arg)` until it answers other than -EAGAIN, waiting for the direction in between; the
 * descriptor's number is nobody else's meanwhile. Answers what it did, or as the waiting calls of filch/fd.h.
 */
ssize_t filch__attempt(filch_fd fd, enum filch__direction direction, filch__attempt_fn *fn, void *arg,
                       filch_deadline deadline);

/*
 * The same of a call that accepts. What cannot listen answers so, and never becomes readable by a connection: who waited for
 * that first would wait for ever, where others have read it empty before. So it is made at once until it has been answered
 * -EAGAIN one time, by which the kernel says that it listens; from then on only where something is to be had.
 */
ssize_t filch__attempt_accept(filch_fd fd, filch__attempt_fn *fn, void *arg, filch_deadline deadline);

/* Makes it once, whatever it answers, and whether the caller is cancelled or not. */
ssize_t filch__attempt_once(filch_fd fd, filch__attempt_fn *fn, void *arg);

/*
 * For what the kernel gives no sign of: sleeps for `*pause_ns`, but not beyond `deadline`, and doubles it up to `max_ns`.
 * 0; -ETIMEDOUT: the deadline has passed, and it has not slept; or -ECANCELED.
 */
int filch__pause(int64_t *pause_ns, int64_t max_ns, filch_deadline deadline);

#endif
