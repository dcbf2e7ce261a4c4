/* SPDX-License-Identifier: MIT */
#include "sched/poller.h"

#include <sched.h>

#include "base/clock.h"
#include "sched/probe.h"
#include "sched/runtime.h"
#include "sched/trace.h"

unsigned filch__poller_fetch(struct filch__poller *poller, struct filch__poll_event *events, unsigned room,
                             int64_t until_ns) {
    unsigned count = poller->ops->wait(poller, events, room, until_ns);
    struct filch__worker *worker = filch__worker_current();
    count_up(&poller->looks, 1);
    probe1(poll, count);
    if (likely(worker != NULL)) {
        count_up(&worker->looks, 1);
        count_up(&worker->events, count);
        if (count > 0 && filch__traces(&worker->deque.hot)) filch__trace_poll(&worker->deque.hot, count);
    } else {
        count_up(&poller->looks_of_others, 1);
    }
    return count;
}

static bool hold_to_look(struct filch__poller *poller) {
    uint32_t nobody = HELD_NOT;
    /* relaxed: a glance, so that the line stays with who sleeps there; the CAS counts, and orders who looks after whom */
    return load_relaxed(&poller->held) == HELD_NOT && cas_acquire(&poller->held, &nobody, (uint32_t)HELD_LOOKS);
}

static never_inline bool look(struct filch__poller *poller) {
    struct filch__poll_event events[LOOK_BATCH];
    unsigned count = filch__poller_fetch(poller, events, LOOK_BATCH, 0);
    filch__poller_let_go(poller);
    if (count > 0) poller->ops->deliver(poller, events, count);
    return count > 0;
}

bool filch__poller_look(struct filch__poller *poller) {
    return hold_to_look(poller) && look(poller);
}

bool filch__poller_hold(struct filch__poller *poller) {
    for (unsigned tries = 0;; tries++) {
        uint32_t held = HELD_NOT;
        if (cas_seq_cst(&poller->held, &held, (uint32_t)HELD_SLEEPS)) return true;
        if (held == HELD_SLEEPS) return false;
        if (tries < 64) {
            spin_pause();
        } else {
            sched_yield(); /* who looks may have lost its processor */
        }
    }
}

void filch__poller_let_go(struct filch__poller *poller) {
    store_seq_cst(&poller->held, (uint32_t)HELD_NOT);
}

void filch__poller_answered(void) {
    struct filch__worker *worker = filch__worker_current();
    if (worker != NULL) worker->asked_at_ns = filch__clock_now();
}

/* Longer than tasks take that only ask again; what the system could do meanwhile is worth less. */
enum { MOMENT_NS = 10000 };

bool filch__poller_put_off(void) {
    struct filch__worker *worker = filch__worker_current();
    int64_t now_ns = filch__clock_now(), before_ns = worker->asked_at_ns;
    worker->asked_at_ns = now_ns;
    worker->minds &= ~(uint32_t)MINDS_PUT_OFF;
    if (now_ns - before_ns >= MOMENT_NS || !worker->runtime->monitor.on) return false;
    if (filch__runqueue_glance(&worker->runqueue) == NULL) return false;
    worker->minds |= MINDS_PUT_OFF;
    return true;
}

never_inline void filch__poller_flush(struct filch__worker *worker) {
    struct filch__poller *poller = load_relaxed(&worker->runtime->poller); /* it was there when something was put off */
    worker->minds &= ~(uint32_t)MINDS_PUT_OFF;
    poller->ops->flush(poller, false);
}

void filch__poller_flush_late(struct filch__worker *worker) {
    if (filch__clock_now() - worker->asked_at_ns >= MOMENT_NS) filch__poller_flush(worker);
}

bool filch__poller_look_after(struct filch__poller *poller) {
    if (poller->ops->flush != NULL) poller->ops->flush(poller, true);
    uint64_t looks = load_relaxed(&poller->looks); /* a glance */
    bool needed = looks == poller->looks_seen && load_relaxed(&poller->held) == HELD_NOT;
    if (needed) (void)filch__poller_look(poller);
    poller->looks_seen = load_relaxed(&poller->looks);
    return needed;
}
