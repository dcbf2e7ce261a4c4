/* SPDX-License-Identifier: MIT */
#include "sched/park.h"

#include "base/clock.h"
#include "base/futex.h"
#include "sched/probe.h"
#include "sched/region.h"
#include "sched/runtime.h"
#include "sched/sched.h"
#include "sched/task.h"

enum { FAR_OFF_NS = 100000000 };

static uintptr_t fresh_word(struct filch__waiter *waiter) {
    return (uintptr_t)waiter | WAIT_WORD;
}

static bool is_child(const struct filch__waiter *waiter) {
    return (uintptr_t)waiter->region & REGION_CHILD;
}

void filch__waiter_init(struct filch__waiter *waiter, const char *reason, const void *object) {
    struct filch__worker *worker = filch__worker_current();
    bool strand = worker != NULL && worker->stack != NULL;
    waiter->reason = reason;
    waiter->object = object;
    waiter->cancellable = false;
    waiter->chosen = 0;
    waiter->runtime = NULL;
    waiter->region = NULL;
    waiter->word = &waiter->own;
    if (likely(strand)) {
        waiter->runtime = worker->runtime;
        waiter->region = worker->deque.hot.region;
        waiter->since_ns = load_relaxed(&worker->runtime->coarse_ns); /* for reports */
        if (!is_child(waiter)) waiter->word = &region_task(waiter->region)->wait;
    }
    store_relaxed(waiter->word, fresh_word(waiter)); /* HINT; and whoever is shown the waiter is shown it in order */
}

static uintptr_t causes_of(struct filch__waiter *waiter) {
    return load_acquire(waiter->word) & WAITER_CAUSES; /* CAUSE */
}

/* Takes everything but GRANTED back, so that the strand can park again. False: it has been granted. */
static bool clear(struct filch__waiter *waiter) {
    uintptr_t word = load_acquire(waiter->word);
    while (!(word & WAITER_GRANTED)) {
        if (cas_acq_rel(waiter->word, &word, fresh_word(waiter))) return true;
    }
    return false;
}

/* ------------------------------------------------------------------------------------------------------ threads */

/* Threads of Linux have 32-bit futexes: the half of the word with the bits. */
static uint32_t *futex_of(struct filch__waiter *waiter) {
    return (uint32_t *)(void *)&waiter->own + (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__);
}

static uint32_t park_thread(struct filch__waiter *waiter, int64_t deadline_ns) {
    if (unlikely(deadline_ns == INT64_MAX && filch__process_is_forsaken())) filch__process_die(waiter->reason);
    for (;;) {
        uintptr_t word = or_acq_rel(&waiter->own, (uintptr_t)WAITER_PARKED) | WAITER_PARKED; /* CAUSE */
        if (word & WAITER_GRANTED) return WAITER_GRANTED;
        if (word & WAITER_EXPIRED) return WAITER_EXPIRED;
        if (!filch__futex_wait(futex_of(waiter), (uint32_t)word, deadline_ns)) {
            or_acq_rel(&waiter->own, (uintptr_t)WAITER_EXPIRED);
        }
    }
}

/* ------------------------------------------------------------------------------------------------------ strands */

/* The causes. If there is none but RECHECK, that is taken back: a timer fires once, so EXPIRED is never lost here. */
static uintptr_t causes_but_hints(struct filch__waiter *waiter) {
    uintptr_t word = load_acquire(waiter->word); /* CAUSE */
    while (!(word & (WAITER_GRANTED | WAITER_EXPIRED))) {
        if (cas_acq_rel(waiter->word, &word, fresh_word(waiter))) return 0;
    }
    return word & (WAITER_GRANTED | WAITER_EXPIRED);
}

/* Gives the worker up until there is a cause. */
static inline void leave(struct filch__waiter *waiter) {
    if (causes_of(waiter) != 0) return;
    struct filch__worker *worker = filch__worker_current();
    count_up(&worker->parks, 1);
    probe4(wait, waiter, waiter->region, waiter->reason, waiter->object);
    filch__worker_leave(worker, waiter, LAND_PARK, filch__worker_next(worker));
}

