/* SPDX-License-Identifier: MIT */
/*
 * Chunks: their memory and guards, and the making and unmaking of stacks in their places.
 *
 * Stacks are coloured: the descriptor, and the stack below it, begin at another cache line in each of 16 neighbours.
 * If all began at the same offset of a page, the topmost frames of all stacks would fall into the same few sets of the
 * caches, and a program that switches among some hundreds would miss where the cache has room for them. For the same
 * reason, of the TLB's sets, stacks are a page more than a power of two apart; that page belongs to the guard.
 */
#include "alloc/chunk.h"

#include <sys/mman.h>
#include <unistd.h>

#include "alloc/arena.h"
#include "alloc/heap.h"
#include "alloc/recycle.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

#define COLOURS 16
#define DESCRIPTOR_SIZE 64
#define WORD_BITS 64

#if !defined(FILCH_TSAN) && !defined(FILCH_TASKSAN) && !defined(FILCH_ASAN)
_Static_assert(sizeof(struct filch__stack) <= DESCRIPTOR_SIZE, "a descriptor is a cache line");
#endif
#define DESCRIPTOR_ROOM ((sizeof(struct filch__stack) + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE)

/* Above this size a stack may hold a whole huge page, which its first touch would fill where they are "always" on. */
#define HUGE_PAGE_MIN ((size_t)2 << 20)

static size_t words_of(unsigned count) {
    return (count + WORD_BITS - 1) / WORD_BITS;
}

static size_t record_size(unsigned count) {
    return sizeof(struct filch__stack_chunk) + words_of(count) * sizeof(uint64_t);
}

static size_t page_size(void) {
    return (size_t)sysconf(_SC_PAGESIZE);
}

size_t filch__chunk_stride(unsigned size_class) {
    return filch__chunk_stack_size(size_class) + page_size();
}

static size_t chunk_size(const struct filch__stack_chunk *chunk) {
    return chunk->count * filch__chunk_stride(chunk->size_class);
}

/* Where a place's stack begins; the page of the guard that is not counted is below that. */
static char *place_at(const struct filch__stack_chunk *chunk, unsigned place) {
    return chunk->base + page_size() + place * filch__chunk_stride(chunk->size_class);
}

/* --------------------------------------------------------------------------------------------- create, destroy */

static bool memory_get(const struct filch__stack_pool *pool, struct filch__stack_chunk *chunk) {
    size_t stack_size = filch__chunk_stack_size(chunk->size_class), size = chunk_size(chunk);
    struct filch__ranges guards = {NULL, filch__chunk_stride(chunk->size_class),
                                   filch__guard_size(stack_size) + page_size(), chunk->count};
    guards.base = chunk->base = filch__arena_get(pool->arena, size);
    if (chunk->base == NULL) return false;
    struct filch__ranges whole = {chunk->base, size, size, 1};
    if (stack_size > HUGE_PAGE_MIN) filch__advise(&whole, MADV_NOHUGEPAGE, false);
    if (filch__guard_install(&chunk->guard, &guards)) return true;
    if (filch__guard_remove(chunk->guard, chunk->base, size)) filch__arena_put(pool->arena, chunk->base, size);
    return false;
}

struct filch__stack_chunk *filch__chunk_create(const struct filch__stack_pool *pool, unsigned size_class,
                                               unsigned count) {
    struct filch__stack_chunk *chunk = filch__heap_get(record_size(count), _Alignof(struct filch__stack_chunk));
    if (chunk == NULL) return NULL;
    chunk->count = chunk->bare = count;
    chunk->size_class = size_class;
    chunk->guard = pool->guard;
    if (memory_get(pool, chunk)) return chunk;
    filch__heap_put(chunk, record_size(count), _Alignof(struct filch__stack_chunk));
    return NULL;
}

/* Memory whose guards cannot be removed is kept for ever: its next owner would crash on it. */
void filch__chunk_destroy(const struct filch__stack_pool *pool, struct filch__stack_chunk *chunk) {
    assert_internal(chunk->out == 0);
    filch__chunk_strip(chunk, false);
    size_t size = chunk_size(chunk);
    if (filch__guard_remove(chunk->guard, chunk->base, size)) filch__arena_put(pool->arena, chunk->base, size);
    filch__heap_put(chunk, record_size(chunk->count), _Alignof(struct filch__stack_chunk));
}

