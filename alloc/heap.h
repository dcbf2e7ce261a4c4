/* SPDX-License-Identifier: MIT */
/* Small and large objects of the library's own, and the injection of failures into every request for memory. */
#ifndef FILCH_ALLOC_HEAP_H
#define FILCH_ALLOC_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* `size` bytes, zeroed, aligned to `align` (a power of two, at least 8), or NULL. From any thread. */
void *filch__heap_get(size_t size, size_t align);

/* Frees what filch__heap_get gave for the same size and alignment; NULL is nothing. From any thread. */
void filch__heap_put(void *object, size_t size, size_t align);

/*
 * With the start of a thread of the library's: gets what the thread's requests take the first time, before anyone's work
 * depends on it. Where there is no memory for that, its first request tries again (alloc/admit.c).
 */
void filch__heap_begin_thread(void);

/* Around fork(2), after it in the parent and in the child: no thread is in the middle of its first request meanwhile. */
void filch__heap_before_fork(void);
void filch__heap_after_fork(void);

/* How many objects are out, over the whole process: for tests that nothing is left. */
size_t filch__heap_objects(void);

/*
 * Failure injection, for tests: of the requests for memory from now on, over the whole process (heap, slabs, stacks,
 * guards), number `nth` (1 is the next) and, if `all_after`, every later one fail. 0 ends it.
 */
void filch__alloc_fail(uint64_t nth, bool all_after);

/* How many requests have been counted since filch__alloc_fail was last called. */
uint64_t filch__alloc_requests(void);

/* Counts a request; true where it is to fail. Cheap where nothing is injected. For the files of alloc/. */
bool filch__alloc_fails(void);

#endif