static void park_strand(struct filch__waiter *waiter) {
    waiter->cancellable = false;
    while (clear(waiter)) leave(waiter);
}

/* Looks whether the strand is cancelled, so that whatever changes after this look is told of by a change of the hints. */
static inline bool is_cancelled(struct filch__waiter *waiter) {
    struct filch_task *task = region_task(waiter->region);
    waiter->hints = load_seq_cst(&task->hints); /* HINT */
    bool plain = !region_is_open(waiter->region) && !(load_relaxed(&task->flags) & (TASK_SCOPED | TASK_IN_PLACE));
    if (likely(plain)) return waiter->hints & TASK_CANCELLED; /* relaxed: written by its spawner, or by who calls it */
    bool own = !is_child(waiter);
    if (filch__strand_is_cancelled(waiter->region)) return true;
    if (own) waiter->hints |= TASK_SEEN; /* as it has noted there; or somebody has hinted, and they differ */
    return false;
}

static force_inline uint32_t wait_for_cause(struct filch__waiter *waiter) {
    for (;;) {
        if (waiter->cancellable && is_cancelled(waiter)) {
            return causes_of(waiter) & WAITER_GRANTED ? WAITER_GRANTED : WAITER_CANCELLED;
        }
        leave(waiter);
        uintptr_t causes = causes_but_hints(waiter);
        if (causes & WAITER_GRANTED) return WAITER_GRANTED;
        if (causes != 0) return waiter->cancellable && is_cancelled(waiter) ? WAITER_CANCELLED : WAITER_EXPIRED;
    }
}

/* A child's wait that can be cancelled is listed, for filch__task_hint. */
static void list_child(struct filch__waiter *waiter) {
    struct filch_runtime *runtime = waiter->runtime;
    filch__lock_take(&runtime->children_lock);
    waiter->child_of = region_task(waiter->region);
    waiter->child_next = runtime->children;
    waiter->child_link = &runtime->children;
    if (runtime->children != NULL) runtime->children->child_link = &waiter->child_next;
    runtime->children = waiter;
    filch__lock_leave(&runtime->children_lock);
}

static void unlist_child(struct filch__waiter *waiter) {
    struct filch_runtime *runtime = waiter->runtime;
    filch__lock_take(&runtime->children_lock);
    *waiter->child_link = waiter->child_next;
    if (waiter->child_next != NULL) waiter->child_next->child_link = waiter->child_link;
    filch__lock_leave(&runtime->children_lock);
}

/*
 * Whether the deadline has passed. To read the clock costs as much as to set a timer and to remove it. So it is not read
 * where by what the worker has seen of it there is much time left. If a task has run for all that time since, its timer
 * is set too late, and fires when the worker looks for the next.
 */
static bool has_passed(struct filch__timers *timers, int64_t deadline_ns) {
    int64_t seen_ns = filch__timers_seen(timers);
    if (deadline_ns <= seen_ns) return true;
    if (deadline_ns - seen_ns > FAR_OFF_NS) return false;
    return deadline_ns <= filch__timers_saw(timers, filch__clock_now());
}

static never_inline uint32_t wait_timed(struct filch__waiter *waiter, filch_deadline deadline) {
    struct filch__timers *timers = &filch__worker_current()->timers;
    if (has_passed(timers, deadline.at_ns)) {
        filch__spend(); /* a loop of such calls gives way to others as well */
        return causes_of(waiter) & WAITER_GRANTED ? WAITER_GRANTED : WAITER_EXPIRED;
    }
    struct filch__timer timer;
    filch__timer_set(timers, &timer, waiter, deadline.at_ns);
    uint32_t cause = wait_for_cause(waiter);
    filch__timer_remove(timers, &timer);
    return cause;
}

static force_inline uint32_t wait_until(struct filch__waiter *waiter, filch_deadline deadline) {
    return likely(deadline.at_ns == INT64_MAX) ? wait_for_cause(waiter) : wait_timed(waiter, deadline);
}

/* --------------------------------------------------------------------------------------------------------- park */

void filch__park(struct filch__waiter *waiter) {
    if (waiter->runtime == NULL) {
        while (clear(waiter)) park_thread(waiter, INT64_MAX);
    } else {
        park_strand(waiter);
    }
}

