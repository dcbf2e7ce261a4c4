/* SPDX-License-Identifier: MIT */
/*
 * Park and wake: the two verbs under everything that waits. Whoever wants to wait makes a waiter on its own stack, shows
 * it to whoever is to wake it, and parks; a waker names its cause. The waiter is a strand (a task, or a forked child of
 * one) that gives its worker up, or a thread that is no worker and sleeps on a futex.
 *
 * The wait word is the waiter's address and, in its low bits,
 *
 *   PARKED   its context is saved: set by the worker that it left, after the switch; by a thread before it sleeps
 *   GRANTED  what it waits for has come about: set by the one who made it so
 *   EXPIRED  its deadline has passed: set by whoever fires its timer; the wait does not end before that is done
 *   RECHECK  somebody may have cancelled it: it is to look for itself
 *
 * Of the one who sets PARKED and the first who sets one of the others, a cause, the later one sees the other's bit, and
 * makes the waiter runnable: exactly one does. A cause that comes second changes nothing but its bit. Setting the bit is
 * the waker's last access to the waiter, unless it is the one that makes it runnable, and then the waiter does not run
 * before that is done. The waiter clears bits only while it runs, and never GRANTED. PARKED, GRANTED and EXPIRED are each
 * set by one party, once in a wait, hence by addition, which tells what was there before in one instruction.
 *
 * Where the word stands. A task has one strand of its own, and any number of forked children that were taken by other
 * workers. Its own strand's word is in the task's record (`wait`), which is memory that stays a task record as long as
 * the runtime lives: so who cancels the task can set RECHECK there by a CAS without knowing whether the waiter still
 * exists. A RECHECK too many does no harm. A child's word is in its waiter, and if its wait can be cancelled, the waiter
 * is on the runtime's list of such, under a lock. A thread's is in its waiter; nobody cancels it.
 *
 * Cancelling counts the task's `hints` up before it looks for waiters; a strand reads them before it looks whether it is
 * cancelled, and whoever has set PARKED for it looks whether they have changed since.
 *
 * Edges
 *   SAVED   PARKED by the worker that was left (seq_cst) -> the waker that sees it (acq_rel)   carries the context
 *   CAUSE   the waker's bit (acq_rel) -> the waiter, when it goes on (acquire)                 carries what came about
 *   HINT    cancel: hints (seq_cst RMW), then the wait word (seq_cst)  <->  park: the wait word (relaxed), PARKED in it
 *           (seq_cst RMW), then hints (seq_cst): they cannot both miss the other
 */
#ifndef FILCH_SCHED_PARK_H
#define FILCH_SCHED_PARK_H

#include <filch/task.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/atomic.h"

struct filch__stack;
struct filch_runtime;

enum {
    WAIT_WORD = 3, /* both low bits: that it is a wait word at all. No link of a list has both: see sched/item.h */
    WAITER_PARKED = 4,
    WAITER_GRANTED = 8,
    WAITER_EXPIRED = 16,
    WAITER_RECHECK = 32,
    WAITER_CAUSES = WAITER_GRANTED | WAITER_EXPIRED | WAITER_RECHECK,
    WAITER_BITS = 63,
    WAITER_CANCELLED = 64, /* never in the word: what a park that can be cancelled returns */
};

/* In the wait word of a task's record: it has called the task at the address in place, and has no waiter. */
#define WAIT_IN_PLACE ((uintptr_t)1 << 63)

static inline bool wait_word_is_of_waiter(uintptr_t word) {
    return (word & (WAIT_IN_PLACE | WAIT_WORD)) == WAIT_WORD;
}

struct filch__waiter {
    /* written by its own strand before it is shown to anyone */
    ATOMIC(uintptr_t) * word;
    struct filch_runtime *runtime; /* NULL: a thread that is no worker */
    void *region;                  /* what it runs in: sched/region.h */
    struct filch__stack *stack;
    const char *reason; /* what kind of wait, for reports; static text */
    const void *object; /* what it waits for, for reports */
    int64_t since_ns;   /* when it was made, about: see filch__runtime_coarse_now */
    uint16_t hints;     /* of its task, when it last looked whether it is cancelled */
    bool cancellable;   /* this wait is */

