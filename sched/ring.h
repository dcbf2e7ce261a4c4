/* SPDX-License-Identifier: MIT */
/*
 * A ring of slots, a power of two of them, indexed by ever growing numbers; the storage of the deque and of the run
 * queue. A ring that has become too small is replaced by one twice as large and kept, unchanged, until its queue ends:
 * a thief may still be reading it. All old ones together are smaller than the newest.
 */
#ifndef FILCH_SCHED_RING_H
#define FILCH_SCHED_RING_H

#include <stddef.h>
#include <stdint.h>

#include "base/atomic.h"

struct filch__ring {
    int64_t mask;              /* slots less one; read-only */
    struct filch__ring *older; /* read-only */
    ATOMIC(void *) slots[];
};

/* NULL: no memory. */
struct filch__ring *filch__ring_create(int64_t slots, struct filch__ring *older);

/* A ring twice as large as `ring`, with the slots [first, last) copied, or NULL. */
struct filch__ring *filch__ring_grow(struct filch__ring *ring, int64_t first, int64_t last);

/* Frees `ring` and all older ones. */
void filch__ring_destroy(struct filch__ring *ring);

static inline ATOMIC(void *) * filch__ring_slot(struct filch__ring *ring, int64_t index) {
    return &ring->slots[index & ring->mask];
}

#endif
