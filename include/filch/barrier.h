/* SPDX-License-Identifier: MIT */
/*
 * Barriers: a number of parties wait for each other, again and again.
 *
 * The last of a round lets all of the round go on, and the next round begins at once: who comes back early is of the
 * next. A waiter that is cut short, by its deadline or by cancellation, leaves the round as if it had never come: the
 * others wait on for somebody in its place. (So does asyncio.Barrier; it does not break the barrier.) A waiter that was
 * let go first succeeds, also where it is cancelled at the same time.
 */
#ifndef FILCH_BARRIER_H
#define FILCH_BARRIER_H

#include <filch/base.h>
#include <filch/inside.h>
#include <filch/time.h>

FILCH_BEGIN_DECLS

/* All fields belong to the library from filch_barrier_init to filch_barrier_fini. */
typedef struct filch_barrier {
    struct filch__latch filch__latch;
    struct filch__waitlist filch__waiters;
    unsigned filch__parties;
    unsigned filch__waiting; /* atomic; written under the latch, as is the next */
    bool filch__broken;
} filch_barrier;

/*
 * Makes a barrier for `parties` in the caller's memory.
 *
 * Returns  0
 *          -EINVAL   `barrier` is NULL, or `parties` is 0 or above INT_MAX
 * Call     from anywhere
 * Waits    no
 * Keeps    `barrier` until filch_barrier_fini
 */
FILCH_API FILCH_CHECK int filch_barrier_init(filch_barrier *barrier, unsigned parties);

/*
 * Ends a barrier that nobody uses any more; who waits at it then makes this abort. NULL is nothing. From anywhere; does
 * not wait.
 */
FILCH_API void filch_barrier_fini(filch_barrier *barrier);

/*
 * Waits until as many as there are parties wait.
 *
 * Returns  0 to parties - 1   the place of the caller among those of its round, in the order they came; each once
 *          -EPIPE       the barrier is broken, or was reset meanwhile
 *          -ETIMEDOUT   `deadline` passed first; the caller does not count any more
 *          -ECANCELED   the scope was cancelled first; likewise
 *          -EINVAL      `barrier` is NULL
 * Call     from a task or from any thread
 * Waits    yes, but for the last of a round; a task may continue on another worker
 * Orders   what each party did before its call, before what follows the call of each party of the round
 * Keeps    nothing
 */
FILCH_API FILCH_CHECK int filch_barrier_wait(filch_barrier *barrier, filch_deadline deadline);

/*
 * Ends the round if the caller is all that it waits for, and otherwise does nothing.
 *
 * Returns  parties - 1: the others go on; or -EAGAIN: more are to come; or -EPIPE or -EINVAL as filch_barrier_wait
 * Call     from a task or from any thread; also where the scope is cancelled
 * Waits    no
 * Orders   as filch_barrier_wait
 */
FILCH_API FILCH_CHECK int filch_barrier_try_wait(filch_barrier *barrier);

/* Breaks the barrier: who waits, and whoever comes until it is reset, gets -EPIPE. From anywhere; does not wait. */
FILCH_API void filch_barrier_abort(filch_barrier *barrier);

/* Makes the barrier as new: it is not broken, and who waits gets -EPIPE. From anywhere; does not wait. */
FILCH_API void filch_barrier_reset(filch_barrier *barrier);

/* Whether the barrier is broken. From anywhere; does not wait. */
FILCH_API bool filch_barrier_broken(const filch_barrier *barrier);

/* How many wait, and how many there must be. From anywhere; do not wait. */
FILCH_API unsigned filch_barrier_waiting(const filch_barrier *barrier);
FILCH_API unsigned filch_barrier_parties(const filch_barrier *barrier);

FILCH_END_DECLS

#endif
