/* SPDX-License-Identifier: MIT */
/*
 * The pool of stacks, and the slow halves of its caches.
 *
 * A pool gives what was used last: free stacks before bare places, and bare places before a new chunk. Chunks grow with
 * the pool, from a few stacks to CHUNK_BYTES: a small program pays for few guards, and a large one has few chunks, as
 * each costs jemalloc and the kernel some pages of their own records.
 *
 * After a peak, idle chunks are destroyed while more than half of their class, and more than KEEP_BYTES, is free. Each
 * stack that is put earns the unmaking of CREDIT others, so that a put costs no more after a peak than at another time,
 * taken over many. A chunk that has some of its stacks out is left to filch__stack_pool_trim.
 */
#include "alloc/stack.h"

#include <errno.h>
#include <unistd.h>

#include "alloc/arena.h"
#include "alloc/chunk.h"

#define CHUNK_BYTES ((size_t)32 << 20)
#define CHUNK_BYTES_FIRST ((size_t)2 << 20)
#define CHUNK_STACKS_MAX 512u
#define CHUNK_STACKS_FIRST 8u
#define KEEP_BYTES ((size_t)64 << 20) /* of free stacks that a class keeps in any case */
#define TRIM_BYTES ((size_t)4 << 20)  /* of free stacks that a class keeps when it is trimmed */
#define CREDIT 2
#define CREDIT_MAX (2 * (size_t)CHUNK_STACKS_MAX)
#define REFILL (FILCH__STACK_CACHE_MAX / 2)
#define AHEAD_STACKS 256u /* a class of that many touches new stacks ahead */

_Static_assert(FILCH__STACK_MIN << (FILCH__STACK_CLASSES - 1) == FILCH__STACK_MAX, "a class for each power of two");

/* ------------------------------------------------------------------------------------------------ init, fini */

int filch__stack_pool_init(struct filch__stack_pool *pool) {
    *pool = (struct filch__stack_pool){.guard = filch__guard_probe()};
    pool->guard_mprotect = pool->guard == GUARD_MPROTECT;
    if (!filch__arena_create(&pool->arena)) return -ENOMEM;
    filch__lock_init(&pool->lock);
    return 0;
}

static void destroy_list(struct filch__stack_pool *pool, struct filch__stack_chunk *chunk) {
    while (chunk != NULL) {
        struct filch__stack_chunk *next = chunk->next;
        filch__chunk_destroy(pool, chunk);
        chunk = next;
    }
}

void filch__stack_pool_fini(struct filch__stack_pool *pool) {
    for (unsigned i = 0; i < FILCH__STACK_CLASSES; i++) {
        assert_internal(pool->classes[i].used == NULL);
        assert_internal(pool->classes[i].ready == NULL);
        destroy_list(pool, pool->classes[i].idle);
        destroy_list(pool, pool->classes[i].bare);
        destroy_list(pool, pool->classes[i].kept);
    }
    filch__arena_destroy(pool->arena);
    filch__lock_fini(&pool->lock);
}

unsigned filch__stack_class(size_t size) {
    size_t least = 4 * (size_t)sysconf(_SC_PAGESIZE);
    if (size < least) size = least;
    unsigned size_class = 0;
    while (filch__chunk_stack_size(size_class) < size) size_class++;
    return size_class;
}

bool filch__stack_guards(const struct filch__stack_pool *pool, const struct filch__stack *stack, const void *address) {
    (void)pool;
    size_t guard = filch__guard_size(filch__chunk_stack_size(stack->size_class));
    uintptr_t low = (uintptr_t)stack->fiber.low, at = (uintptr_t)address;
    return at < low && at >= low - guard;
}

/* -------------------------------------------------------------------------------------- lists, under the lock */

static void chunk_unlist(struct filch__stack_chunk *chunk) {
    if (chunk->next != NULL) chunk->next->previous = chunk->previous;
    if (chunk->previous != NULL) {
        chunk->previous->next = chunk->next;
    } else if (chunk->list != NULL) {
        *chunk->list = chunk->next;
    }
    chunk->next = chunk->previous = NULL;
    chunk->list = NULL;
}

