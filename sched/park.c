/* SPDX-License-Identifier: MIT */
#include "sched/park.h"

#include "base/clock.h"
#include "base/futex.h"
#include "sched/runtime.h"
#include "sched/task.h"

void filch__waiter_init(struct filch__waiter *waiter, const char *reason, const void *object) {
    struct filch__worker *worker = filch__worker_current();
    bool strand = worker != NULL && worker->stack != NULL;
    *waiter = (struct filch__waiter){
        .runtime = strand ? worker->runtime : NULL,
        .reason = reason,
        .object = object,
    };
}

static uint32_t park_thread(struct filch__waiter *waiter, int64_t deadline_ns) {
    for (;;) {
        uint32_t state = or_acq_rel(&waiter->state, WAITER_PARKED) | WAITER_PARKED;
        if (state & WAITER_CAUSES) return state & WAITER_CAUSES;
        if (!filch__futex_wait(&waiter->state, state, deadline_ns)) {
            return or_acq_rel(&waiter->state, WAITER_EXPIRED) & WAITER_GRANTED ? WAITER_GRANTED : WAITER_EXPIRED;
        }
    }
}

uint32_t filch__park(struct filch__waiter *waiter) {
    if (waiter->runtime == NULL) return park_thread(waiter, INT64_MAX);
    if (!(load_acquire(&waiter->state) & WAITER_CAUSES)) {
        struct filch__worker *worker = filch__worker_current();
        count_up(&worker->parks, 1);
        filch__worker_leave(worker, waiter, LAND_PARK, filch__worker_next(worker));
    }
    return load_acquire(&waiter->state) & WAITER_CAUSES; /* CAUSE */
}

uint32_t filch__park_until(struct filch__waiter *waiter, filch_deadline deadline) {
    if (deadline.at_ns == INT64_MAX) return filch__park(waiter);
    if (waiter->runtime == NULL) return park_thread(waiter, deadline.at_ns);
    if (deadline.at_ns <= 0 || deadline.at_ns <= filch__clock_now()) {
        uint32_t before = or_acq_rel(&waiter->state, WAITER_EXPIRED); /* CAUSE */
        return before & WAITER_GRANTED ? WAITER_GRANTED : WAITER_EXPIRED;
    }
    struct filch__timers *timers = &filch__worker_current()->timers;
    struct filch__timer timer;
    filch__timer_set(timers, &timer, waiter, deadline.at_ns);
    filch__park(waiter);
    filch__timer_remove(timers, &timer);
    return load_acquire(&waiter->state) & WAITER_CAUSES; /* CAUSE */
}

void filch__waiter_unexpire(struct filch__waiter *waiter) {
    uint32_t state = load_acquire(&waiter->state);
    while (!(state & WAITER_GRANTED) && !cas_acq_rel(&waiter->state, &state, 0)) continue;
}

/* A worker of the runtime keeps it alive by being one; anyone else must enter it before the waiter can go on. */
static void wake_from_outside(struct filch__waiter *waiter, uint32_t cause) {
    struct filch_runtime *runtime = waiter->runtime;
    filch__runtime_enter(runtime);
    if (or_acq_rel(&waiter->state, cause) == WAITER_PARKED) { /* CAUSE, SAVED */
        filch__inject_push(&runtime->inject, item_of_strand(waiter));
        filch__idle_notify(runtime);
    }
    filch__runtime_leave(runtime);
}

void filch__wake(struct filch__waiter *waiter, uint32_t cause) {
    struct filch__worker *worker = filch__worker_current();
    if (waiter->runtime == NULL) {
        /* The futex word may be gone after the or: see futex.h. */
        if (or_acq_rel(&waiter->state, cause) == WAITER_PARKED) filch__futex_wake(&waiter->state, 1); /* CAUSE */
    } else if (worker != NULL && worker->runtime == waiter->runtime) {
        if (or_acq_rel(&waiter->state, cause) == WAITER_PARKED) filch__worker_ready(worker, waiter); /* CAUSE, SAVED */
    } else {
        wake_from_outside(waiter, cause);
    }
}
