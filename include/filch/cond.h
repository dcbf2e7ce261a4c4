/* SPDX-License-Identifier: MIT */
/*
 * Condition variables: to wait, with a mutex held, for something that the mutex protects.
 *
 *     filch_mutex_lock(&lock, FILCH_NEVER)           checked
 *     int error = 0;
 *     while (!error && queue_is_empty(queue)) error = filch_cond_wait(&filled, &lock, deadline);
 *     ...                                            held, whatever the answer
 *     filch_mutex_unlock(&lock);
 *
 * A wait that returns 0 has been signalled: there are no spurious ones. But between the signal and the return others
 * may hold the mutex, so what is waited for is looked at again, as above.
 *
 * A signal goes to the one that has waited longest. It is received, and the wait returns 0, or it goes to another: if
 * it comes at the same time as a deadline or a cancellation, either the wait was over before and the signal is for the
 * next, or the wait returns 0. Who receives a signal and does not act on it must pass it on; for that, a return other
 * than 0 never stands for a signal.
 *
 * A zeroed condition variable is ready for use; its memory is the caller's and does not move.
 */
#ifndef FILCH_COND_H
#define FILCH_COND_H

#include <filch/base.h>
#include <filch/inside.h>
#include <filch/mutex.h>
#include <filch/time.h>

FILCH_BEGIN_DECLS

typedef struct filch_cond {
    filch_mutex *filch__mutex; /* of those who wait; under the latch, as the list */
    struct filch__latch filch__latch;
    struct filch__waitlist filch__waiters;
} filch_cond;

#ifdef __cplusplus
#define FILCH_COND_INIT                                                                                                \
    {}
#else
#define FILCH_COND_INIT                                                                                                \
    { 0 }
#endif

/* Makes a condition variable in the caller's memory, as FILCH_COND_INIT does. Does not wait. */
FILCH_API void filch_cond_init(filch_cond *cond);

/*
 * Ends the use of `cond`: its memory is the caller's. Aborts if it is waited for. A filch_cond_wait that has a deadline or
 * may be cancelled must have returned by then; for others it is enough that they have been signalled. NULL is nothing.
 * From any thread; does not wait.
 */
FILCH_API void filch_cond_fini(filch_cond *cond);

/*
 * Unlocks `mutex`, waits for a signal, and locks `mutex` again, however long that takes: the caller holds it whatever
 * the answer is. Signals sent with the mutex held after this unlock are not missed. Aborts unless the caller holds
 * `mutex`, or if others wait at `cond` with another mutex.
 *
 * Returns  0            signalled
 *          -ETIMEDOUT   `deadline` passed first; no signal was received
 *          -ECANCELED   the scope was cancelled first; no signal was received. If it was cancelled before the call, the
 *                       mutex was not even unlocked
 *          -EINVAL      an argument is NULL; the mutex was not unlocked
 * Call     from a task or from any thread
 * Waits    yes; a task may continue on another worker. Deadline and cancellation cut the wait for the signal short, not
 *          the wait for the mutex
 * Orders   what the signaller did before its signal, before what follows this call; and as filch_mutex_lock
 */
FILCH_API FILCH_CHECK int filch_cond_wait(filch_cond *cond, filch_mutex *mutex, filch_deadline deadline);

/* Signals the one that has waited longest, if any. From any thread, with or without the mutex; does not wait. */
FILCH_API void filch_cond_signal(filch_cond *cond);

/* Signals all that wait. From any thread, with or without the mutex; does not wait. */
FILCH_API void filch_cond_broadcast(filch_cond *cond);

FILCH_END_DECLS

#endif