uint32_t filch__park_until(struct filch__waiter *waiter, filch_deadline deadline) {
    if (waiter->runtime == NULL) return park_thread(waiter, deadline.at_ns);
    waiter->cancellable = false;
    return wait_until(waiter, deadline);
}

uint32_t filch__park_cancellable(struct filch__waiter *waiter, filch_deadline deadline) {
    if (waiter->runtime == NULL) return park_thread(waiter, deadline.at_ns);
    waiter->cancellable = true;
    if (likely(!is_child(waiter))) return wait_until(waiter, deadline);
    list_child(waiter);
    uint32_t cause = wait_until(waiter, deadline);
    unlist_child(waiter);
    return cause;
}

/* --------------------------------------------------------------------------------------------------------- wake */

/* A worker of its own runtime has set the bit, or the waiter will be made runnable by who leaves it. */
static force_inline void wake_from_inside(struct filch__worker *worker, struct filch__waiter *waiter, uintptr_t bit,
                                          bool in_turn) {
    if (!is_parked_alone(add_acq_rel(waiter->word, bit))) return; /* CAUSE, SAVED */
    if (in_turn) filch__worker_enqueue(worker, item_of_strand(waiter));
    if (!in_turn) filch__worker_ready(worker, waiter);
}

/* Apart, so that who is not traced need save no registers. */
static never_inline void wake_traced(struct filch__worker *worker, struct filch__waiter *waiter, uintptr_t bit,
                                     bool in_turn) {
    filch__trace_wake(&worker->deque.hot, waiter);
    wake_from_inside(worker, waiter, bit, in_turn);
}

/* A worker of the runtime keeps it alive by being one; anyone else must enter it before the waiter can go on. */
static never_inline void wake_from_outside(struct filch__waiter *waiter, uintptr_t cause) {
    struct filch_runtime *runtime = waiter->runtime;
    if (unlikely(filch__runtime_is_parents(runtime))) return; /* a copy of who waits there */
    filch__trace_wake_outside(runtime, waiter);               /* the waiter has not been woken yet, and keeps it */
    filch__runtime_enter(runtime);
    if (is_parked_alone(add_acq_rel(waiter->word, cause))) { /* CAUSE, SAVED */
        filch__inject_push(&runtime->inject, item_of_strand(waiter));
        filch__idle_notify(runtime);
    }
    filch__runtime_leave(runtime);
}

void filch__wake(struct filch__waiter *waiter, uint32_t cause) {
    struct filch__worker *worker = filch__worker_current();
    uintptr_t bit = cause;
    probe1(wake, waiter);
    if (waiter->runtime == NULL) {
        /* The futex word may be gone after the or: see futex.h. */
        uint32_t *futex = futex_of(waiter);
        if (is_parked_alone(add_acq_rel(&waiter->own, bit))) filch__futex_wake(futex, 1); /* CAUSE */
    } else if (worker == NULL || worker->runtime != waiter->runtime) {
        wake_from_outside(waiter, bit);
    } else if (filch__traces(&worker->deque.hot)) {
        wake_traced(worker, waiter, bit, false);
    } else {
        wake_from_inside(worker, waiter, bit, false);
    }
}

void filch__wake_in_turn(struct filch__waiter *waiter, uint32_t cause) {
    struct filch__worker *worker = filch__worker_current();
    uintptr_t bit = cause;
    if (worker == NULL || worker->runtime != waiter->runtime) {
        filch__wake(waiter, cause);
        return;
    }
    probe1(wake, waiter);
    if (filch__traces(&worker->deque.hot)) {
        wake_traced(worker, waiter, bit, true);
    } else {
        wake_from_inside(worker, waiter, bit, true);
    }
}

/* --------------------------------------------------------------------------------------------------------- hint */

