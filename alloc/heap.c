/* SPDX-License-Identifier: MIT */
/* Objects from jemalloc or from libc, and the count of requests by which failures are injected. */
#include "alloc/heap.h"

#include <stdlib.h>
#include <string.h>

#include "alloc/admit.h"
#include "base/assert.h"
#include "base/atomic.h"
#include "base/tasksan.h"

#if FILCH_JEMALLOC
#include <jemalloc/jemalloc.h>
#endif

#define ALL_AFTER ((uint64_t)1 << 63)

/*
 * Counters of the whole process. All accesses are relaxed: no data is handed over by them, and a test that reads them
 * has joined the threads that wrote them.
 */
static struct {
    ATOMIC(size_t) objects;
    cache_aligned ATOMIC(uint64_t) requests; /* since failures were last set up */
    ATOMIC(uint64_t) failing;                /* the request that is to fail, | ALL_AFTER; 0: none */
} heap;

bool filch__alloc_fails(void) {
    uint64_t request = add_relaxed(&heap.requests, 1) + 1;
    uint64_t failing = load_relaxed(&heap.failing);
    if (likely(failing == 0)) return false;
    return (failing & ALL_AFTER) != 0 ? request >= (failing & ~ALL_AFTER) : request == failing;
}

void filch__alloc_fail(uint64_t nth, bool all_after) {
    store_relaxed(&heap.failing, 0);
    store_relaxed(&heap.requests, 0);
    store_relaxed(&heap.failing, nth | (nth != 0 && all_after ? ALL_AFTER : 0));
}

uint64_t filch__alloc_requests(void) {
    return load_relaxed(&heap.requests);
}

size_t filch__heap_objects(void) {
    return load_relaxed(&heap.objects);
}

#if FILCH_JEMALLOC

static void *object_get(size_t size, size_t align) {
    if (unlikely(!filch__admitted())) return NULL;
    return mallocx(size, MALLOCX_ALIGN(align) | MALLOCX_ZERO);
}

static void object_put(void *object, size_t size, size_t align) {
    sdallocx(object, size, MALLOCX_ALIGN(align));
}

#else

static void *object_get(size_t size, size_t align) {
    if (align <= _Alignof(max_align_t)) return calloc(1, size);
    void *object = aligned_alloc(align, (size + align - 1) & ~(align - 1));
    if (object != NULL) memset(object, 0, size);
    return object;
}

static void object_put(void *object, size_t size, size_t align) {
    (void)size, (void)align;
    free(object);
}

#endif

void filch__heap_begin_thread(void) {
    (void)filch__admitted();
}

void filch__heap_before_fork(void) {
    filch__admission_hold();
}

void filch__heap_after_fork(void) {
    filch__admission_release();
}

void *filch__heap_get(size_t size, size_t align) {
    assert_internal(size > 0 && align >= 8 && (align & (align - 1)) == 0);
    if (unlikely(filch__alloc_fails())) return NULL;
    unseen_begin();
    void *object = object_get(size, align);
    unseen_end();
    if (likely(object != NULL)) add_relaxed(&heap.objects, 1);
    return object;
}

void filch__heap_put(void *object, size_t size, size_t align) {
    if (object == NULL) return;
    add_relaxed(&heap.objects, (size_t)-1);
    unseen_begin();
    object_put(object, size, align);
    unseen_end();
}
