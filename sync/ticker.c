/* SPDX-License-Identifier: MIT */
/* Tickers: a point that moves on by whole periods. The wait has no clause: only its deadline, or a cancel, ends it. */
#include <errno.h>
#include <filch/ticker.h>

#include "base/clock.h"
#include "sched/sched.h"

int filch_ticker_init(filch_ticker *ticker, int64_t period_ns) {
    if (ticker == NULL || period_ns <= 0) return -EINVAL;
    ticker->filch__period_ns = period_ns;
    ticker->filch__next_ns = filch__clock_add(filch__clock_now(), period_ns);
    return 0;
}

/* How many ticks have passed, which are used up by this. */
static int64_t count_ticks(filch_ticker *ticker, int64_t now_ns) {
    if (now_ns < ticker->filch__next_ns) return 0;
    int64_t periods = (now_ns - ticker->filch__next_ns) / ticker->filch__period_ns;
    int64_t last_ns = ticker->filch__next_ns + periods * ticker->filch__period_ns;
    ticker->filch__next_ns = filch__clock_add(last_ns, ticker->filch__period_ns);
    return periods + 1;
}

int64_t filch_ticker_wait(filch_ticker *ticker, filch_deadline deadline) {
    if (ticker == NULL) return -EINVAL;
    if (filch__cancelled()) return -ECANCELED;
    int64_t ticks = count_ticks(ticker, filch__clock_now());
    if (ticks > 0) {
        filch__spend();
        return ticks;
    }
    struct filch__waiter waiter;
    filch__waiter_init(&waiter, "ticker", ticker);
    filch_deadline first = {ticker->filch__next_ns < deadline.at_ns ? ticker->filch__next_ns : deadline.at_ns};
    if (filch__park_cancellable(&waiter, first) == WAITER_CANCELLED) return -ECANCELED;
    ticks = count_ticks(ticker, filch__clock_now());
    return ticks > 0 ? ticks : -ETIMEDOUT;
}

filch_deadline filch_ticker_next(const filch_ticker *ticker) {
    return (filch_deadline){ticker->filch__next_ns};
}
