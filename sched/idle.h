/* SPDX-License-Identifier: MIT */
/*
 * Who is idle: the workers of a runtime that search and those that sleep, and how none sleeps while there is work.
 * The protocol and its argument are in sched/idle.c.
 */
#ifndef FILCH_SCHED_IDLE_H
#define FILCH_SCHED_IDLE_H

#include <stdbool.h>

#include "base/atomic.h"
#include "base/lock.h"

struct filch__worker;
struct filch_runtime;

struct filch__idle {
    ATOMIC(uint64_t) word cache_aligned; /* searching in the low half, sleeping in the high half */

    struct filch__lock lock cache_aligned; /* over the list, and over changes of the high half */
    struct filch__worker *sleepers;        /* who slept last is first: its caches are the warmest */

    struct filch__lock share_lock; /* over the workers' `asking` */
};

void filch__idle_init(struct filch__idle *idle);
void filch__idle_fini(struct filch__idle *idle);

static inline uint32_t idle_searching(uint64_t word) {
    return (uint32_t)word;
}

static inline uint32_t idle_sleeping(uint64_t word) {
    return (uint32_t)(word >> 32);
}

/*
 * Wakes a worker if one sleeps and none searches. After work was published by a seq_cst store (the WAKE edge of each
 * queue). From any thread.
 */
void filch__idle_notify(struct filch_runtime *runtime);

/* Wakes `worker` if it sleeps, to look at what concerns it alone: its timers. From any thread. */
void filch__idle_rouse(struct filch__worker *worker);

/* Finds something to do for a worker that has nothing, sleeping as needed. NULL: the runtime ends. */
void *filch__idle_find(struct filch__worker *worker);

/* Retires `count` spares: those that sleep at once, the others when they see that they have been dismissed. */
void filch__idle_retire(struct filch_runtime *runtime, unsigned count);

/* Has a retired spare work again, as a searcher. False: there is none. */
bool filch__idle_unretire(struct filch_runtime *runtime);

/* A new spare, which is retired, waits until it is to work. */
void filch__idle_wait_retired(struct filch__worker *spare);

/* The worker blocks from now on, or does no more. Whether as many as the runtime was made with can still run. */
bool filch__idle_block(struct filch__worker *worker);
void filch__idle_unblock(struct filch__worker *worker);

/* The runtime's only worker is alone again, if no spare is at work. */
void filch__idle_leave_alone(struct filch_runtime *runtime);

/*
 * The caller, or who it has retired, was relied on to find what has been published, or to sleep in the poller, and will do
 * neither: has a sleeper do so.
 */
void filch__idle_hand_over(struct filch_runtime *runtime);

/* Wakes everybody, to look at the runtime's `ending`. */
void filch__idle_wake_all(struct filch_runtime *runtime);

#endif
