/* SPDX-License-Identifier: MIT */
/*
 * A runtime: some worker threads and the tasks they run. A process may have several; they share nothing.
 * Most programs have one and never name it: filch_run makes it, runs the main task in it, and ends it.
 */
#ifndef FILCH_RUNTIME_H
#define FILCH_RUNTIME_H

#include <filch/base.h>
#include <filch/task.h>
#include <filch/time.h>

FILCH_BEGIN_DECLS

typedef struct filch_runtime filch_runtime;

/* How a runtime is made. NULL in place of options, and zero in a field, is the default. */
typedef struct filch_options {
    const char *name;  /* for reports and thread names; copied; default "filch" */
    unsigned workers;  /* 1 to FILCH_WORKERS_MAX; default: what affinity mask and cgroup quota let the process use */
    size_t stack_size; /* bytes, of tasks that ask for none; 16 KiB to 1 GiB, rounded up; default 64 KiB */
    uint64_t seed;     /* of the scheduler's random choices; default: drawn anew for each runtime */
} filch_options;

#define FILCH_WORKERS_MAX 1024u

/*
 * Makes a runtime, runs `fn(arg)` in it as its main task, waits until that and every task spawned meanwhile has
 * ended, and ends the runtime.
 *
 * Returns  the result of fn
 *          -EINVAL   `fn` is NULL, or a field of `options` is out of its range; nothing was run
 *          -ENOMEM   no memory; nothing was run
 *          -EAGAIN   the system gave no thread; nothing was run
 *          (a result of fn may look the same: let `arg` say whether it ran, where that matters)
 * Call     from any thread that is not a worker of a runtime (from a task: -EDEADLK)
 * Waits    yes: the calling thread blocks
 */
FILCH_API int filch_run(filch_fn *fn, void *arg, const filch_options *options);

/*
 * Makes a runtime and starts its workers, which sleep until there is a task. Except on 0, `*runtime` is not written.
 *
 * Returns  0, -EINVAL, -ENOMEM or -EAGAIN, as filch_run
 * Call     from any thread
 * Waits    no
 */
FILCH_API FILCH_CHECK int filch_runtime_create(filch_runtime **runtime, const filch_options *options);

/*
 * Starts `fn(arg)` as a task of `runtime`. As filch_spawn, but from any thread.
 *
 * Returns  0           `*task` holds the handle; with `task` NULL the task is detached
 *          -EINVAL     `runtime` or `fn` is NULL, or an option is out of range
 *          -ENOMEM     no memory
 *          -ESHUTDOWN  the runtime has been shut down, and the caller is not one of its tasks
 * Call     from a task or from any thread
 * Waits    no
 * Orders   what the caller did before, before the task
 */
FILCH_API FILCH_CHECK int filch_runtime_spawn(filch_runtime *runtime, filch_task **task, filch_fn *fn, void *arg,
                                              const filch_task_options *options);

/*
 * Refuses tasks from outside from now on, and waits until every task has ended. May be called again, and by several
 * threads; a runtime that is shut down stays so. Handles of ended tasks can still be awaited.
 *
 * Returns  0            no task is left
 *          -ETIMEDOUT   `deadline` passed first; the tasks that are left go on. filch_runtime_report tells which
 *          -EDEADLK     called by a task of this runtime, which would wait for itself
 *          -EINVAL      `runtime` is NULL
 * Call     from a task of another runtime, or from any thread that is not a worker of this one
 * Waits    yes
 */
FILCH_API FILCH_CHECK int filch_runtime_shutdown(filch_runtime *runtime, filch_deadline deadline);

/*
 * Shuts `runtime` down without a deadline, ends its workers and frees everything. NULL is nothing. Nobody may use the
 * runtime or a handle of one of its tasks afterwards; a filch_await with a deadline must have returned before.
 *
 * Returns  0, or -EDEADLK as above, and then nothing was done
 * Call     from any thread that is not a worker of this runtime, once
 * Waits    yes
 */
FILCH_API int filch_runtime_destroy(filch_runtime *runtime);

/* The runtime that the caller is a task of, or NULL. From any thread; does not wait. */
FILCH_API filch_runtime *filch_runtime_current(void);

/* How many workers `runtime` has; 0 for NULL. From any thread; does not wait. */
FILCH_API unsigned filch_runtime_workers(const filch_runtime *runtime);

/*
 * Writes a line for each task that has not ended to file descriptor `fd`: its name, whether it has begun, and where it
 * was spawned (as "program(+0x1234)", which addr2line(1) understands).
 *
 * Returns  how many tasks there were
 *          -EINVAL   `runtime` is NULL
 *          -errno    write(2) failed
 * Call     from any thread or task; tasks that start or end meanwhile may be missed
 * Waits    only as write(2) does
 */
FILCH_API int filch_runtime_report(filch_runtime *runtime, int fd);

FILCH_END_DECLS

#endif
