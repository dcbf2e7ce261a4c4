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

#define LATCH_SPINS 100

static inline void filch__latch_wait(struct filch__latch *latch) {
    for (unsigned spins = 0; load_relaxed(&latch->taken) != 0; spins++) { /* a glance; the exchange counts */
        if (spins < LATCH_SPINS) {
            spin_pause();
        } else {
            sched_yield();
        }
    }
}

static force_inline void filch__latch_take(struct filch__latch *latch) {
    while (unlikely(exchange_acquire(&latch->taken, 1) != 0)) filch__latch_wait(latch); /* LATCH */
}

static force_inline void filch__latch_leave(struct filch__latch *latch) {
    store_release(&latch->taken, 0); /* LATCH */
}

#endif
