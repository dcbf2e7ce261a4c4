/* SPDX-License-Identifier: MIT */
/*
 * Park and wake: the two verbs under everything that waits. Whoever wants to wait makes a waiter on its own stack, shows
 * it to whoever is to wake it, and parks; a waker names its cause. The waiter is a strand (a task, or a forked child of
 * one) that gives its worker up, or a thread that is no worker and sleeps on a futex.
 *
 * The state word is a set of bits, and is changed by fetch_or alone while others know of the waiter:
 *
 *   PARKED   its context is saved: set by the worker that it left, after the switch; by a thread before it sleeps
 *   GRANTED  what it waits for has come about: set by the one who made it so
 *   EXPIRED  its deadline has passed: set by whoever fires its timer, under the timers' lock
 *
 * Of the one who sets PARKED and the first who sets a cause, the later one sees the other's bit, and makes the waiter
 * runnable: exactly one does. A cause that comes second changes nothing but its bit. Setting the bit is the waker's last
 * access to the waiter, unless it is the one that makes it runnable, and then the waiter does not run before that is done.
 *
 * Edges
 *   SAVED   PARKED by the worker that was left (acq_rel) -> the waker that sees it (acq_rel)   carries the context
 *   CAUSE   the waker's bit (acq_rel) -> the waiter, when it goes on (acquire)                 carries what came about
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
    WAITER_PARKED = 1,
    WAITER_GRANTED = 2,
    WAITER_EXPIRED = 4,
    WAITER_CAUSES = WAITER_GRANTED | WAITER_EXPIRED,
};

struct filch__waiter {
    /* written by its own strand before it is shown to anyone */
    struct filch_runtime *runtime; /* NULL: a thread that is no worker */
    struct filch_task *task;
    struct filch__stack *stack;
    const char *reason; /* what kind of wait, for reports; static text */
    const void *object; /* what it waits for, for reports */

    /* the worker that it leaves writes it, after the switch (SAVED) */
    void *context;

    /* any thread, atomic; a thread's futex word */
    ATOMIC(uint32_t) state;

    /* whoever grants, before it does */
    int result; /* of the task that is awaited */

    /* whoever has made it runnable */
    ATOMIC(void *) link; /* of the inject queue */
};

/* Makes `waiter` the caller's. */
void filch__waiter_init(struct filch__waiter *waiter, const char *reason, const void *object);

/* Waits until there is a cause; returns the causes. May be called again after EXPIRED was withdrawn. */
uint32_t filch__park(struct filch__waiter *waiter);

/*
 * As filch__park, but also until `deadline`, and then the causes hold EXPIRED. No timer is left behind. A deadline that
 * has passed already is EXPIRED at once, unless there is another cause.
 */
uint32_t filch__park_until(struct filch__waiter *waiter, filch_deadline deadline);

/* Takes EXPIRED (and PARKED) back, so that the waiter can wait on for its other cause. */
void filch__waiter_unexpire(struct filch__waiter *waiter);

/* Gives `waiter` a cause. From any thread. Afterwards the waiter may be gone. */
void filch__wake(struct filch__waiter *waiter, uint32_t cause);

#endif
