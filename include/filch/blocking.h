/* SPDX-License-Identifier: MIT */
/*
 * Calls that block in the kernel: a file that is read, a library that waits by its own means, a look-up of a name.
 *
 * A task that makes such a call stands on its worker. filch_blocking makes it on a helper thread instead, and the task
 * waits as for anything else. filch_block_begin and filch_block_end say that the task will block where it stands, so that
 * others serve its worker's queues meanwhile. Where neither is used, the runtime's monitor finds the worker standing
 * still, after some milliseconds, and does the same (docs/BLOCKING.md).
 */
#ifndef FILCH_BLOCKING_H
#define FILCH_BLOCKING_H

#include <filch/base.h>
#include <filch/time.h>

FILCH_BEGIN_DECLS

/*
 * Makes the call `fn(arg)` on a helper thread of the caller's runtime, and waits for its end.
 *
 * If a helper is idle, or another may be started (`blocking_threads` in filch_options says how many), the call begins at
 * once, whatever the deadline. Else it waits for a helper, in the order that the callers came; if the deadline or a
 * cancellation comes before its turn, it never begins. Once it has begun it cannot be cut short, and neither can this
 * wait, since `arg` may stand on the caller's stack: deadline and cancellation are not looked at any more.
 *
 * In `fn` the caller is no task: filch_self() is NULL, calls that wait block the helper, and what the task has in its
 * locals is not to be had. Helpers that have been idle for 3 s end. From a thread that is no worker, `fn` is called in
 * place.
 *
 * Returns  0            the call has ended; what it returned is in `*result`, unless that is NULL
 *          -ETIMEDOUT   `deadline` passed first; the call was not made
 *          -ECANCELED   the task was cancelled first; the call was not made
 *          -EAGAIN      the system gives no thread, and there is no helper that could be waited for; it was not made
 *          -EINVAL      `fn` is NULL
 *          Except on 0, `*result` is not written
 * Call     from a task or from any thread
 * Waits    yes; a task may continue on another worker
 * Orders   what the caller did before, before the call; all that the call did, before what follows
 * Keeps    `arg` until it returns
 */
FILCH_API FILCH_CHECK int filch_blocking(filch_fn *fn, void *arg, int *result, filch_deadline deadline);

/*
 * Between these two, the caller may block in the kernel: others serve its worker's queues from the first one on. What it
 * does in between costs no more than a thread of its own would.
 *
 *     filch_block_begin();
 *     ssize_t length = read(fd, buffer, size);
 *     int error = errno;                      no waiting call in between, hence the same thread: errno may be read here
 *     filch_block_end();
 *
 * The pair is of one strand, in one function or nested: the outermost pair counts. In between the strand must make no
 * call that waits: where such a call has to wait, or gives way to others, the process is aborted with a line that says
 * so. Calls that do not wait (spawn, setting an event, closing a channel) are allowed; so are forks, but no joins. An end
 * without a begin, and a task that ends in between, abort as well.
 *
 * Cheap where another worker is idle (some 100 ns), and a wake-up of a thread where not. For what blocks for less than
 * about 10 us they do not pay.
 *
 * Call     from a task; on other threads they do nothing
 * Waits    no
 */
FILCH_API void filch_block_begin(void);
FILCH_API void filch_block_end(void);

FILCH_END_DECLS

#endif
