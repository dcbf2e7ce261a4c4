/* SPDX-License-Identifier: MIT */
/*
 * Timers of a worker: a pairing heap (Fredman, Sedgewick, Sleator, Tarjan 1986) of records that stand beside their
 * waiters, so that setting one needs no memory and cannot fail. Mostly set and fired by the worker, between two of its
 * turns; set, removed and fired by any; under a lock.
 *
 * A timer that is removed is really gone: nothing refers to it afterwards. A timer that fires gives its waiter the cause
 * EXPIRED, under the lock; so whoever has removed it, or found it fired, may let the waiter go.
 */
#ifndef FILCH_SCHED_TIMER_H
#define FILCH_SCHED_TIMER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/atomic.h"
#include "base/lock.h"
#include "sched/park.h"

struct filch__timer {
    int64_t at_ns;
    uint64_t order; /* of setting: timers of the same time fire in it */
    struct filch__waiter *waiter;
    void (*call)(struct filch__timer *timer); /* instead of a waiter */
    struct filch__timer *child, *sibling;     /* the heap's */
    struct filch__timer *previous;            /* parent or elder sibling; NULL at the root */
    struct filch__timers *timers;             /* that it is set in, or NULL: fired or removed. Under the lock */
    bool calling;                             /* its call is being made. Under the lock */
};

struct filch__timers {
    struct filch__lock lock;
    struct filch__timer *root;
    uint64_t count;              /* set now */
    uint64_t set_count;          /* set ever */
    ATOMIC(int64_t) earliest_ns; /* of the root, or INT64_MAX: read without the lock as a hint */
};

void filch__timers_init(struct filch__timers *timers);
void filch__timers_fini(struct filch__timers *timers);

/* Sets `timer` to fire at `at_ns`. */
void filch__timer_set(struct filch__timers *timers, struct filch__timer *timer, struct filch__waiter *waiter,
                      int64_t at_ns);

/* Sets `timer` to make a call, which neither waits nor touches timers, without the lock. */
void filch__timer_set_call(struct filch__timers *timers, struct filch__timer *timer,
                           void (*call)(struct filch__timer *timer), int64_t at_ns);

/* Removes it if it has not fired; waits for the end of its call. Afterwards nobody touches it. */
void filch__timer_remove(struct filch__timers *timers, struct filch__timer *timer);

/* Removes it if it has not fired, and says whether. */
bool filch__timer_try_remove(struct filch__timers *timers, struct filch__timer *timer);

/* Fires all that are due at `now_ns`; returns how many. */
unsigned filch__timers_fire(struct filch__timers *timers, int64_t now_ns);

static inline int64_t filch__timers_earliest(struct filch__timers *timers) {
    return load_relaxed(&timers->earliest_ns); /* a hint; the worker that set it sees its own */
}

#endif
