/* SPDX-License-Identifier: MIT */
/*
 * The inject queue of a runtime: items from threads that are none of its workers, and what a worker had no memory to
 * queue. An unbounded FIFO linked through the items themselves, so that adding never fails; under a lock.
 *
 * Edges
 *   WAKE   push: length (seq_cst), then the idle word (seq_cst)  <->  sched/idle.c
 */
#ifndef FILCH_SCHED_INJECT_H
#define FILCH_SCHED_INJECT_H

#include "base/atomic.h"
#include "base/lock.h"
#include "sched/item.h"

struct filch__inject {
    ATOMIC(uint64_t) length cache_aligned; /* written under the lock, read by anyone */
    ATOMIC(uint64_t) pushed;               /* in all; likewise */

    struct filch__lock lock; /* over the rest */
    void *first, *last;
};

void filch__inject_init(struct filch__inject *inject);
void filch__inject_fini(struct filch__inject *inject);

/* Adds an item at the end. From any thread. The idle word may be read afterwards. */
void filch__inject_push(struct filch__inject *inject, void *item);

/* The oldest item, or NULL. From any thread. */
void *filch__inject_pop(struct filch__inject *inject);

static inline uint64_t filch__inject_length(struct filch__inject *inject) {
    return load_seq_cst(&inject->length);
}

#endif
