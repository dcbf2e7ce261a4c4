/* SPDX-License-Identifier: MIT */
/*
 * Scopes: tasks that end before the block that started them does, and cancellation.
 *
 *     filch_scope scope;                                         in a task
 *     int error = filch_scope_open(&scope, &(filch_scope_options){.deadline = filch_after(FILCH_MS(50))});
 *     if (error != 0) return error;
 *     error = filch_scope_spawn(&scope, NULL, fetch, &first, NULL);
 *     if (error == 0) error = filch_scope_spawn(&scope, NULL, fetch, &second, NULL);
 *     filch_scope_fail(&scope, error);                           0 is nothing
 *     return filch_scope_close(&scope);                          waits for both; what failed first, or 0
 *
 * What belongs to a scope: the tasks spawned into it, what they call, and what its opener calls until it closes it;
 * scopes opened there are nested in it. A task that is spawned by filch_spawn belongs to none, wherever its spawner is.
 *
 * Cancellation is a state, not an event. From filch_scope_cancel (or the deadline, or the first failure) on, every
 * waiting call that belongs to the scope or to one nested in it answers -ECANCELED, also those that could have gone on at
 * once, until the scope is closed; whoever waits is woken. A task of the scope that has not begun never runs: its result
 * is -ECANCELED. Nothing else is done to a task: it ends when its function returns. What a call of filch may have moved
 * before it answered -ECANCELED is said at that call; mostly nothing. Calls that wait for the end of what they own (join,
 * filch_scope_close) are not cut short. A shield keeps what is cancelled outside from what must wait: clean-up.
 *
 * A call that the deadline cut short answers -ECANCELED like any other; filch_scope_close tells the two apart.
 */
#ifndef FILCH_SCOPE_H
#define FILCH_SCOPE_H

#include <filch/base.h>
#include <filch/inside.h>
#include <filch/runtime.h>
#include <filch/task.h>
#include <filch/time.h>

FILCH_BEGIN_DECLS

/*
 * What the failure of a task of the scope, a negative result, does. That a task which filch_task_cancel has cancelled
 * returns -ECANCELED is no failure.
 */
typedef enum filch_scope_policy {
    FILCH_SCOPE_FAIL_FAST = 0, /* cancels the scope; the first failure is what the scope returns */
    FILCH_SCOPE_COLLECT = 1,   /* nothing, but the first failure is what the scope returns */
    FILCH_SCOPE_SUPERVISE = 2, /* nothing: each task stands for itself, and the scope returns 0 */
} filch_scope_policy;

/* How a scope is opened. NULL in place of options, and zero in a field, is the default. */
typedef struct filch_scope_options {
    const char *name; /* for reports; static text; default: none */
    filch_scope_policy policy;
    filch_deadline deadline; /* the scope is cancelled then; default (zero): none */
    filch_runtime *runtime;  /* of its tasks, where the opener is a thread that is no worker; default: the opener's */
} filch_scope_options;

/* The common part of scopes and shields. */
struct filch__region {
    uint32_t flags; /* atomic */
    void *outer;    /* the strand's word before this was opened */
    filch_task *task;
};

/* All fields belong to the library from filch_scope_open to the end of filch_scope_close. */
typedef struct filch_scope {
    struct filch__region filch__region;
    filch_runtime *filch__runtime;
    const char *filch__name;
    filch_scope_policy filch__policy;
    struct filch__latch filch__latch; /* over what follows */
    int filch__failure;
    uint64_t filch__live; /* tasks that have not ended */
    void *filch__members; /* those, linked by their records */
    void *filch__closer;  /* who waits for them */
    struct filch_scope *filch__parent, *filch__children, *filch__next, *filch__previous;
    void *filch__host;         /* the task record on whose list of scopes it is, if it has no parent */
    uint64_t filch__timer[11]; /* of the deadline */
    void *filch__timers;
} filch_scope;

/*
 * Opens a scope in the caller's memory. It must be closed by who opened it, before the function that owns the memory
 * returns; scopes and shields are closed in the reverse order. A task whose function returns with one open aborts.
 *
 * Returns  0
 *          -EINVAL   `scope` is NULL, or an option is out of range
 *          -ENOMEM   no memory; the scope is not open
 *          -EPERM    the caller is no task, and the options name no runtime
 *          -ESHUTDOWN   the runtime is one of the process that this one was forked from
 * Call     from a task, or from any thread that names a runtime (whose own waiting calls are then not cancelled)
 * Waits    no
 * Keeps    `scope` until it is closed
 */
