/* SPDX-License-Identifier: MIT */
/*
 * Pooled stacks. A stack is a power of two of bytes: a guard at its low end, which faults when touched, and its
 * descriptor near the top. Stacks are carved from chunks that come from a dedicated jemalloc arena; a chunk's guards
 * are installed together, before any of its stacks is used, and removed before the chunk goes back to the arena.
 *
 * A pool (one a runtime) holds chunks and free stacks behind a lock; a cache (one a worker) keeps some of the default
 * size without a lock. A stack may be given to another cache than it was taken from.
 *
 *                       the cache's worker     any thread
 *   cache_get/put              yes                no
 *   pool_get/put               yes                yes
 */
#ifndef FILCH_ALLOC_STACK_H
#define FILCH_ALLOC_STACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "alloc/guard.h"
#include "base/assert.h"
#include "base/atomic.h"
#include "base/lock.h"
#include "context/context.h"

#define FILCH__STACK_MIN ((size_t)16 << 10)
#define FILCH__STACK_DEFAULT ((size_t)64 << 10)
#define FILCH__STACK_MAX ((size_t)1 << 30)
#define FILCH__STACK_CLASSES 17 /* 16 KiB, 32 KiB ... 1 GiB */

struct filch__stack_chunk; /* alloc/chunk.h */

/* Stands near the top of the stack that it describes: the stack grows down from it. */
struct filch__stack {
    struct filch__stack *next; /* of the list of free stacks that it is on */
    struct filch__stack_chunk *chunk;
    struct filch__fiber fiber; /* the usable part: above the guard, below this descriptor */
    unsigned size_class;
};

/* The chunks of one class, each on the list that says what it can give. */
struct filch__stack_class {
    struct filch__stack_chunk *ready; /* free stacks, and some out */
    struct filch__stack_chunk *idle;  /* free stacks, and none out */
    struct filch__stack_chunk *bare;  /* no free stack, but memory that none has been made of yet */
    struct filch__stack_chunk *used;  /* neither: all of its stacks are out */
    struct filch__stack_chunk *kept; /* of before the pool was renewed, all bare, and not in any number; oldest first */
    size_t stacks;                   /* that have been made */
    size_t free;                     /* of these, not out */
    size_t credit;                   /* of the puts, for unmaking stacks; see alloc/stack.c */
    unsigned chunks;                 /* that have been made, or taken from those kept */
};

struct filch__stack_pool {
    /* read-only after init */
    bool guard_mprotect; /* MADV_GUARD_INSTALL is not to be had */
    enum filch__guard guard;
    unsigned arena;

    /* any thread, under the lock */
    struct filch__lock lock;
    struct filch__stack_class classes[FILCH__STACK_CLASSES];
    size_t stacks, stacks_peak, bytes;
};

struct filch__stack_cache {
    /* this worker only */
    struct filch__stack *free;
    size_t count;
    unsigned size_class;
    struct filch__stack_pool *pool;

    /* the worker counts, anyone reads */
    ATOMIC(uint64_t) refills; /* from the pool, by new stacks where it had none */
    ATOMIC(uint64_t) spills;
};

/* Probes which guard the kernel has (a write(2) from a guarded page must fail with EFAULT). 0, or -ENOMEM. */
int filch__stack_pool_init(struct filch__stack_pool *pool);
/*
 * Makes the pool as good as new: it gives what a new one would, in the same order, and its numbers are a new one's. But the
 * memory of its chunks and their guards, which take long to make, are kept for when it asks for such again. All stacks
 * must have been given back and all caches drained.
 */
void filch__stack_pool_renew(struct filch__stack_pool *pool);

/* All stacks must have been given back and all caches drained. */
void filch__stack_pool_fini(struct filch__stack_pool *pool);

/*
 * The class of the smallest stack of at least `size` bytes, guard and descriptor included, and of at least four pages.
 * `size` within MIN and MAX.
 */
unsigned filch__stack_class(size_t size);

/* A stack of the class, with its guard on, or NULL: no memory. */
struct filch__stack *filch__stack_pool_get(struct filch__stack_pool *pool, unsigned size_class);
void filch__stack_pool_put(struct filch__stack_pool *pool, struct filch__stack *stack);

void filch__stack_cache_init(struct filch__stack_cache *cache, struct filch__stack_pool *pool, unsigned size_class);
FILCH__UNSEEN void filch__stack_cache_drain(struct filch__stack_cache *cache);

/*
 * Gives memory of stacks that nobody uses back to the system, all but what a few recent ones need. A pool does so by
 * itself after a peak, a chunk at a time, while more than half of its stacks are free.
 */
void filch__stack_pool_trim(struct filch__stack_pool *pool);

/* Stacks that exist, the most that have existed at once, those of them in the pool, and the address space of all. */
struct filch__stack_stats {
    size_t stacks, stacks_peak, free, bytes;
};
void filch__stack_pool_stats(struct filch__stack_pool *pool, struct filch__stack_stats *stats);

/* Where contexts on this stack begin (16-byte aligned), and how many bytes are below that, above the guard. */
static inline void *filch__stack_top(struct filch__stack *stack) {
    return stack->fiber.low + stack->fiber.size;
}

/* Whether `address` lies in the guard below `stack`. */
bool filch__stack_guards(const struct filch__stack_pool *pool, const struct filch__stack *stack, const void *address);

/* How many stacks there are in the cache, about now. From any thread: the worker writes that by plain stores. */
FILCH__UNSEEN size_t filch__stack_cache_glance(const struct filch__stack_cache *cache);

/* The slow halves of the two below. */
FILCH__UNSEEN struct filch__stack *filch__stack_cache_refill(struct filch__stack_cache *cache);
FILCH__UNSEEN void filch__stack_cache_spill(struct filch__stack_cache *cache);

#define FILCH__STACK_CACHE_MAX 64 /* free stacks that a cache keeps before it gives half of them to the pool */

FILCH__UNSEEN_INLINE struct filch__stack *filch__stack_cache_get(struct filch__stack_cache *cache) {
    struct filch__stack *stack = cache->free;
    if (unlikely(stack == NULL)) return filch__stack_cache_refill(cache);
    cache->free = stack->next;
    cache->count--;
    return stack;
}

/* `stack` is of any class: one of another class than the cache's goes to the pool. */
FILCH__UNSEEN_INLINE void filch__stack_cache_put(struct filch__stack_cache *cache, struct filch__stack *stack) {
    if (unlikely(stack->size_class != cache->size_class)) {
        filch__stack_pool_put(cache->pool, stack);
        return;
    }
    stack->next = cache->free;
    cache->free = stack;
    if (unlikely(++cache->count > FILCH__STACK_CACHE_MAX)) filch__stack_cache_spill(cache);
}

#endif
