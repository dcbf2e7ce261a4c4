/* SPDX-License-Identifier: MIT */
/*
 * Once: a function that is to succeed a single time, whoever comes first, and that all others wait for.
 *
 *     static filch_once tables = FILCH_ONCE_INIT;
 *     int error = filch_once_run(&tables, build_tables, NULL, FILCH_NEVER);
 *
 * A zeroed one is fresh; its memory is the caller's and does not move.
 */
#ifndef FILCH_ONCE_H
#define FILCH_ONCE_H

#include <filch/base.h>
#include <filch/inside.h>
#include <filch/time.h>

FILCH_BEGIN_DECLS

typedef struct filch_once {
    uint32_t filch__state;            /* atomic */
    struct filch__latch filch__latch; /* over what follows, until it is done */
    uintptr_t filch__runner;
    struct filch__waitlist filch__waiters;
    int filch__result;
} filch_once;

#ifdef __cplusplus
#define FILCH_ONCE_INIT                                                                                                \
    {}
#else
#define FILCH_ONCE_INIT                                                                                                \
    { 0 }
#endif

/* Makes a fresh one in the caller's memory, as FILCH_ONCE_INIT does. Does not wait. */
FILCH_API void filch_once_init(filch_once *once);

/*
 * Ends the use of `once`: its memory is the caller's. Aborts if its function runs. NULL is nothing. From any
 * thread; does not wait.
 */
FILCH_API void filch_once_fini(filch_once *once);

/*
 * Calls `fn(arg)` unless such a call has succeeded before; waits for one that is being made. A call that returns 0 or
 * more has succeeded: its result is kept, and is the answer to all, now and later. A call that returns less has failed:
 * that is the answer to its caller alone, and the next caller, or the one that has waited longest, makes its own call.
 * Aborts where `fn` comes back to its own `once`.
 *
 * Returns  what the one call that succeeded returned, 0 or more; or
 *          the failure of the call that this caller has made; or, with no call made by it,
 *          -ETIMEDOUT   `deadline` passed while it waited for the call of another
 *          -ECANCELED   the scope was cancelled while it waited; or before, and then also if the call had succeeded
 *          -EINVAL      `once` or `fn` is NULL
 * Call     from a task or from any thread
 * Waits    yes; a task may continue on another worker. `fn` may wait as well; deadline and cancellation do not cut it
 *          short but where it asks
 * Orders   all that the call that succeeded did, before what follows this one
 */
FILCH_API FILCH_CHECK int filch_once_run(filch_once *once, filch_fn *fn, void *arg, filch_deadline deadline);

/* Whether a call has succeeded; then all that it did is seen. From any thread; does not wait. */
FILCH_API bool filch_once_done(const filch_once *once);

FILCH_END_DECLS

#endif
