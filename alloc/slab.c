/* SPDX-License-Identifier: MIT */
/*
 * The depot's side of slabs, and the slow halves of the caches.
 *
 * Invariants
 *   I1  a batch in `full`, and a cache's second one, has FILCH__SLAB_BATCH records exactly. So nobody ever counts a
 *       list, and the batches' heads, which come with the slabs, are always enough: see slab_new.
 *   I2  each record is in one place: with a user, in one cache, in one batch, loose, or fresh.
 */
#include "alloc/slab.h"

#include "alloc/heap.h"

#define SLAB_SIZE ((size_t)64 << 10)
#define SLAB_RECORDS_MIN 8

struct filch__slab_batch {
    struct filch__slab_batch *next;
    struct filch__slab_free *free;
};

/* A slab: this header, then heads of batches, then at a multiple of a cache line the records. */
struct filch__slab {
    struct filch__slab *next;
    struct filch__slab_batch batches[];
};

_Static_assert(offsetof(struct filch__slab, next) == 0, "slab.next of sched/descriptor.c");

static size_t batches_of(size_t records) {
    return (records + FILCH__SLAB_BATCH - 1) / FILCH__SLAB_BATCH;
}

static size_t header_size(size_t records) {
    size_t size = sizeof(struct filch__slab) + batches_of(records) * sizeof(struct filch__slab_batch);
    return (size + CACHE_LINE - 1) & ~(size_t)(CACHE_LINE - 1);
}

void filch__slab_depot_init(struct filch__slab_depot *depot, size_t record_size) {
    assert_internal(record_size >= 16 && record_size % 16 == 0);
    size_t records = SLAB_SIZE / record_size;
    while (records > SLAB_RECORDS_MIN && header_size(records) + records * record_size > SLAB_SIZE) records--;
    if (records < SLAB_RECORDS_MIN) records = SLAB_RECORDS_MIN;
    size_t needed = header_size(records) + records * record_size;
    *depot = (struct filch__slab_depot){
        .record_size = record_size,
        .slab_size = needed > SLAB_SIZE ? needed : SLAB_SIZE,
        .slab_records = records,
        .records_at = header_size(records),
    };
    filch__lock_init(&depot->lock);
}

void filch__slab_depot_fini(struct filch__slab_depot *depot) {
    struct filch__slab *slab = depot->slabs;
    while (slab != NULL) {
        struct filch__slab *next = slab->next;
        filch__heap_put(slab, depot->slab_size, CACHE_LINE);
        slab = next;
    }
    depot->slabs = NULL;
    filch__lock_fini(&depot->lock);
}

bool filch__slab_depot_is_whole(struct filch__slab_depot *depot) {
    size_t records = 0, here = depot->loose_count + depot->fresh_count;
    for (struct filch__slab *slab = depot->slabs; slab != NULL; slab = slab->next) records += depot->slab_records;
    for (struct filch__slab_batch *batch = depot->full; batch != NULL; batch = batch->next) here += FILCH__SLAB_BATCH;
    return here == records;
}

/* ------------------------------------------------------------------------------------- under the depot's lock */

/*
 * Makes fresh records, where there are none. The heads that a slab brings are its share of what all records could
 * fill: the sum of the rounded-up shares is never less than the batches that can be full at once. ThreadSanitizer must
 * see the store of SLAB: hence not inlined into what it does not see.
 */
static never_inline bool slab_new(struct filch__slab_depot *depot) {
    struct filch__slab *slab = filch__heap_get(depot->slab_size, CACHE_LINE);
    if (slab == NULL) return false;
    for (size_t i = 0; i < batches_of(depot->slab_records); i++) {
        slab->batches[i].next = depot->spare;
        depot->spare = &slab->batches[i];
    }
    depot->fresh = (char *)slab + depot->records_at;
    depot->fresh_count = depot->slab_records;
    slab->next = depot->slabs;
    store_release(&depot->slabs, slab); /* SLAB */
    return true;
}

static FILCH__UNSEEN void batch_push(struct filch__slab_depot *depot, struct filch__slab_free *free) {
    struct filch__slab_batch *batch = depot->spare;
    assert_internal(batch != NULL);
    depot->spare = batch->next;
    batch->free = free;
    batch->next = depot->full;
    depot->full = batch;
}

static FILCH__UNSEEN struct filch__slab_free *batch_pop(struct filch__slab_depot *depot) {
    struct filch__slab_batch *batch = depot->full;
    depot->full = batch->next;
    batch->next = depot->spare;
    depot->spare = batch;
    return batch->free;
}

static FILCH__UNSEEN void loose_push(struct filch__slab_depot *depot, struct filch__slab_free *record) {
    record->next = depot->loose;
    depot->loose = record;
    if (++depot->loose_count < FILCH__SLAB_BATCH) return;
    batch_push(depot, depot->loose);
    depot->loose = NULL;
    depot->loose_count = 0;
}

