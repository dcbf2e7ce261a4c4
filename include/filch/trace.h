/* SPDX-License-Identifier: MIT */
/*
 * A trace: what each worker did when, as a picture. Perfetto (https://ui.perfetto.dev) and chrome://tracing show it.
 *
 *     FILCH_TRACE=trace.json ./program                     any program, as it is, from its first runtime's start to its end
 *     FILCH_TRACE=trace-%p.json,events=100000 ./program
 *
 *     filch_trace_start(runtime, NULL);                    from within, for as long as it is of interest
 *     ...
 *     filch_trace_mark("cache is warm");
 *     ...
 *     filch_trace_stop(runtime);
 *     int count = filch_trace_save(runtime, "trace.json");
 *
 * Each worker has a ring of the events that have happened on it: a task is spawned, begins, waits (for what), is woken (by
 * whom), goes on, ends; it is stolen; descriptors were polled; a worker goes to sleep; a call blocks in place; a mark of
 * the program's. An event takes 32 bytes and some ten nanoseconds. When a ring is full, the oldest are overwritten, and
 * counted. Calls that were forked and not stolen leave no events, so that fork and join cost what they always cost. While
 * nothing is traced, a spawn, a wait, a wake and a task's begin and end each test one word.
 *
 * In the picture each worker is a row of slices, one for each time that a task ran; arrows lead from the spawn to the begin,
 * and from who woke a task to where it went on. Threads that are no workers have rows where they have woken or spawned.
 *
 * FILCH_TRACE=PATH[,events=N]: the file is written when a runtime has ended, when the process exits, and when it is killed
 * by a signal that means a bug (SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT), before what handled that before. It is not when
 * the process ends by _exit or by another signal (SIGTERM, SIGINT): an earlier run's file stays then. In PATH, %p
 * stands for the number of the process, and %n for that of the runtime, from 1; where it is not there, the last runtime's
 * file stays. Programs that this one starts see the variable too.
 *
 * In a simulation the trace goes by the simulated clock, and tells nothing that differs between two runs of a seed.
 */
#ifndef FILCH_TRACE_H
#define FILCH_TRACE_H

#include <filch/base.h>
#include <filch/runtime.h>

FILCH_BEGIN_DECLS

#define FILCH_TRACE_EVENTS_MAX (1u << 24)

/* How a trace is made. NULL in place of options, and zero in a field, is the default. */
typedef struct filch_trace_options {
    unsigned events; /* that a worker's ring holds, rounded up to a power of two, at least 64; default 16,384 */
} filch_trace_options;

/*
 * Begins to trace `runtime`, anew if it was traced before. The rings are made the first time and stay as long as the
 * runtime; with other `events` than the first time, the answer is -EINVAL.
 *
 * Returns  0            it is traced
 *          -EINVAL      `runtime` is NULL, or an option is out of range
 *          -EALREADY    it is traced already
 *          -ENOMEM      no memory for the rings
 *          -ESHUTDOWN   the runtime is one of the process that this one was forked from
 * Call     from any thread or task
 * Waits    no
 * Orders   nothing
 * Keeps    nothing
 */
FILCH_API FILCH_CHECK int filch_trace_start(filch_runtime *runtime, const filch_trace_options *options);

/*
 * Ends what filch_trace_start has begun. What was traced is kept, for filch_trace_dump. Events that happen just now on
 * other workers may still come in.
 *
 * Returns  0            it is not traced any more
 *          -EINVAL      `runtime` is NULL
 *          -EALREADY    it is not traced
 *          -ESHUTDOWN   as above
 * Call, Waits, Orders, Keeps  as filch_trace_start
 */
FILCH_API int filch_trace_stop(filch_runtime *runtime);

/*
 * Writes what was traced so far to file descriptor `fd`, as JSON; whether it is still traced or not, and while it runs.
 * Nothing stops meanwhile: what is overwritten before it was copied is missing, and counted as lost.
 *
 * Returns  how many events there were (INT_MAX: as many, or more)
 *          -EINVAL      `runtime` is NULL
 *          -ENODATA     it was never traced
 *          -ENOMEM      no memory (of mmap(2)) to put them in order in
 *          -ESHUTDOWN   as above
 *          -errno       write(2) failed
 * Call     from any thread or task; not from a signal handler
 * Waits    no, but writes with write(2): its thread stands still meanwhile
 * Orders   nothing
 * Keeps    nothing
 */
FILCH_API FILCH_CHECK int filch_trace_dump(filch_runtime *runtime, int fd);

/*
 * As filch_trace_dump, to the file at `path`, which is made, or overwritten.
 *
 * Returns  as filch_trace_dump; -EINVAL also where `path` is NULL; -errno also where open(2) failed
 * Call, Waits, Orders, Keeps  as filch_trace_dump
 */
FILCH_API FILCH_CHECK int filch_trace_save(filch_runtime *runtime, const char *path);

/*
 * An event of the program's own, called `name`, at which 31 bytes are looked: an instant on the worker's row. Nothing where
 * the caller's runtime is not traced, or the caller is no worker, or `name` is NULL. Names are kept for as long as the
 * process lives, and there is room for some 4,000 different ones, those of tasks included: what has none is called "mark".
 *
 * Call     from anywhere
 * Waits    no
 * Orders   nothing
 * Keeps    nothing: the name is copied
 */
FILCH_API void filch_trace_mark(const char *name);

FILCH_END_DECLS

#endif
