/* SPDX-License-Identifier: MIT */
/*
 * A latch: a spin lock for the few instructions in which an object's state and its list of waiters change together. Who
 * holds one neither waits, nor allocates, nor calls the user's code, nor makes a system call.
 *
 * A holder may lose its processor, so who finds the latch taken spins for a while and then gives its own up.
 *
 * Edge
 *   LATCH   leave (release) -> take (acquire)   carries all that was done under it
 */
#ifndef FILCH_BASE_LATCH_H
#define FILCH_BASE_LATCH_H

#include <filch/inside.h>
#include <sched.h>

#include "base/assert.h"
#include "base/atomic.h"

enum {
    LATCH_PAUSES_MIN = 32, /* some hundred nanoseconds: in so long the other worker does many calls on the same line */
    LATCH_PAUSES_MAX = 256,
};

/*
 * Each try costs the holder the cache line. So who fails stays away for a while, and longer the next time: two workers
 * take turns with bursts of calls, in place of passing the line to and fro with each. In the end the holder may have
 * lost its processor.
 */
static never_inline __attribute__((unused)) void filch__latch_take_slow(struct filch__latch *latch) {
    unsigned pauses = LATCH_PAUSES_MIN;
    do {
        if (pauses <= LATCH_PAUSES_MAX) {
            for (unsigned i = 0; i < pauses; i++) spin_pause();
            pauses *= 2;
        } else {
            sched_yield();
        }
        /* First a glance; the exchange counts: LATCH. */
    } while (load_relaxed(&latch->taken) != 0 || exchange_acquire(&latch->taken, 1) != 0);
}

static force_inline void filch__latch_take(struct filch__latch *latch) {
    if (unlikely(exchange_acquire(&latch->taken, 1) != 0)) filch__latch_take_slow(latch); /* LATCH */
}

static force_inline void filch__latch_leave(struct filch__latch *latch) {
    store_release(&latch->taken, 0); /* LATCH */
}

#endif