/* `waiter` is the caller's to make runnable. To the run queue: many may be hinted at a time. */
static void make_runnable(struct filch_runtime *runtime, struct filch__waiter *waiter) {
    struct filch__worker *worker = filch__worker_current();
    if (worker != NULL && worker->runtime == runtime) {
        if (filch__traces(&worker->deque.hot)) filch__trace_wake(&worker->deque.hot, waiter);
        filch__worker_enqueue(worker, item_of_strand(waiter));
    } else {
        filch__trace_wake_outside(runtime, waiter);
        filch__inject_push(&runtime->inject, item_of_strand(waiter));
        filch__idle_notify(runtime);
    }
}

static void recheck(struct filch_runtime *runtime, ATOMIC(uintptr_t) * word) {
    uintptr_t seen = load_seq_cst(word); /* HINT */
    while (wait_word_is_of_waiter(seen) && !(seen & WAITER_CAUSES)) {
        if (!cas_seq_cst(word, &seen, seen | WAITER_RECHECK)) continue;
        if (seen & WAITER_PARKED) make_runnable(runtime, wait_word_waiter(seen)); /* SAVED */
        return;
    }
}

static void hint_children(struct filch_runtime *runtime, struct filch_task *task) {
    filch__lock_take(&runtime->children_lock);
    for (struct filch__waiter *waiter = runtime->children; waiter != NULL; waiter = waiter->child_next) {
        if (waiter->child_of == task) recheck(runtime, &waiter->own);
    }
    filch__lock_leave(&runtime->children_lock);
}

struct filch_task *filch__task_hint(struct filch_runtime *runtime, struct filch_task *task) {
    struct filch__worker *worker = filch__worker_current();
    bool outside = worker == NULL || worker->runtime != runtime;
    if (outside) filch__runtime_enter(runtime);
    uint16_t hints = load_relaxed(&task->hints); /* a first guess for the CAS */
    while (!cas_seq_cst(&task->hints, &hints, (uint16_t)((hints + TASK_HINT) & ~TASK_SEEN))) continue; /* HINT */
    if (load_seq_cst(&task->flags) & TASK_FORKED) hint_children(runtime, task);
    uintptr_t word = load_seq_cst(&task->wait);
    struct filch_task *called = NULL;
    if (word & WAIT_IN_PLACE) {
        called = (struct filch_task *)(word & ~(WAIT_IN_PLACE | WAITER_BITS));
    } else {
        recheck(runtime, &task->wait);
    }
    if (outside) filch__runtime_leave(runtime);
    return called;
}

/* After PARKED was set for a waiter, of `task`, that had seen `hints`: HINT's other half. The waiter may be gone. */
void filch__park_check(struct filch_runtime *runtime, struct filch_task *task, uint16_t hints) {
    if (load_seq_cst(&task->hints) != hints) recheck(runtime, &task->wait);
}

/* --------------------------------------------------------------------------------------------------------- look */

/* Sets RECHECK in the word of a strand that is parked, so that it is the caller's to make runnable; 0: it is not. */
static uintptr_t hold(ATOMIC(uintptr_t) * word) {
    uintptr_t seen = load_seq_cst(word);
    while (wait_word_is_of_waiter(seen) && is_parked_alone(seen)) {
        if (cas_seq_cst(word, &seen, seen | WAITER_RECHECK)) return seen; /* SAVED */
    }
    return 0;
}

/*
 * A cause that comes meanwhile finds RECHECK, and leaves it to us to make the strand runnable. A hint that comes meanwhile
 * finds a cause and does nothing more: hence the look at the hints at the end.
 */
bool filch__park_look(struct filch_runtime *runtime, struct filch_task *task,
                      void (*look)(const struct filch__waiter *waiter, void *arg), void *arg) {
    bool held = false;
    filch__runtime_enter(runtime);
    uintptr_t before = hold(&task->wait);
    if (before != 0) {
        held = true;
        struct filch__waiter *waiter = wait_word_waiter(before);
        bool cancellable = waiter->cancellable;
        uint16_t hints = waiter->hints;
        look(waiter, arg);
        uintptr_t now = before | WAITER_RECHECK;
        if (!cas_seq_cst(&task->wait, &now, before)) {
            make_runnable(runtime, waiter);
        } else if (cancellable) {
            filch__park_check(runtime, task, hints);
        }
    }
    filch__runtime_leave(runtime);
    return held;
}
