/* SPDX-License-Identifier: MIT */
/*
 * Wait groups: a count of what is under way, and a wait for none being left (Go's sync.WaitGroup).
 *
 *     filch_wait_group_add(&group, 3);       before the three are started
 *     ...                                    each calls filch_wait_group_done(&group) at its end
 *     filch_wait_group_wait(&group, FILCH_NEVER);
 *
 * A group may be used again once its count is 0, at once: who waited for the first 0 has been let go by it.
 * For tasks that one starts and waits for oneself, a scope (filch/scope.h) does the same and cannot be got wrong.
 */
#ifndef FILCH_WAIT_GROUP_H
#define FILCH_WAIT_GROUP_H

#include <filch/base.h>
#include <filch/inside.h>
#include <filch/time.h>

FILCH_BEGIN_DECLS

/* All fields belong to the library from filch_wait_group_init to filch_wait_group_fini. */
typedef struct filch_wait_group {
    struct filch__latch filch__latch;
    struct filch__waitlist filch__waiters;
    int64_t filch__count; /* under the latch */
} filch_wait_group;

/*
 * Makes a group with a count of 0 in the caller's memory.
 *
 * Returns  0
 *          -EINVAL   `group` is NULL
 * Call     from anywhere
 * Waits    no
 * Keeps    `group` until filch_wait_group_fini
 */
FILCH_API FILCH_CHECK int filch_wait_group_init(filch_wait_group *group);

/*
 * Ends a group that nobody uses any more; who waits at it then makes this abort. NULL is nothing. From anywhere; does
 * not wait. A filch_wait_group_wait that has returned 0 is enough to know that the last filch_wait_group_done is
 * through.
 */
FILCH_API void filch_wait_group_fini(filch_wait_group *group);

/*
 * Adds `count`, which may be negative, to the count; at 0 who waits goes on. Aborts where the count gets below 0. What
 * is added to 0 while others wait already may come too late for them: add before what is counted is started.
 *
 * Call     from a task or from any thread
 * Waits    no
 * Orders   what the caller did before, before what follows the wait that this lets go on
 */
FILCH_API void filch_wait_group_add(filch_wait_group *group, int64_t count);

/* Subtracts 1; otherwise as filch_wait_group_add. */
FILCH_API void filch_wait_group_done(filch_wait_group *group);

/*
 * Waits until the count is 0.
 *
 * Returns  0            it is, or was meanwhile
 *          -ETIMEDOUT   `deadline` passed first
 *          -ECANCELED   the scope was cancelled first
 *          -EINVAL      `group` is NULL
 * Call     from a task or from any thread; any number at once
 * Waits    yes; a task may continue on another worker
 * Orders   what was done before each filch_wait_group_done, before what follows this call
 * Keeps    nothing; a wait that was cut short has changed nothing
 */
FILCH_API FILCH_CHECK int filch_wait_group_wait(filch_wait_group *group, filch_deadline deadline);

/*
 * Asks whether the count is 0.
 *
 * Returns  0, or -EAGAIN: it is not; or -EINVAL: `group` is NULL
 * Call     from a task or from any thread; also where the scope is cancelled
 * Waits    no
 * Orders   as filch_wait_group_wait
 */
FILCH_API FILCH_CHECK int filch_wait_group_try_wait(filch_wait_group *group);

FILCH_END_DECLS

#endif
