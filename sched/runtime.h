/* SPDX-License-Identifier: MIT */
/* A runtime's inside. Private to sched/. */
#ifndef FILCH_SCHED_RUNTIME_H
#define FILCH_SCHED_RUNTIME_H

#include <filch/runtime.h>

#include "alloc/alloc.h"
#include "sched/blocking.h"
#include "sched/child.h"
#include "sched/debug.h"
#include "sched/idle.h"
#include "sched/inject.h"
#include "sched/interrupt.h"
#include "sched/monitor.h"
#include "sched/poller.h"
#include "sched/sim.h"
#include "sched/stock.h"
#include "sched/trace.h"
#include "sched/worker.h"

struct filch_runtime {
    /* read-only after init */
    char name[16];
    unsigned worker_count;
    unsigned search_max; /* how many workers may search at once */
    unsigned stack_class;
    filch_poller poller_wish;
    uint32_t process;      /* the number of the one it was made in: sched/child.h */
    uint32_t namesake;     /* from 1: tells those of the same name apart, while they live: sched/quit.c */
    ATOMIC(bool) closable; /* membarrier(2) is to be had, and lists may be private; once false, for good */
    struct filch__worker *workers;
    uint64_t seed;
    bool simulated; /* sched/sim.h */
    filch_deadlock on_deadlock;
    struct filch__debug debug;
    uint8_t task_flags; /* that every task begins with */

    /* the monitor writes, any thread reads */
    ATOMIC(uint32_t) worker_known; /* workers, and the spares that were made after them */
    ATOMIC(struct filch__worker *) spares[SPARES_MAX];

    /* any thread */
    struct filch__monitor monitor;
    struct filch__blocking blocking;
    struct filch__interrupt interrupt;
    struct filch__idle idle;
    struct filch__inject inject;
    ATOMIC(struct filch__trace *) trace;      /* NULL, until it is traced; then for good: sched/trace.h */
    ATOMIC(struct filch__poller *) poller;    /* NULL, until a descriptor is used */
    struct filch__lock poller_lock;           /* over its making */
    struct filch__lock children_lock;         /* over the next */
    struct filch__waiter *children;           /* that wait, and whose wait can be cancelled: sched/park.h */
    ATOMIC(uint32_t) cancelled cache_aligned; /* 1: every task is cancelled, and those to come */
    ATOMIC(int64_t) coarse_ns;                /* about now: the clock as somebody has lately read it */
    ATOMIC(uint32_t) ending cache_aligned;    /* 1: workers stop */
    ATOMIC(uint32_t) closed;                  /* 1: no more tasks from outside */
    ATOMIC(uint32_t) entering;                /* threads that are spawning or waking from outside just now */
    ATOMIC(uint32_t) quiet;                   /* a futex: counts up when a worker goes to sleep while somebody waits */
    ATOMIC(uint32_t) quiet_waiters;
    ATOMIC(uint64_t) spawned_outside; /* tasks spawned by threads that are no workers of this runtime */

    /* last: what stands before it is zeroed for the next, where the stock is kept */
    struct filch__stock stock;
    struct filch_runtime *next; /* of those that are kept, while it is none */
};

/* Its memory; the parts have been finished. */
void filch__runtime_free(struct filch_runtime *runtime);

/* How many workers there are to be looked at, spares included. Only grows. */
static inline unsigned filch__runtime_known(struct filch_runtime *runtime) {
    return load_seq_cst(&runtime->worker_known); /* KNOWN */
}

/* One of these. Those that the runtime was made with come first. */
static inline struct filch__worker *filch__runtime_worker(struct filch_runtime *runtime, unsigned index) {
    if (likely(index < runtime->worker_count)) return &runtime->workers[index];
    return load_relaxed(&runtime->spares[index - runtime->worker_count]); /* KNOWN */
}

/* Makes another spare, which is retired. False: no memory, no thread, or there are SPARES_MAX. By the monitor. */
bool filch__runtime_add_spare(struct filch_runtime *runtime);

/*
 * Between these two, the runtime is not destroyed under a thread that is none of its workers; short, and without waiting.
 * The caller must know otherwise that the runtime exists when it enters. Leaving is its last access.
 */
static inline void filch__runtime_enter(struct filch_runtime *runtime) {
    add_seq_cst(&runtime->entering, 1);
}

static inline void filch__runtime_leave(struct filch_runtime *runtime) {
    sub_seq_cst(&runtime->entering, 1);
}

/* It belongs to the process that this one was forked from. */
static inline bool filch__runtime_is_parents(const struct filch_runtime *runtime) {
    return runtime->process != filch__process_number();
}

/*
 * Gives the runtime its poller, under the poller lock: workers that sleep by then have looked for one before, so one of
 * them is woken to sleep there.
 */
void filch__runtime_set_poller(struct filch_runtime *runtime, struct filch__poller *poller);

/* Tells whoever waits for all tasks to end that a worker has run out of work. */
void filch__runtime_quiet(struct filch_runtime *runtime);

/* Cancels every task there is: after `cancelled` was set. sched/scope.c. */
void filch__runtime_cancel_again(struct filch_runtime *runtime);

/* ------------------------------------------------------------------------------------------ sched/overflow.c */

/* Has stack overflows of the calling thread's tasks reported; `memory` is for its signal stack. */
void filch__overflow_watch(void *memory, size_t size);
void filch__overflow_unwatch(void);
size_t filch__overflow_stack_size(void);

#endif