/* Puts the chunk at the head of the list where it belongs, unless it stands there already. */
static void chunk_list(struct filch__stack_class *class, struct filch__stack_chunk *chunk) {
    struct filch__stack_chunk **list = chunk->bare > 0 ? &class->bare : &class->used;
    if (chunk->free != NULL) list = chunk->out > 0 ? &class->ready : &class->idle;
    if (chunk->list == list) return;
    chunk_unlist(chunk);
    chunk->list = list;
    chunk->next = *list;
    if (*list != NULL) (*list)->previous = chunk;
    *list = chunk;
}

/* ------------------------------------------------------------------------------------------------------- renew */

/*
 * A pool makes its chunks in an order and of sizes that depend on nothing but the ones before. So of those that are kept in
 * that order the first is the one that it would make.
 */
static void keep(struct filch__stack_class *class, struct filch__stack_chunk *chunk) {
    chunk_unlist(chunk);
    filch__chunk_strip(chunk, false);
    struct filch__stack_chunk **link = &class->kept;
    while (*link != NULL && (*link)->serial < chunk->serial) link = &(*link)->next;
    chunk->next = *link;
    *link = chunk;
}

/* The one that `count` stacks ask for; NULL: it is to be made. Those in its way, after a failure or a peak, are none of it. */
static struct filch__stack_chunk *take_kept(struct filch__stack_pool *pool, struct filch__stack_class *class,
                                            unsigned count) {
    struct filch__stack_chunk *chunk;
    while ((chunk = class->kept) != NULL) {
        class->kept = chunk->next;
        chunk->next = NULL;
        if (chunk->count == count) return chunk;
        filch__chunk_destroy(pool, chunk);
    }
    return NULL;
}

void filch__stack_pool_renew(struct filch__stack_pool *pool) {
    for (unsigned i = 0; i < FILCH__STACK_CLASSES; i++) {
        struct filch__stack_class *class = &pool->classes[i];
        assert_internal(class->used == NULL);
        assert_internal(class->ready == NULL);
        while (class->idle != NULL) keep(class, class->idle);
        while (class->bare != NULL) keep(class, class->bare);
        class->stacks = class->free = class->credit = class->chunks = 0;
    }
    pool->stacks = pool->stacks_peak = pool->bytes = 0;
}

/* ---------------------------------------------------------------------------------------- give, under the lock */

static unsigned clamp(size_t value, size_t least, size_t most) {
    return (unsigned)(value < least ? least : value > most ? most : value);
}

/* A quarter of what there is. */
static bool chunk_add(struct filch__stack_pool *pool, unsigned size_class) {
    struct filch__stack_class *class = &pool->classes[size_class];
    size_t size = filch__chunk_stack_size(size_class);
    unsigned first = clamp(CHUNK_BYTES_FIRST / size, 1, CHUNK_STACKS_FIRST);
    unsigned most = size >= CHUNK_BYTES_FIRST ? 1 : clamp(CHUNK_BYTES / size, 1, CHUNK_STACKS_MAX);
    unsigned count = clamp(class->stacks / 4, first, most);
    struct filch__stack_chunk *chunk = take_kept(pool, class, count);
    if (chunk == NULL) chunk = filch__chunk_create(pool, size_class, count);
    if (chunk == NULL) chunk = filch__chunk_create(pool, size_class, 1); /* it may fit where that did not */
    if (chunk == NULL) return false;
    chunk->serial = class->chunks++;
    pool->bytes += chunk->count * filch__chunk_stride(size_class);
    chunk_list(class, chunk);
    return true;
}

/* Up to `count` places for stacks that have not been used; none: no memory. They are then made without the lock. */
static bool take_places(struct filch__stack_pool *pool, unsigned size_class, unsigned count,
                        struct filch__places *places) {
    struct filch__stack_class *class = &pool->classes[size_class];
    if (class->bare == NULL && !chunk_add(pool, size_class)) return false;
    struct filch__stack_chunk *chunk = class->bare;
    filch__chunk_reserve(chunk, count, places);
    chunk_list(class, chunk);
    class->stacks += places->count;
    pool->stacks += places->count;
    if (pool->stacks > pool->stacks_peak) pool->stacks_peak = pool->stacks;
    return true;
}

