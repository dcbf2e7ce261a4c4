/* SPDX-License-Identifier: MIT */
/*
 * Signals, to be waited for.
 *
 *     filch_signals *stop;
 *     int error = filch_signal_open(&stop, (int[]){SIGINT, SIGTERM}, 2, NULL);
 *     filch_signal_info info;
 *     error = filch_signal_wait(stop, &info, FILCH_NEVER);
 *     filch_signal_close(stop);
 *
 * Each handle gets every signal of its own that arrives from its opening on, however many handles there are, in this
 * runtime or in others. Of several who wait at one handle each signal goes to one. The system itself merges signals of one
 * kind that come while one is on its way; none is lost between the library and whoever waits: `count` says how many came.
 *
 * From the first handle for a signal on, the library's handler is in the place of what the program had (its default effect,
 * being ignored, or a handler of its own, which is not called meanwhile), for all threads; after the last handle is closed
 * what was there before is back. The handler runs on the thread's signal stack if it has one, and system calls that it
 * interrupts are made anew. A signal that all threads of the program block does not arrive. A process that is started
 * (filch/process.h) gets the default effect. SIGKILL, SIGSTOP, SIGURG, and those by which a thread is told of its own
 * failure (SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT) cannot be waited for.
 *
 * Ctrl-C: `interrupt` in filch_options has the first SIGINT cancel all tasks of a runtime. That and handles for SIGINT each
 * get it.
 */
#ifndef FILCH_SIGNAL_H
#define FILCH_SIGNAL_H

#include <filch/base.h>
#include <filch/fd.h>
#include <filch/time.h>
#include <signal.h>
#include <sys/types.h>

FILCH_BEGIN_DECLS

typedef struct filch_signals filch_signals;

/* What has arrived. */
typedef struct filch_signal_info {
    int number;
    uint32_t count; /* how many since this handle last told of it; at least 1 */
    pid_t sender;   /* of the last one: a process; 0: the system, as for Ctrl-C */
} filch_signal_info;

#define FILCH_SIGNALS_MAX 64

/*
 * Begins to get `count` kinds of signals, `numbers`. Except on 0, `*signals` is not written and nothing has changed.
 *
 * Returns  0
 *          -EINVAL      a number that cannot be waited for, or that stands there twice; none, or more than
 *                       FILCH_SIGNALS_MAX
 *          -ENOMEM      no memory
 *          -EMFILE      no descriptor is left: each handle has one, and one is kept for good from the first handle on
 *          -EPERM       the caller is no task, and the options name no runtime
 *          -ESHUTDOWN   the runtime is one of the process that this one was forked from
 * Call     from a task, or from any thread that names a runtime
 * Waits    no
 */
FILCH_API FILCH_CHECK int filch_signal_open(filch_signals **signals, const int *numbers, size_t count,
                                            const filch_fd_options *options);

/*
 * Waits for a signal, or takes one that has arrived already; kinds take turns, in no order. Except on 0, `*info` is not
 * written, and no signal is lost.
 *
 * Returns  0
 *          -EINVAL      `signals` or `info` is NULL
 *          -ETIMEDOUT   `deadline` passed first
 *          -ECANCELED   the scope was cancelled first
 * Call     from a task or from any thread
 * Waits    yes; a task may continue on another worker
 */
FILCH_API FILCH_CHECK int filch_signal_wait(filch_signals *signals, filch_signal_info *info, filch_deadline deadline);

/*
 * Gets no more of them. Nobody may wait at the handle (that aborts) or use it any more. NULL is nothing. From a task or
 * from any thread; does not wait. A handle that is left is closed when its runtime ends, and may not be used after that.
 */
FILCH_API void filch_signal_close(filch_signals *signals);

FILCH_END_DECLS

#endif
