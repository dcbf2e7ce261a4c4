/* SPDX-License-Identifier: MIT */
/*
 * Futures: a result that is set once, by anybody, and that any number wait for.
 *
 * The result is a number in the error convention and a pointer, of which the library knows nothing. Once set it stays:
 * every wait from then on answers at once.
 */
#ifndef FILCH_FUTURE_H
#define FILCH_FUTURE_H

#include <filch/base.h>
#include <filch/inside.h>
#include <filch/time.h>

FILCH_BEGIN_DECLS

/* All fields belong to the library from filch_future_init to filch_future_fini. */
typedef struct filch_future {
    struct filch__latch filch__latch;
    struct filch__waitlist filch__waiters;
    bool filch__done; /* under the latch; the two below are not written any more once it is set */
    int filch__result;
    void *filch__value;
} filch_future;

/*
 * Makes a future without a result in the caller's memory.
 *
 * Returns  0
 *          -EINVAL   `future` is NULL
 * Call     from anywhere
 * Waits    no
 * Keeps    `future` until filch_future_fini
 */
FILCH_API FILCH_CHECK int filch_future_init(filch_future *future);

/*
 * Ends a future that nobody uses any more; who waits at it then makes this abort. NULL is nothing. From anywhere; does
 * not wait. To know that it is done, however that was asked, is enough to know that who set it is through with it.
 */
FILCH_API void filch_future_fini(filch_future *future);

/*
 * Sets the result, if there is none yet, and lets all that wait go on.
 *
 * Returns  0           the result is `result` and `value`
 *          -EALREADY   there was a result; it stays
 *          -EINVAL     `future` is NULL
 * Call     from a task or from any thread
 * Waits    no
 * Orders   what the caller did before, before what follows a wait that gets the result
 * Keeps    `value`, as the pointer that it is
 */
FILCH_API int filch_future_set(filch_future *future, int result, void *value);

/* As filch_future_set with `error`, a negative errno, and NULL; -EINVAL also where it is not negative. */
FILCH_API int filch_future_fail(filch_future *future, int error);

/*
 * As filch_future_fail with -ECANCELED: for who was to set it, or for who asked for it, to say that nobody need wait.
 */
FILCH_API int filch_future_cancel(filch_future *future);

/* Whether there is a result. From anywhere; does not wait. Orders as filch_future_wait. */
FILCH_API bool filch_future_is_done(const filch_future *future);

/*
 * Waits until there is a result. Either pointer may be NULL. Except on 0, neither is written. What became of the wait
 * is what is returned, and what became of the future is in `*result`: so a future that was cancelled gives 0 and,
 * there, -ECANCELED.
 *
 * Returns  0            the result is in `*result` and `*value`
 *          -ETIMEDOUT   `deadline` passed first
 *          -ECANCELED   the caller's scope was cancelled first
 *          -EINVAL      `future` is NULL
 * Call     from a task or from any thread; any number at once
 * Waits    yes; a task may continue on another worker
 * Orders   what was done before it was set, before what follows this call
 * Keeps    nothing; a wait that was cut short has changed nothing
 */
FILCH_API FILCH_CHECK int filch_future_wait(filch_future *future, int *result, void **value, filch_deadline deadline);

/*
 * Gets the result if there is one.
 *
 * Returns  0, or -EAGAIN: there is none yet; or -EINVAL: `future` is NULL
 * Call     from a task or from any thread; also where the scope is cancelled
 * Waits    no
 * Orders   as filch_future_wait
 */
FILCH_API FILCH_CHECK int filch_future_try_wait(filch_future *future, int *result, void **value);

FILCH_END_DECLS

#endif
