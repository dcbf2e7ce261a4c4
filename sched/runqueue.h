/* SPDX-License-Identifier: MIT */
/*
 * A growable FIFO of items with one producer, its worker, and many consumers: the worker takes the oldest, a thief takes
 * the older half. All of them take by a CAS of `head`, so that taking several at once is as safe as taking one.
 *
 *                    owner worker    any other worker
 *   push, pop            yes               no
 *   steal_half       (as thief, into its own)   yes
 *
 * Invariants
 *   I1  head and tail only grow; head <= tail.
 *   I2  an item pushed once is taken once.
 *
 * Edges
 *   PUBLISH  push: tail (seq_cst)   -> pop, steal: tail (acquire)   carries the slot and what the item points to
 *   GROW     push: ring (release)   -> steal: ring (acquire)
 *   RECYCLE  pop, steal: head (acq_rel)  -> push: head (acquire)    the consumer is done with the slot
 *   WAKE     push: tail (seq_cst), then the idle word (seq_cst)  <->  sched/idle.c
 *   PLURAL   the owner: busy, compiler's barrier, alone  <->  share: alone, membarrier, busy. Either the owner sees that it
 *            is not alone, or who shares sees that it is busy, and waits (release, acquire: carries the operation)
 *   ALONE    unshare: alone (release)  -> the owner: alone (acquire)   carries what thieves have done
 */
#ifndef FILCH_SCHED_RUNQUEUE_H
#define FILCH_SCHED_RUNQUEUE_H

#include <stdbool.h>

#include "base/assert.h"
#include "base/atomic.h"
#include "sched/ring.h"

struct filch__runqueue {
    /* the owner writes, any worker reads */
    ATOMIC(int64_t) tail cache_aligned;
    ATOMIC(struct filch__ring *) ring;
    /* this worker only */
    int64_t full_at;   /* the tail at which there may be no more room */
    ATOMIC(bool) busy; /* in an operation that relies on being alone */
    /* the owner before the first push; then who shares it or ends that */
    ATOMIC(bool) alone; /* nobody but the owner looks: no locked instructions */

    ATOMIC(int64_t) head cache_aligned; /* any worker */
};

/* 0, or -ENOMEM. `alone` is false, and may be set before the first push, where filch__runqueue_share can be called. */
int filch__runqueue_init(struct filch__runqueue *queue);
void filch__runqueue_fini(struct filch__runqueue *queue);

/*
 * Others than the owner may look from now on: by one thread at a time. False: membarrier(2) is not to be had any more,
 * and nothing has changed. The owner itself need only set `alone` to false.
 */
bool filch__runqueue_share(struct filch__runqueue *queue);

/* Nobody but the owner looks any more, and what others did came before. By the same threads. */
static inline void filch__runqueue_unshare(struct filch__runqueue *queue) {
    store_release(&queue->alone, true); /* ALONE */
}

/* Makes room for `count` more items; false: no memory. */
bool filch__runqueue_make_room(struct filch__runqueue *queue, int64_t count);

/* Adds at the end. False: no memory, and nothing was added. On true the idle word may be read (WAKE). */
bool filch__runqueue_push(struct filch__runqueue *queue, void *item);

/* The oldest item, or NULL. */
void *filch__runqueue_pop(struct filch__runqueue *queue);

/* What pop would return now, or NULL: a glance, by the owner. Others may take it at any time, and it may be gone. */
const void *filch__runqueue_glance(struct filch__runqueue *queue);

/*
 * Takes the older half of `victim`'s items (at least one, at most 64): returns the oldest, and puts the others into
 * `own`. NULL where there was nothing. `*lost` is set where another consumer was faster.
 */
void *filch__runqueue_steal_half(struct filch__runqueue *victim, struct filch__runqueue *own, bool *lost);

/* How many items there are; exact where nobody pushes or takes. */
static inline int64_t filch__runqueue_length(struct filch__runqueue *queue) {
    /* In this order: a tail older than the head would give a negative length; seq_cst for the look before sleeping. */
    int64_t head = load_seq_cst(&queue->head);
    return load_seq_cst(&queue->tail) - head;
}

#endif
