/* SPDX-License-Identifier: MIT */
/*
 * Tasks: started by filch_spawn, ended when their function returns, run by whichever worker takes them.
 *
 * A task costs 64 bytes until it waits; a task that waits keeps the stack that it stands on. A handle belongs to
 * whoever spawned the task and is given up exactly once: by a filch_await that returns 0, or by filch_task_detach. The
 * record of one that never is stays until the runtime is destroyed.
 */
#ifndef FILCH_TASK_H
#define FILCH_TASK_H

#include <filch/base.h>
#include <filch/time.h>
#include <sys/types.h>

FILCH_BEGIN_DECLS

typedef struct filch_task filch_task;

/* How a task is made. NULL in place of options, and zero in a field, is the default. */
typedef struct filch_task_options {
    const char *name;  /* for reports; copied, cut at 31 bytes; default: none */
    size_t stack_size; /* bytes, 16 KiB to 1 GiB, rounded up to a power of two, guard (a sixteenth, or a page) and some
                          200 bytes included; default: the runtime's */
} filch_task_options;

/*
 * Starts `fn(arg)` as a task of the caller's runtime. It may run at once on another worker, or when the caller waits.
 * Except on 0, `*task` is not written and nothing was started.
 *
 * Returns  0         `*task` holds the handle; with `task` NULL the task is detached from the start
 *          -EINVAL   `fn` is NULL, or an option is out of range
 *          -ENOMEM   no memory
 *          -EPERM    the caller is not a task (use filch_runtime_spawn)
 * Call     from a task
 * Waits    no
 * Orders   what the caller did before, before the task
 * Keeps    `arg` and the function until the task has ended
 */
FILCH_API FILCH_CHECK int filch_spawn(filch_task **task, filch_fn *fn, void *arg, const filch_task_options *options);

/*
 * Waits until `task` has ended, and gives its handle up. The task may be called right here, on the caller's stack, if
 * nobody has started it and there is no deadline.
 *
 * Returns  0            ended: its result is in `*result` unless that is NULL, and the handle is gone
 *          -ETIMEDOUT   `deadline` passed first; the handle stays valid, `*result` is not written. With a deadline that
 *                       has passed already this only asks whether the task has ended
 *          -ECANCELED   the caller was cancelled first; the handle stays valid. If it was by filch_task_cancel, while
 *                       it waited here without a deadline, then so was `task`
 *          -EINVAL      `task` is NULL
 *          -EDEADLK     the caller is this task; or as filch_mutex_lock, in debug mode
 *          -ESHUTDOWN   the task is one of the process that this one was forked from
 * Call     from a task of any runtime or from any thread; one awaiter at a time (a second one aborts, as far as it can be
 *          told: the record of a handle that was given up may be another task's by then)
 * Waits    yes; a task may continue on another worker. Where there is no memory for a stack on which the worker could run
 *          others meanwhile, until there is
 * Orders   all that the task did, before what follows this call
 */
FILCH_API FILCH_CHECK int filch_await(filch_task *task, int *result, filch_deadline deadline);

/*
 * Waits until at least `wanted` of the `count` tasks have ended, and says which, in the order in which they ended:
 * their indices, in `order`, which has room for `count`. Those that had ended before come first, as they stand in `tasks`;
 * of two that end on two workers at about the same time either may be first. (asyncio's wait, gather and as_completed:
 * `wanted` is 1, `count`, or anything between.) The handles stay valid; filch_await of one that has ended does not wait.
 *
 * Returns  how many have ended, `wanted` or more; so many entries of `order` are written
 *          -ETIMEDOUT   `deadline` passed first
 *          -ECANCELED   the caller was cancelled first
 *          -ESHUTDOWN   one is a task of the process that this one was forked from
 *          -EINVAL      an array or a task is NULL, or `wanted` is more than `count`
 *          -EDEADLK     the caller is one of them
 *          -ENOMEM      no memory (only with more than 16)
 * Call     from a task of any runtime or from any thread; nobody else may await one of them meanwhile (that aborts), and
 *          none may stand there twice
 * Waits    yes; a task may continue on another worker. Cut short, it has changed nothing but `order`
 * Orders   all that those tasks did, before what follows this call
 */
FILCH_API FILCH_CHECK ssize_t filch_await_n(filch_task *const *tasks, size_t count, size_t wanted, size_t *order,
                                            filch_deadline deadline);

/* Gives the handle of `task` up without waiting; its result is lost. NULL is nothing. From any thread; does not wait. */
FILCH_API void filch_task_detach(filch_task *task);

/* Whether `task`, which is not NULL, has ended, so that filch_await would not wait. From any thread; does not wait. */
FILCH_API bool filch_task_done(const filch_task *task);

/*
 * The name that `task` was given, or ""; "" for NULL. The text lives as long as the task and its handle.
 * From any thread that holds the handle, or for filch_self(); does not wait.
 */
FILCH_API const char *filch_task_name(const filch_task *task);

/*
 * The task that the caller runs in, or NULL outside tasks. The pointer is good for filch_task_name and for comparing;
 * it is not a handle. From anywhere; does not wait.
 */
FILCH_API filch_task *filch_self(void);

/*
 * Lets others run: the task goes to the end of its worker's queue. Returns at once where nothing else is to be run.
 * Call     from a task; from another thread it is sched_yield(2)
 * Waits    yes; the task may continue on another worker
 */
FILCH_API void filch_yield(void);

/*
 * Waits until `deadline`.
 *
 * Returns  0
 *          -ECANCELED   the caller was cancelled first
 * Call     from a task, or from any thread
 * Waits    yes; the task may continue on another worker. At least until the deadline, on the monotonic clock, if it is
 *          not cut short
 */
FILCH_API int filch_sleep_until(filch_deadline deadline);

/* Waits for `duration_ns` nanoseconds, none if negative; otherwise as filch_sleep_until. */
FILCH_API int filch_sleep(int64_t duration_ns);

FILCH_END_DECLS

#endif
