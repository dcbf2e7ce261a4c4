/* SPDX-License-Identifier: MIT */
#include "sched/ring.h"

#include "alloc/alloc.h"

static size_t ring_size(int64_t slots) {
    return sizeof(struct filch__ring) + (size_t)slots * sizeof(void *);
}

struct filch__ring *filch__ring_create(int64_t slots, struct filch__ring *older) {
    struct filch__ring *ring = filch__heap_get(ring_size(slots), CACHE_LINE);
    if (ring == NULL) return NULL;
    ring->mask = slots - 1;
    ring->older = older;
    return ring;
}

struct filch__ring *filch__ring_grow(struct filch__ring *ring, int64_t first, int64_t last) {
    struct filch__ring *larger = filch__ring_create(2 * (ring->mask + 1), ring);
    if (larger == NULL) return NULL;
    for (int64_t index = first; index < last; index++) {
        /* relaxed: the grower wrote these slots itself, and the whole ring is published with release */
        store_relaxed(filch__ring_slot(larger, index), load_relaxed(filch__ring_slot(ring, index)));
    }
    return larger;
}

void filch__ring_destroy(struct filch__ring *ring) {
    while (ring != NULL) {
        struct filch__ring *older = ring->older;
        filch__heap_put(ring, ring_size(ring->mask + 1), CACHE_LINE);
        ring = older;
    }
}
