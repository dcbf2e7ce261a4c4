/* SPDX-License-Identifier: MIT */
/*
 * Semaphores: a number of permits that are acquired and released, each by whoever likes.
 *
 * Waiters are served in the order they came, and nobody overtakes them: a newcomer waits behind them even where there
 * are permits enough for it, so that who asks for many is not starved by those who ask for one. A permit that is
 * released goes straight to who waits first. A call that is cut short has acquired nothing; one that was given its
 * permits first succeeds, also where it is cancelled at the same time.
 */
#ifndef FILCH_SEM_H
#define FILCH_SEM_H

#include <filch/base.h>
#include <filch/inside.h>
#include <filch/time.h>

FILCH_BEGIN_DECLS

/* All fields belong to the library from filch_sem_init to filch_sem_fini. */
typedef struct filch_sem {
    struct filch__latch filch__latch;
    struct filch__waitlist filch__waiters;
    size_t filch__value; /* atomic; written under the latch */
    size_t filch__limit;
} filch_sem;

/*
 * Makes a semaphore with `value` permits in the caller's memory. With a `limit` other than 0 it is bounded: it never
 * has more permits than that, and a release too many aborts.
 *
 * Returns  0
 *          -EINVAL   `sem` is NULL, or `value` is above the limit
 * Call     from anywhere
 * Waits    no
 * Keeps    `sem` until filch_sem_fini
 */
FILCH_API FILCH_CHECK int filch_sem_init(filch_sem *sem, size_t value, size_t limit);

/*
 * Ends a semaphore that nobody uses any more; who waits at it then makes this abort. NULL is nothing. From anywhere;
 * does not wait.
 */
FILCH_API void filch_sem_fini(filch_sem *sem);

/*
 * Acquires one permit, waiting for it if there is none. Except on 0, nothing was acquired.
 *
 * Returns  0            a permit was acquired
 *          -ETIMEDOUT   `deadline` passed first
 *          -ECANCELED   the scope was cancelled first
 *          -EINVAL      `sem` is NULL
 * Call     from a task or from any thread
 * Waits    yes; a task may continue on another worker
 * Orders   what was done before the release of the permit, before what follows this call
 * Keeps    nothing
 */
FILCH_API FILCH_CHECK int filch_sem_acquire(filch_sem *sem, filch_deadline deadline);

/*
 * Acquires `count` permits at once, waiting until there are that many. Except on 0, none was acquired: permits are not
 * gathered one by one. While such a call waits in front, those behind it wait too.
 *
 * Returns  0            `count` permits were acquired (0 of them at once)
 *          -ETIMEDOUT   `deadline` passed first
 *          -ECANCELED   the scope was cancelled first
 *          -EINVAL      `sem` is NULL, or `count` is above its limit: it could never succeed
 * Call, Waits, Orders, Keeps   as filch_sem_acquire
 */
FILCH_API FILCH_CHECK int filch_sem_acquire_n(filch_sem *sem, size_t count, filch_deadline deadline);

/*
 * Acquires a permit if that needs no waiting, and nobody waits before.
 *
 * Returns  0, or -EAGAIN: nothing was acquired; or -EINVAL: `sem` is NULL
 * Call     from a task or from any thread; also where the scope is cancelled
 * Waits    no
 * Orders   as filch_sem_acquire
 */
FILCH_API FILCH_CHECK int filch_sem_try_acquire(filch_sem *sem);

/* The same for `count` permits; -EINVAL also where that is above the limit. */
FILCH_API FILCH_CHECK int filch_sem_try_acquire_n(filch_sem *sem, size_t count);

/*
 * Releases one permit. It need not be the caller who has acquired it. Aborts where a bounded semaphore gets beyond its
 * limit by it.
 *
 * Call     from a task or from any thread
 * Waits    no
 * Orders   what the caller did before, before what follows the acquiring call that gets the permit
 */
FILCH_API void filch_sem_release(filch_sem *sem);

/* Releases `count` permits; otherwise as filch_sem_release. */
FILCH_API void filch_sem_release_n(filch_sem *sem, size_t count);

/*
 * How many permits there are. Others change it meanwhile; and where somebody waits for more than that, a newcomer does
 * not get them. From anywhere; does not wait.
 */
FILCH_API size_t filch_sem_value(const filch_sem *sem);

FILCH_END_DECLS

#endif