/* ------------------------------------------------------------------------------------------------ make, unmake */

static unsigned bare_take(struct filch__stack_chunk *chunk) {
    while (~chunk->made[chunk->bare_hint] == 0) chunk->bare_hint++;
    unsigned word = chunk->bare_hint, bit = (unsigned)__builtin_ctzll(~chunk->made[word]);
    chunk->made[word] |= (uint64_t)1 << bit;
    chunk->bare--;
    assert_internal(word * WORD_BITS + bit < chunk->count);
    return word * WORD_BITS + bit;
}

static struct filch__stack *stack_make(struct filch__stack_chunk *chunk, unsigned place) {
    size_t size = filch__chunk_stack_size(chunk->size_class);
    char *low = place_at(chunk, place) + filch__guard_size(size);
    char *top = place_at(chunk, place) + size - DESCRIPTOR_ROOM - place % COLOURS * CACHE_LINE;
    recycle_fresh(low, size - filch__guard_size(size));
    struct filch__stack *stack = (struct filch__stack *)top;
    stack->chunk = chunk;
    stack->size_class = chunk->size_class;
    filch__fiber_init(&stack->fiber, low, (size_t)(top - low));
    return stack;
}

void filch__chunk_reserve(struct filch__stack_chunk *chunk, unsigned count, struct filch__places *places) {
    if (count > chunk->bare) count = chunk->bare;
    if (count > FILCH__PLACES_MAX) count = FILCH__PLACES_MAX;
    places->chunk = chunk;
    places->count = count;
    for (unsigned i = 0; i < count; i++) places->at[i] = bare_take(chunk);
    chunk->out += count;
}

/* Touches the top page of each place in few calls, instead of by a page fault each. */
static void touch_ahead(const struct filch__stack_pool *pool, const struct filch__places *places) {
    size_t size = filch__chunk_stack_size(places->chunk->size_class), page = page_size();
    for (unsigned first = 0, last; first < places->count; first = last) {
        for (last = first + 1; last < places->count && places->at[last] == places->at[last - 1] + 1;) last++;
        char *top = place_at(places->chunk, places->at[first]) + size - page;
        struct filch__ranges tops = {top, filch__chunk_stride(places->chunk->size_class), page, last - first};
        filch__advise(&tops, MADV_POPULATE_WRITE, pool->guard == GUARD_BATCH);
    }
}

struct filch__stack *filch__chunk_make(const struct filch__stack_pool *pool, const struct filch__places *places,
                                       bool ahead) {
    struct filch__stack *list = NULL;
    if (ahead) touch_ahead(pool, places);
    for (unsigned i = places->count; i-- > 0;) {
        struct filch__stack *stack = stack_make(places->chunk, places->at[i]);
        stack->next = list;
        list = stack;
    }
    return list;
}

/* The neighbouring bare places from `first` on; 0 where it is not bare. */
static unsigned bare_run(const struct filch__stack_chunk *chunk, unsigned first) {
    unsigned last = first;
    while (last < chunk->count && (chunk->made[last / WORD_BITS] >> (last % WORD_BITS) & 1) == 0) last++;
    return last - first;
}

/* Guards outlive this advice. */
static void release_bare(struct filch__stack_chunk *chunk) {
    size_t stride = filch__chunk_stride(chunk->size_class);
    for (unsigned place = 0, run; place < chunk->count; place += run + 1) {
        run = bare_run(chunk, place);
        struct filch__ranges whole = {place_at(chunk, place) - page_size(), run * stride, run * stride, 1};
        if (run > 0) filch__advise(&whole, MADV_DONTNEED, false);
    }
}

unsigned filch__chunk_strip(struct filch__stack_chunk *chunk, bool release) {
    unsigned stripped = 0;
    for (struct filch__stack *stack = chunk->free, *next; stack != NULL; stack = next, stripped++) {
        unsigned place = (unsigned)(((char *)stack - chunk->base) / filch__chunk_stride(chunk->size_class));
        next = stack->next;
        filch__fiber_fini(&stack->fiber);
        chunk->made[place / WORD_BITS] &= ~((uint64_t)1 << (place % WORD_BITS));
    }
    chunk->free = NULL;
    chunk->bare += stripped;
    chunk->bare_hint = 0;
    if (release && stripped > 0) release_bare(chunk);
    return stripped;
}