/* Up to a batch of fresh records as a list, lowest address first; fewer at a slab's end, none without memory. */
static FILCH__UNSEEN size_t fresh_take(struct filch__slab_depot *depot, size_t most, struct filch__slab_free **list) {
    if (depot->fresh_count == 0 && !slab_new(depot)) return 0;
    size_t count = depot->fresh_count < most ? depot->fresh_count : most;
    struct filch__slab_free *first = NULL;
    for (size_t i = count; i-- > 0;) {
        struct filch__slab_free *record = (struct filch__slab_free *)(depot->fresh + i * depot->record_size);
        record->next = first;
        first = record;
    }
    depot->fresh += count * depot->record_size;
    depot->fresh_count -= count;
    *list = first;
    return count;
}

static FILCH__UNSEEN size_t some_take(struct filch__slab_depot *depot, struct filch__slab_free **list) {
    if (depot->full != NULL) {
        *list = batch_pop(depot);
        return FILCH__SLAB_BATCH;
    }
    if (depot->loose_count == 0) return fresh_take(depot, FILCH__SLAB_BATCH, list);
    size_t count = depot->loose_count;
    *list = depot->loose;
    depot->loose = NULL;
    depot->loose_count = 0;
    return count;
}

static FILCH__UNSEEN void *one_take(struct filch__slab_depot *depot) {
    struct filch__slab_free *record = NULL;
    if (depot->loose_count == 0 && depot->full != NULL) {
        depot->loose = batch_pop(depot);
        depot->loose_count = FILCH__SLAB_BATCH;
    }
    if (depot->loose_count == 0) {
        fresh_take(depot, 1, &record);
        return record;
    }
    record = depot->loose;
    depot->loose = record->next;
    depot->loose_count--;
    return record;
}

/* ------------------------------------------------------------------------------------------------- any thread */

void *filch__slab_depot_get(struct filch__slab_depot *depot) {
    filch__lock_take(&depot->lock);
    void *record = one_take(depot);
    filch__lock_leave(&depot->lock);
    if (record != NULL) recycle_taken(record);
    return record;
}

void filch__slab_depot_put(struct filch__slab_depot *depot, void *record) {
    recycle_given(record);
    filch__lock_take(&depot->lock);
    loose_push(depot, record);
    filch__lock_leave(&depot->lock);
}

int filch__slab_each(struct filch__slab_depot *depot, int (*visit)(void *record, void *argument), void *argument) {
    for (struct filch__slab *slab = load_acquire(&depot->slabs); slab != NULL; slab = slab->next) { /* SLAB */
        char *records = (char *)slab + depot->records_at;
        for (size_t i = 0; i < depot->slab_records; i++) {
            int result = visit(records + i * depot->record_size, argument);
            if (result != 0) return result;
        }
    }
    return 0;
}

bool filch__slab_has(struct filch__slab_depot *depot, const void *record) {
    for (struct filch__slab *slab = load_acquire(&depot->slabs); slab != NULL; slab = slab->next) { /* SLAB */
        size_t at = (uintptr_t)record - ((uintptr_t)slab + depot->records_at);
        if (at < depot->slab_records * depot->record_size) return at % depot->record_size == 0;
    }
    return false;
}

/* --------------------------------------------------------------------------------------- the cache's worker */

void filch__slab_cache_init(struct filch__slab_cache *cache, struct filch__slab_depot *depot) {
    *cache = (struct filch__slab_cache){.depot = depot};
}

void filch__slab_cache_drain(struct filch__slab_cache *cache) {
    struct filch__slab_depot *depot = cache->depot;
    filch__lock_take(&depot->lock);
    if (cache->batch != NULL) batch_push(depot, cache->batch);
    for (struct filch__slab_free *record = cache->free, *next; record != NULL; record = next) {
        next = record->next;
        loose_push(depot, record);
    }
    filch__lock_leave(&depot->lock);
    filch__slab_cache_init(cache, depot);
}

void *filch__slab_cache_refill(struct filch__slab_cache *cache) {
    struct filch__slab_depot *depot = cache->depot;
    if (cache->batch != NULL) {
        cache->free = cache->batch;
        cache->count = FILCH__SLAB_BATCH;
        cache->batch = NULL;
    } else {
        filch__lock_take(&depot->lock);
        cache->count = some_take(depot, &cache->free);
        filch__lock_leave(&depot->lock);
    }
    if (cache->count == 0) return NULL;
    struct filch__slab_free *record = cache->free;
    cache->free = record->next;
    cache->count--;
    recycle_taken(record);
    return record;
}

/* The list has a batch and the record just given: the batch becomes the second one, and what was there is given up. */
void filch__slab_cache_spill(struct filch__slab_cache *cache) {
    struct filch__slab_depot *depot = cache->depot;
    struct filch__slab_free *record = cache->free, *batch = cache->batch;
    cache->batch = record->next;
    record->next = NULL;
    cache->count = 1;
    if (batch == NULL) return;
    filch__lock_take(&depot->lock);
    batch_push(depot, batch);
    filch__lock_leave(&depot->lock);
}