    /* the worker that it leaves writes it, after the switch (SAVED) */
    void *context;

    /* any thread, atomic */
    ATOMIC(uintptr_t) own; /* the wait word of who has it not in a task's record; its low half is a thread's futex */

    /* whoever grants, before it does */
    int result;

    /* any thread, atomic: a wait with several clauses is decided by who changes it from 0. See sched/waitlist.h */
    ATOMIC(uint32_t) chosen;

    /* under the runtime's lock of children */
    struct filch__waiter *child_next, **child_link;
    struct filch_task *child_of;

    /* whoever has made it runnable */
    ATOMIC(void *) link; /* of the inject queue */
} __attribute__((aligned(64)));

static inline struct filch__waiter *wait_word_waiter(uintptr_t word) {
    return (struct filch__waiter *)(word & ~(uintptr_t)WAITER_BITS);
}

/* A bit that makes nothing runnable yet was set: whether the setter is to do it. */
static inline bool is_parked_alone(uintptr_t before) {
    return (before & (WAITER_PARKED | WAITER_CAUSES)) == WAITER_PARKED;
}

/* Makes `waiter` the caller's. */
void filch__waiter_init(struct filch__waiter *waiter, const char *reason, const void *object);

/* Waits until it is granted. */
void filch__park(struct filch__waiter *waiter);

/*
 * As filch__park, but also until `deadline`; returns GRANTED or else EXPIRED. No timer is left behind. A deadline that
 * has passed already is EXPIRED at once, unless it has been granted; after a long run without a look at the clock, when
 * the worker next looks at its timers.
 */
uint32_t filch__park_until(struct filch__waiter *waiter, filch_deadline deadline);

/* As filch__park_until, but also until the strand is cancelled: GRANTED, or else CANCELLED, or else EXPIRED. */
uint32_t filch__park_cancellable(struct filch__waiter *waiter, filch_deadline deadline);

/* Gives `waiter` a cause. From any thread. Afterwards the waiter may be gone. */
void filch__wake(struct filch__waiter *waiter, uint32_t cause);

/*
 * As filch__wake, but behind what is runnable already, and not before it: where many are woken at a time. From a worker of
 * its runtime, or from a thread that is no worker at all.
 */
void filch__wake_in_turn(struct filch__waiter *waiter, uint32_t cause);

/* Grants `waiter` what it waits for, with `result`. From any thread. Afterwards the waiter may be gone. */
static inline void filch__grant(struct filch__waiter *waiter, int result) {
    waiter->result = result; /* CAUSE carries it */
    filch__wake(waiter, WAITER_GRANTED);
}

/*
 * Sets RECHECK in the wait word of the own strand of `task`, which is one of `runtime`, and of those of its children whose
 * wait can be cancelled. Returns the task that it has called in place, or NULL. That one may have ended since: a hint is
 * one too many then, to whatever task has the record by now.
 */
struct filch_task *filch__task_hint(struct filch_runtime *runtime, struct filch_task *task);

/*
 * Calls `look` with the waiter of `task`'s own strand, if that is suspended; it does not go on meanwhile. `look` neither
 * waits nor wakes. False: it is not suspended.
 */
bool filch__park_look(struct filch_runtime *runtime, struct filch_task *task,
                      void (*look)(const struct filch__waiter *waiter, void *arg), void *arg);

/* After PARKED was set for a waiter of `task` that can be cancelled and had seen `hints`. The waiter may be gone. */
void filch__park_check(struct filch_runtime *runtime, struct filch_task *task, uint16_t hints);

/*
 * A hint that a parked strand will go on: `stands_at` is its waiter, or another record of its wait. That stands on its stack
 * in the midst of the frames that it will touch first, those of the wait and of the call that waits. The strand may be
 * gone by now: nothing is read.
 */
static inline void filch__strand_prefetch(const void *stands_at) {
    enum { BELOW = 448, ABOVE = 448, LINE = 64 };
    const char *at = stands_at;
    for (const char *line = at - BELOW; line < at + ABOVE; line += LINE) __builtin_prefetch(line, 1);
}

#endif
