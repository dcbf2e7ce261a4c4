/* SPDX-License-Identifier: MIT */
/*
 * Tickers: something to be done every so often.
 *
 * The ticks of a ticker stand at fixed points, a period apart from when it was made: who comes late to one still has
 * the next at its own time. Ticks that were missed are counted, and not made up for: however late the caller is, it is
 * told once.
 *
 *     filch_ticker ticker;
 *     filch_ticker_init(&ticker, FILCH_MS(100));
 *     for (;;) {
 *         int64_t ticks = filch_ticker_wait(&ticker, FILCH_NEVER);      1, or more where some were missed
 *         ...
 *     }
 *
 * In a select, it is filch_case_deadline(filch_ticker_next(&ticker)), and filch_ticker_wait once that was chosen.
 */
#ifndef FILCH_TICKER_H
#define FILCH_TICKER_H

#include <filch/base.h>
#include <filch/time.h>

FILCH_BEGIN_DECLS

/* The fields belong to the library. There is nothing to be given back: the memory may be gone once nobody waits. */
typedef struct filch_ticker {
    int64_t filch__period_ns;
    int64_t filch__next_ns;
} filch_ticker;

/*
 * Makes a ticker in the caller's memory; its first tick is a period from now.
 *
 * Returns  0
 *          -EINVAL   `ticker` is NULL, or `period_ns` is not positive
 * Call     from a task or from any thread
 * Waits    no
 */
FILCH_API int filch_ticker_init(filch_ticker *ticker, int64_t period_ns);

/*
 * Waits for the next tick, and counts the ticks since the last call that did: 1, or more where the caller is late.
 * Unless it returns a count, no tick is used up.
 *
 * Returns  the number of ticks, from 1
 *          -ETIMEDOUT   `deadline` passed first
 *          -ECANCELED   the scope was cancelled first
 *          -EINVAL      `ticker` is NULL
 * Call     from a task or from any thread; one at a time
 * Waits    yes; a task may continue on another worker. At least until the tick, on the monotonic clock
 */
FILCH_API FILCH_CHECK int64_t filch_ticker_wait(filch_ticker *ticker, filch_deadline deadline);

/* When the next tick is that filch_ticker_wait will answer to: perhaps in the past. Does not wait. */
FILCH_API filch_deadline filch_ticker_next(const filch_ticker *ticker);

FILCH_END_DECLS

#endif