/* NULL: there is none. */
static struct filch__stack *take_free(struct filch__stack_class *class) {
    struct filch__stack_chunk *chunk = class->ready != NULL ? class->ready : class->idle;
    if (chunk == NULL) return NULL;
    struct filch__stack *stack = chunk->free;
    chunk->free = stack->next;
    chunk->out++;
    class->free--;
    chunk_list(class, chunk);
    return stack;
}

/* How many new stacks a cache gets at once: few in a small pool, as each is touched. */
static unsigned refill_new(const struct filch__stack_class *class) {
    return clamp(class->stacks / 8, 1, REFILL);
}

/* Up to `count` linked free stacks. */
static struct filch__stack *take_free_some(struct filch__stack_class *class, unsigned count) {
    struct filch__stack *list = take_free(class), *last = list;
    for (unsigned i = 1; i < count && last != NULL; i++) {
        last->next = take_free(class);
        if (last->next != NULL) last = last->next;
    }
    if (last != NULL) last->next = NULL;
    return list;
}

/* ---------------------------------------------------------------------------------------- take, under the lock */

static void forget(struct filch__stack_pool *pool, struct filch__stack_class *class, unsigned count) {
    class->stacks -= count;
    class->free -= count;
    pool->stacks -= count;
}

/* Takes a chunk that has no stack out away from the pool; it is for filch__chunk_destroy, which needs no lock. */
static void chunk_remove(struct filch__stack_pool *pool, struct filch__stack_chunk *chunk) {
    chunk_unlist(chunk);
    forget(pool, &pool->classes[chunk->size_class], chunk->count - chunk->bare);
    pool->bytes -= chunk->count * filch__chunk_stride(chunk->size_class);
}

static bool too_many_free(const struct filch__stack_class *class, unsigned size_class) {
    return class->free * filch__chunk_stack_size(size_class) > KEEP_BYTES && class->free > class->stacks / 2;
}

/* Takes an idle chunk away where there are too many free stacks and puts have earned it; or NULL. */
static struct filch__stack_chunk *shrink(struct filch__stack_pool *pool, unsigned size_class) {
    struct filch__stack_class *class = &pool->classes[size_class];
    struct filch__stack_chunk *chunk = class->idle;
    class->credit = clamp(class->credit + CREDIT, 0, CREDIT_MAX);
    if (chunk == NULL || class->credit < chunk->count || !too_many_free(class, size_class)) return NULL;
    class->credit -= chunk->count;
    chunk_remove(pool, chunk);
    return chunk;
}

/* Gives one stack back. A chunk to be destroyed is put on `*doomed`. */
static void give(struct filch__stack_pool *pool, struct filch__stack *stack, struct filch__stack_chunk **doomed) {
    struct filch__stack_chunk *chunk = stack->chunk;
    struct filch__stack_class *class = &pool->classes[chunk->size_class];
    assert_internal(chunk->out > 0);
    stack->next = chunk->free;
    chunk->free = stack;
    chunk->out--;
    class->free++;
    chunk_list(class, chunk);
    struct filch__stack_chunk *surplus = shrink(pool, chunk->size_class);
    if (surplus == NULL) return;
    surplus->next = *doomed;
    *doomed = surplus;
}

static void give_list(struct filch__stack_pool *pool, struct filch__stack *list) {
    struct filch__stack_chunk *doomed = NULL;
    filch__lock_take(&pool->lock);
    for (struct filch__stack *next; list != NULL; list = next) {
        next = list->next;
        give(pool, list, &doomed);
    }
    filch__lock_leave(&pool->lock);
    destroy_list(pool, doomed);
}

/* ------------------------------------------------------------------------------------------------- any thread */

struct filch__stack *filch__stack_pool_get(struct filch__stack_pool *pool, unsigned size_class) {
    struct filch__places places = {.count = 0};
    filch__lock_take(&pool->lock);
    struct filch__stack *stack = take_free(&pool->classes[size_class]);
    bool some = stack != NULL || take_places(pool, size_class, 1, &places);
    filch__lock_leave(&pool->lock);
    return stack != NULL || !some ? stack : filch__chunk_make(pool, &places, false);
}

