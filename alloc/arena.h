/* SPDX-License-Identifier: MIT */
/*
 * Where chunks of stacks come from: a jemalloc arena of the pool's own, or mmap(2) where the library is built without
 * jemalloc. Memory comes page-aligned, is not touched until its user does, and goes back to the system when put.
 * Private to alloc/.
 */
#ifndef FILCH_ALLOC_ARENA_H
#define FILCH_ALLOC_ARENA_H

#include <stdbool.h>
#include <stddef.h>

/* False: no memory. */
bool filch__arena_create(unsigned *arena);
/* Everything must have been put. */
void filch__arena_destroy(unsigned arena);

/* `size` bytes, a multiple of the page, or NULL: no memory. From any thread. */
void *filch__arena_get(unsigned arena, size_t size);
/* The same size; nothing in it may be protected. From any thread. */
void filch__arena_put(unsigned arena, void *memory, size_t size);

#endif