FILCH_API FILCH_CHECK int filch_scope_open(filch_scope *scope, const filch_scope_options *options);

/*
 * Starts `fn(arg)` as a task of the scope. Except on 0, `*task` is not written and nothing was started.
 *
 * Returns  0           `*task` holds the handle; with `task` NULL the task is detached: the scope waits for it anyway
 *          -EINVAL, -ENOMEM   as filch_spawn
 *          -ECANCELED  the scope is cancelled
 *          -ESHUTDOWN  the caller is not a task of the scope's runtime, which has been shut down
 * Call     from whoever knows that the scope is not closed meanwhile: its opener, its tasks
 * Waits    no
 * Orders   what the caller did before, before the task; all that the task did, before filch_scope_close returns
 */
FILCH_API FILCH_CHECK int filch_scope_spawn(filch_scope *scope, filch_task **task, filch_fn *fn, void *arg,
                                            const filch_task_options *options);

/*
 * Waits until every task of the scope has ended, and closes it.
 *
 * Returns  0            no task failed, or the policy is SUPERVISE; and the scope was not cancelled
 *          the result of the task that failed first (or what filch_scope_fail said)
 *          -ETIMEDOUT   the deadline passed before the scope was closed
 *          -ECANCELED   filch_scope_cancel was called, or a scope around it was cancelled while a task of this one had
 *                       not ended
 * Call     from the strand that opened it
 * Waits    yes; is not cut short; a task may continue on another worker
 * Orders   all that the tasks did, before what follows
 */
FILCH_API int filch_scope_close(filch_scope *scope);

/* Cancels the scope; once more is nothing. From whoever knows that it is open, any thread; does not wait. */
FILCH_API void filch_scope_cancel(filch_scope *scope);

/*
 * As if a task of the scope had failed with `error`, a negative errno: for what its opener does itself. An `error` that is
 * not negative is nothing.
 * From whoever knows that the scope is open; does not wait.
 */
FILCH_API void filch_scope_fail(filch_scope *scope, int error);

/*
 * Sets the deadline anew, FILCH_NEVER for none. Once it has passed, the scope stays cancelled.
 *
 * Returns  0, or -ETIMEDOUT: it has passed before; or -ECANCELED: the scope is cancelled
 * Call     from whoever knows that the scope is open
 * Waits    no
 */
FILCH_API int filch_scope_set_deadline(filch_scope *scope, filch_deadline deadline);

/* Whether the scope itself is cancelled (not whether one around it is). From whoever knows that it is open. */
FILCH_API bool filch_scope_cancelled(const filch_scope *scope);

/* How many tasks of the scope have not ended. From whoever knows that it is open; does not wait. */
FILCH_API size_t filch_scope_tasks(const filch_scope *scope);

/*
 * Whether a waiting call of the caller would answer -ECANCELED: for loops that compute.
 * From anywhere; does not wait. False outside tasks.
 */
FILCH_API bool filch_cancelled(void);

/*
 * Cancels one task, as if all that it does stood in a scope of its own: its waiting calls answer -ECANCELED from now on,
 * and so do those of tasks in scopes that it has opened. If it has not begun, it never runs, and its result is
 * -ECANCELED. While it waits in a filch_await without a deadline, what it awaits is cancelled as well. It has ended when
 * filch_await says so. NULL is nothing; once more is nothing.
 * Call     from whoever holds the handle; any thread. Nobody may be giving the handle up meanwhile, as who awaits it does
 *          when it ends
 * Waits    no
 */
FILCH_API void filch_task_cancel(filch_task *task);

/*
 * A shield: from _begin to _end, what is cancelled outside does not touch the caller's waiting calls (scopes opened
 * inside can still be cancelled). For clean-up that must wait; keep it short, since nothing cuts it short.
 *
 *     filch_shield shield;
 *     filch_shield_begin(&shield);
 *     filch_chan_send(log, &farewell, filch_after(FILCH_MS(10)));
 *     filch_shield_end(&shield);
 *
 * The memory is the caller's, and is not used after _end. Outside tasks both do nothing. They do not wait.
 */
typedef struct filch_shield {
    struct filch__region filch__region;
} filch_shield;

FILCH_API void filch_shield_begin(filch_shield *shield);
FILCH_API void filch_shield_end(filch_shield *shield);

FILCH_END_DECLS

#endif