void filch__stack_pool_put(struct filch__stack_pool *pool, struct filch__stack *stack) {
    stack->next = NULL;
    give_list(pool, stack);
}

void filch__stack_pool_stats(struct filch__stack_pool *pool, struct filch__stack_stats *stats) {
    filch__lock_take(&pool->lock);
    *stats = (struct filch__stack_stats){pool->stacks, pool->stacks_peak, 0, pool->bytes};
    for (unsigned i = 0; i < FILCH__STACK_CLASSES; i++) stats->free += pool->classes[i].free;
    filch__lock_leave(&pool->lock);
}

/* -------------------------------------------------------------------------------------------------------- trim */

/* The first chunk from `chunk` on that is not needed to fill `*kept` up to what a class keeps. */
static struct filch__stack_chunk *beyond(struct filch__stack_chunk *chunk, size_t *kept) {
    for (; chunk != NULL; chunk = chunk->next) {
        *kept += (chunk->count - chunk->out - chunk->bare) * filch__chunk_stack_size(chunk->size_class);
        if (*kept > TRIM_BYTES) return chunk;
    }
    return NULL;
}

/* One chunk at a time, so that the lock is not held for long. */
static bool trim_chunk(struct filch__stack_pool *pool, unsigned size_class) {
    struct filch__stack_class *class = &pool->classes[size_class];
    filch__lock_take(&pool->lock);
    size_t kept = 0;
    struct filch__stack_chunk *chunk = beyond(class->ready, &kept);
    if (chunk == NULL) chunk = beyond(class->idle, &kept);
    bool doomed = chunk != NULL && chunk->out == 0;
    if (doomed) {
        chunk_remove(pool, chunk);
    } else if (chunk != NULL) {
        forget(pool, class, filch__chunk_strip(chunk, true));
        chunk_list(class, chunk);
    }
    filch__lock_leave(&pool->lock);
    if (doomed) filch__chunk_destroy(pool, chunk);
    return chunk != NULL;
}

void filch__stack_pool_trim(struct filch__stack_pool *pool) {
    for (unsigned i = 0; i < FILCH__STACK_CLASSES; i++) {
        while (trim_chunk(pool, i)) continue;
    }
}

/* ------------------------------------------------------------------------------------------ the cache's worker */

void filch__stack_cache_init(struct filch__stack_cache *cache, struct filch__stack_pool *pool, unsigned size_class) {
    *cache = (struct filch__stack_cache){.pool = pool, .size_class = size_class};
}

void filch__stack_cache_drain(struct filch__stack_cache *cache) {
    give_list(cache->pool, cache->free);
    cache->free = NULL;
    cache->count = 0;
}

size_t filch__stack_cache_glance(const struct filch__stack_cache *cache) {
    return *(const volatile size_t *)&cache->count;
}

struct filch__stack *filch__stack_cache_refill(struct filch__stack_cache *cache) {
    struct filch__stack_pool *pool = cache->pool;
    struct filch__stack_class *class = &pool->classes[cache->size_class];
    struct filch__places places = {.count = 0};
    filch__lock_take(&pool->lock);
    struct filch__stack *list = take_free_some(class, REFILL);
    bool some = list != NULL || take_places(pool, cache->size_class, refill_new(class), &places);
    bool ahead = class->stacks >= AHEAD_STACKS;
    filch__lock_leave(&pool->lock);
    if (!some) return NULL;
    count_up(&cache->refills, 1);
    if (list == NULL) list = filch__chunk_make(pool, &places, ahead);
    cache->free = list->next;
    for (struct filch__stack *stack = cache->free; stack != NULL; stack = stack->next) cache->count++;
    return list;
}

/* Keeps the half that was put last: it is warm. */
void filch__stack_cache_spill(struct filch__stack_cache *cache) {
    struct filch__stack *last = cache->free;
    for (unsigned i = 1; i < FILCH__STACK_CACHE_MAX / 2; i++) last = last->next;
    struct filch__stack *cold = last->next;
    last->next = NULL;
    cache->count = FILCH__STACK_CACHE_MAX / 2;
    count_up(&cache->spills, 1);
    give_list(cache->pool, cold);
}
