/* SPDX-License-Identifier: MIT */
/*
 * A chunk: some stacks of one class in a row. It knows which of its places hold a stack; the others are bare, which
 * means memory with a guard and no descriptor, not touched since it came from the system or went back to it. No lock
 * of its own: a chunk is under its pool's lock. Private to alloc/.
 *
 * Invariants
 *   I1  each place is bare (bit clear), or its stack is free (on the list), or its stack is out (or being made).
 *   I2  bare + free + out = count.
 *   I3  each place has its guard, from filch__chunk_create to filch__chunk_destroy.
 */
#ifndef FILCH_ALLOC_CHUNK_H
#define FILCH_ALLOC_CHUNK_H

#include "alloc/stack.h"

struct filch__stack_chunk {
    struct filch__stack_chunk *next, *previous; /* on a list of its class */
    struct filch__stack_chunk **list;           /* that list's head */
    char *base;
    struct filch__stack *free;
    unsigned count, out, bare;
    unsigned bare_hint; /* no place below this word of `made` is bare */
    unsigned size_class;
    unsigned serial; /* how many its class had before it */
    enum filch__guard guard;
    uint64_t made[]; /* a bit a place */
};

static inline size_t filch__chunk_stack_size(unsigned size_class) {
    return FILCH__STACK_MIN << size_class;
}

/* How far the places of a chunk are apart: a stack and a page more. See alloc/chunk.c. */
size_t filch__chunk_stride(unsigned size_class);

/* A chunk of `count` places, all bare; NULL: no memory. */
struct filch__stack_chunk *filch__chunk_create(const struct filch__stack_pool *pool, unsigned size_class,
                                               unsigned count);
/* No stack is out. */
void filch__chunk_destroy(const struct filch__stack_pool *pool, struct filch__stack_chunk *chunk);

#define FILCH__PLACES_MAX (FILCH__STACK_CACHE_MAX / 2)

/* Some places of a chunk, in order. */
struct filch__places {
    struct filch__stack_chunk *chunk;
    unsigned count;
    unsigned at[FILCH__PLACES_MAX];
};

/* Takes up to `count` bare places for stacks that are then out. Under the pool's lock, unlike the next. */
void filch__chunk_reserve(struct filch__stack_chunk *chunk, unsigned count, struct filch__places *places);

/* Makes stacks in the reserved places and links them; no lock needed. Their memory is touched at once if `ahead`. */
struct filch__stack *filch__chunk_make(const struct filch__stack_pool *pool, const struct filch__places *places,
                                       bool ahead);

/* Makes the places of all free stacks bare; says how many. Their memory goes back to the system if `release`. */
unsigned filch__chunk_strip(struct filch__stack_chunk *chunk, bool release);

#endif
