/* SPDX-License-Identifier: MIT */
/*
 * Records of one size. A depot (one a runtime) holds slabs and batches of free records behind a lock; a cache (one a
 * worker) holds up to two batches that its worker takes from and gives to without a lock. A record may be given to
 * another cache than it was taken from. Slabs go back to the heap with the depot.
 *
 *                       the cache's worker     any thread
 *   cache_get/put              yes                no
 *   depot_get/put              yes                yes
 *
 * A free record's first word is the link of the list it is on; the rest of it is left as the last user had it, so that
 * a record can carry a word that says "free" for filch__slab_each.
 */
#ifndef FILCH_ALLOC_SLAB_H
#define FILCH_ALLOC_SLAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "alloc/recycle.h"
#include "base/assert.h"
#include "base/atomic.h"
#include "base/lock.h"

struct filch__slab_free {
    struct filch__slab_free *next;
};

struct filch__slab;       /* some records in a row */
struct filch__slab_batch; /* FILCH__SLAB_BATCH free records */

/*
 * Edges
 *   SLAB  new slab: slabs (release) -> filch__slab_each: slabs (acquire)   carries the slab's header and its zeroes
 */
struct filch__slab_depot {
    /* read-only after init */
    size_t record_size;
    size_t slab_size;
    size_t slab_records;
    size_t records_at; /* in a slab */

    /* written under the lock, read by any thread */
    ATOMIC(struct filch__slab *) slabs;

    /* any thread, under the lock */
    struct filch__lock lock;
    struct filch__slab_batch *full;  /* batches with records */
    struct filch__slab_batch *spare; /* batches without: each slab brings as many as its records could fill */
    struct filch__slab_free *loose;  /* records on their own, fewer than a batch */
    size_t loose_count;
    char *fresh; /* records of the newest slab that nobody has had */
    size_t fresh_count;
};

struct filch__slab_cache {
    /* this worker only */
    struct filch__slab_free *free;
    size_t count;
    struct filch__slab_free *batch; /* FILCH__SLAB_BATCH more, or NULL */
    struct filch__slab_depot *depot;
};

/* `record_size`: at least 16, a multiple of 16; records are aligned to the largest power of two in it, up to 64. */
void filch__slab_depot_init(struct filch__slab_depot *depot, size_t record_size);
/* All caches must have been drained. Frees every slab. */
void filch__slab_depot_fini(struct filch__slab_depot *depot);

/* Whether no record is with a user or in a cache. While nobody else uses the depot. */
bool filch__slab_depot_is_whole(struct filch__slab_depot *depot);

/* A record, or NULL: no memory. A record of a new slab is zeroed but for its first word. */
FILCH__UNSEEN void *filch__slab_depot_get(struct filch__slab_depot *depot);
FILCH__UNSEEN void filch__slab_depot_put(struct filch__slab_depot *depot, void *record);

void filch__slab_cache_init(struct filch__slab_cache *cache, struct filch__slab_depot *depot);
/* Gives everything in the cache back to its depot. */
FILCH__UNSEEN void filch__slab_cache_drain(struct filch__slab_cache *cache);

/*
 * Calls `visit` for each record of the depot, free or not; records are never unmapped before the depot ends, so that it
 * may run beside users that read and write them. Stops when `visit` returns other than 0, and returns that.
 */
int filch__slab_each(struct filch__slab_depot *depot, int (*visit)(void *record, void *argument), void *argument);

/* Whether `record`, any address, is that of a record of the depot, free or not. */
bool filch__slab_has(struct filch__slab_depot *depot, const void *record);

/* The slow halves of the two below. */
FILCH__UNSEEN void *filch__slab_cache_refill(struct filch__slab_cache *cache);
FILCH__UNSEEN void filch__slab_cache_spill(struct filch__slab_cache *cache);

#define FILCH__SLAB_BATCH 128 /* records that move between a cache and the depot at once */

FILCH__UNSEEN_INLINE void *filch__slab_cache_get(struct filch__slab_cache *cache) {
    struct filch__slab_free *record = cache->free;
    if (unlikely(record == NULL)) return filch__slab_cache_refill(cache);
    cache->free = record->next;
    cache->count--;
    recycle_taken(record);
    return record;
}

FILCH__UNSEEN_INLINE void filch__slab_cache_put(struct filch__slab_cache *cache, void *object) {
    struct filch__slab_free *record = object;
    recycle_given(record);
    record->next = cache->free;
    cache->free = record;
    if (unlikely(++cache->count > FILCH__SLAB_BATCH)) filch__slab_cache_spill(cache);
}

#endif
