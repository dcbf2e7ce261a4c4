/* SPDX-License-Identifier: MIT */
/*
 * Mutexes: one task, or one thread, at a time.
 *
 *     filch_mutex lock = FILCH_MUTEX_INIT;
 *     int error = filch_mutex_lock(&lock, FILCH_NEVER);      -ECANCELED in a cancelled scope, even if it is free
 *     if (error) return error;
 *     account->balance += amount;                            may wait meanwhile, and go on on another worker
 *     filch_mutex_unlock(&lock);
 *
 * Clean-up that must have the lock although its scope is cancelled stands in a shield: see filch/scope.h.
 *
 * Who is served. A mutex that is unlocked is free for whoever comes first, mostly the task that runs just now; the one
 * that has waited longest is woken to try as well. One that finds the mutex taken again waits at the head of the queue,
 * and after it has lost a few times, or has been trying for a millisecond, the next unlock gives the mutex to it and to
 * nobody else. So nobody starves, and a mutex that many want does not cost a switch each time.
 *
 * Who owns it. A mutex is unlocked by the task or thread that locked it. A forked call that another worker has taken
 * (filch/fork.h) is an owner apart from its task; several such calls of one task are not told apart, so that one that
 * locks again what it holds is not found out: it waits. A task must not end with a mutex locked: that is found out in debug
 * mode alone (filch/debug.h), and whoever has the task's record next passes for the owner.
 *
 * A zeroed mutex is free. Its memory is the caller's, and does not move. The last one to lock and unlock it may end its
 * use by filch_mutex_fini and give the memory away, while the unlock of the one before has not returned yet.
 */
#ifndef FILCH_MUTEX_H
#define FILCH_MUTEX_H

#include <filch/base.h>
#include <filch/inside.h>
#include <filch/time.h>

FILCH_BEGIN_DECLS

typedef struct filch_mutex {
    uintptr_t filch__word; /* atomic; see sync/mutex.c */
    struct filch__latch filch__latch;
    bool filch__woken; /* under the latch, as the list */
    struct filch__waitlist filch__waiters;
} filch_mutex;

#ifdef __cplusplus
#define FILCH_MUTEX_INIT                                                                                               \
    {}
#else
#define FILCH_MUTEX_INIT                                                                                               \
    { 0 }
#endif

/* Makes a free mutex in the caller's memory, as FILCH_MUTEX_INIT does. Does not wait. */
FILCH_API void filch_mutex_init(filch_mutex *mutex);

/*
 * Ends the use of `mutex`: its memory is the caller's again. Aborts if it is held or waited for. Calls that have a
 * deadline or may be cancelled must have returned by then. Not needed for memory that is never used for anything else.
 * NULL is nothing. From any thread; does not wait.
 */
FILCH_API void filch_mutex_fini(filch_mutex *mutex);

/*
 * Locks `mutex`, waiting until that is possible. Except on 0 the caller does not hold it. Aborts if the caller holds it
 * already.
 *
 * Returns  0            the caller holds the mutex
 *          -ETIMEDOUT   `deadline` passed first; a mutex that is free is locked whatever the deadline
 *          -ECANCELED   the scope was cancelled first; also if the mutex is free. Who was given the mutex before it
 *                       looks has it, and the answer is 0
 *          -EDEADLK     it would close a circle of tasks that wait for one another; only in debug mode, and only where that
 *                       is asked for: mutex-cycle=fail, see filch/debug.h
 *          -EINVAL      `mutex` is NULL
 * Call     from a task or from any thread
 * Waits    yes; a task may continue on another worker. A call that need not wait is no occasion for others to run
 * Orders   what was done before the last unlock, before what follows this call
 */
FILCH_API FILCH_CHECK int filch_mutex_lock(filch_mutex *mutex, filch_deadline deadline);

/*
 * Locks `mutex` if it is free. Cancellation does not matter.
 *
 * Returns  0         the caller holds the mutex
 *          -EBUSY    it is held, perhaps by the caller
 *          -EINVAL   `mutex` is NULL
 * Call     from a task or from any thread
 * Waits    no
 * Orders   as filch_mutex_lock
 */
FILCH_API FILCH_CHECK int filch_mutex_try_lock(filch_mutex *mutex);

/*
 * Unlocks `mutex`. Aborts unless the caller holds it.
 *
 * Call     from who locked it
 * Waits    no
 * Orders   what the caller did before, before what the next owner does
 */
FILCH_API void filch_mutex_unlock(filch_mutex *mutex);

/* Whether anybody holds `mutex`; it may have changed by the time the caller looks. From any thread; does not wait. */
FILCH_API bool filch_mutex_locked(const filch_mutex *mutex);

FILCH_END_DECLS

#endif
