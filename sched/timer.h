/* SPDX-License-Identifier: MIT */
/*
 * Timers of a worker: a hierarchical timing wheel (Varghese and Lauck 1987) of records that stand beside their waiters, so
 * that setting one needs no memory and cannot fail. Mostly set and fired by the worker, between two of its turns; set,
 * removed and fired by any; under a latch.
 *
 * Time is cut into ticks. What is due in a tick that has begun is in a pairing heap (Fredman, Sedgewick, Sleator, Tarjan
 * 1986), which has the exact order: by time, equal times in the order of setting. What is due later is in a slot. A slot of
 * level n lasts 128^n ticks, and a level is a ring of slots for two slots of the level above: the one that the current tick
 * is in, and the next. A timer goes to the lowest level that reaches as far.
 *
 * So a slot of a higher level may be emptied into lower ones all the while that the slot before it lasts: a few of its
 * timers each time that some are fired, so that none of those waits for a crowd to be moved. What is left when the slot
 * begins is moved then. A timer is moved once for each level at most; one that is removed before, as most are, has cost
 * two links of a list. The records stand on stacks, a page or more apart, so that to touch one is to wait for memory. Hence
 * a slot has several lanes: its records are fetched that many at a time.
 *
 * Invariants
 *   I1  The current tick only grows, and is not ahead of the clock. Nothing fires before its time.
 *   I2  While the latch is free, a slot that holds something begins after the current tick and within the reach of its
 *       ring, so that no two have one place there. Hence all that is in the heap is due before all that is in slots. Slots
 *       of one level do not overlap; a slot and those of lower levels may.
 *   I3  A timer that is removed is really gone: nothing refers to it afterwards. After it has fired nobody touches it once
 *       it is OFF, and who removes it waits for that. So whoever has removed it may let the record and the waiter go.
 *
 * A timer that fires gives its waiter the cause EXPIRED, or is called, without the latch: either may make system calls. It
 * is FIRING meanwhile. Several may fire at a time; each fires what it has taken in order.
 *
 * Edge
 *   FIRED   OFF by who fires (release) -> who removes (acquire)   carries the last access to the record and the waiter
 */
#ifndef FILCH_SCHED_TIMER_H
#define FILCH_SCHED_TIMER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/atomic.h"
#include "base/latch.h"
#include "sched/park.h"

enum {
    TIMER_TICK_BITS = 16, /* a tick lasts some 66 us, a slot of the next level 8 ms, then 1 s, then 2 minutes */
    TIMER_DIGIT_BITS = 7,
    TIMER_SLOTS = 2 << TIMER_DIGIT_BITS,                                             /* in a level */
    TIMER_LANES = 4,                                                                 /* lists in a slot */
    TIMER_LEVELS = (63 - TIMER_TICK_BITS + TIMER_DIGIT_BITS - 1) / TIMER_DIGIT_BITS, /* for all of time */
};

enum filch__timer_state {
    TIMER_OFF,    /* not set, removed, or fired */
    TIMER_SET,    /* in the heap or in a slot. To and from this state only under the latch */
    TIMER_FIRING, /* in neither; whoever fires it still touches it */
};

struct filch__timer {
    int64_t at_ns;
    uint64_t order; /* of setting: timers of the same time fire in it */
    struct filch__waiter *waiter;
    void (*call)(struct filch__timer *timer); /* instead of a waiter */
    struct filch__timer *next;     /* in its slot, among siblings in the heap, or among those taken to fire */
    struct filch__timer *previous; /* in its slot; parent or elder sibling in the heap. NULL: it is first */
    struct filch__timer *child;    /* the heap's */
    ATOMIC(uint32_t) state;
    uint16_t place; /* the number of its lane, slot by slot and level by level; or that it is in the heap */
};

struct filch__timers {
    struct filch__latch latch;
    uint32_t levels;             /* bit n: something is in level n */
    ATOMIC(int64_t) earliest_ns; /* of the heap's root; else when the first slot begins; or INT64_MAX */
    ATOMIC(int64_t) seen_ns;     /* the clock as the worker has read it last. Only the worker writes it */
    uint64_t tick;               /* the current one */
    struct filch__timer *root;   /* of the heap */
    uint64_t count;              /* set now */
    uint64_t set_count;          /* set ever */
    uint64_t filled[TIMER_LEVELS][TIMER_SLOTS / 64]; /* bit n % 64 of word n / 64: slot n of the ring holds something */
    struct filch__timer *slots[TIMER_LEVELS * TIMER_SLOTS][TIMER_LANES];
};

void filch__timers_init(struct filch__timers *timers);

/* The same for what is zeroed, or was used and of which none is set: the slots are not touched. */
void filch__timers_renew(struct filch__timers *timers);

/* Sets `timer` to fire at `at_ns`. */
void filch__timer_set(struct filch__timers *timers, struct filch__timer *timer, struct filch__waiter *waiter,
                      int64_t at_ns);

/* Sets `timer` to make a call, which neither waits nor touches timers. */
void filch__timer_set_call(struct filch__timers *timers, struct filch__timer *timer,
                           void (*call)(struct filch__timer *timer), int64_t at_ns);

/* Removes it if it has not fired, else waits until it has. Afterwards nobody touches it or its waiter. */
void filch__timer_remove(struct filch__timers *timers, struct filch__timer *timer);

/* Removes it if it has not fired, and says whether. */
bool filch__timer_try_remove(struct filch__timers *timers, struct filch__timer *timer);

/* Fires all that are due at `now_ns`; returns how many. */
unsigned filch__timers_fire(struct filch__timers *timers, int64_t now_ns);

/*
 * Not later than the earliest that is set; INT64_MAX: none is. Exact for what is due in the current tick. A hint; the
 * worker that set it sees its own.
 */
static inline int64_t filch__timers_earliest(struct filch__timers *timers) {
    return load_relaxed(&timers->earliest_ns);
}

/* The same, and exact where few are set: until when a worker may sleep without waking for nothing. */
int64_t filch__timers_sleep_until(struct filch__timers *timers);

/*
 * What the worker knows of the clock: it has read `now_ns`. Relaxed: whoever reads it learns no more than that this much
 * time has passed.
 */
static inline int64_t filch__timers_saw(struct filch__timers *timers, int64_t now_ns) {
    store_relaxed(&timers->seen_ns, now_ns);
    return now_ns;
}

static inline int64_t filch__timers_seen(struct filch__timers *timers) {
    return load_relaxed(&timers->seen_ns);
}

#endif
