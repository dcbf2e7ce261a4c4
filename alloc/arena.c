/* SPDX-License-Identifier: MIT */
/* Memory for stacks, from an arena of jemalloc or from mmap(2). */
#include "alloc/arena.h"

#include "alloc/admit.h"
#include "alloc/heap.h"
#include "alloc/recycle.h"

#if FILCH_JEMALLOC

#include <jemalloc/jemalloc.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/types.h>
#include <unistd.h>

/* What is put goes back to the system at once: stacks have a pool of their own that decides what to keep. */
static bool decay_at_once(unsigned arena) {
    size_t path[3], length = 3;
    ssize_t decay_ms = 0;
    if (mallctlnametomib("arena.0.dirty_decay_ms", path, &length) != 0) return false;
    path[1] = arena;
    return mallctlbymib(path, length, NULL, NULL, &decay_ms, sizeof decay_ms) == 0;
}

/*
 * Arenas that nobody uses any more, for the next who wants one: jemalloc 5.3 keeps some 4 KB of its own for each arena
 * that was ever made, also after it was destroyed. They are empty, so that who takes one need not know who had it.
 */
enum { SPARE_MAX = 64 };

static pthread_mutex_t spare_lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned spare[SPARE_MAX], spare_count;

static bool take_spare(unsigned *arena) {
    pthread_mutex_lock(&spare_lock);
    bool any = spare_count > 0;
    if (any) *arena = spare[--spare_count];
    pthread_mutex_unlock(&spare_lock);
    return any;
}

static bool put_spare(unsigned arena) {
    pthread_mutex_lock(&spare_lock);
    bool room = spare_count < SPARE_MAX;
    if (room) spare[spare_count++] = arena;
    pthread_mutex_unlock(&spare_lock);
    return room;
}

/* A thread that is not admitted to jemalloc leaves it there: some kilobytes, while there is no memory. */
static void destroy(unsigned arena) {
    size_t path[3], length = 3;
    if (!filch__admitted() || mallctlnametomib("arena.0.destroy", path, &length) != 0) return;
    path[1] = arena;
    mallctlbymib(path, length, NULL, NULL, NULL, 0);
}

bool filch__arena_create(unsigned *arena) {
    size_t size = sizeof *arena;
    if (filch__alloc_fails()) return false;
    if (take_spare(arena)) return true;
    if (!filch__admitted()) return false;
    if (mallctl("arenas.create", arena, &size, NULL, 0) != 0) return false;
    if (!filch__alloc_fails() && decay_at_once(*arena)) return true;
    destroy(*arena);
    return false;
}

void filch__arena_destroy(unsigned arena) {
    if (!put_spare(arena)) destroy(arena);
}

/* Without the thread cache, which would keep memory of an arena that is to be destroyed. */
static int flags_of(unsigned arena) {
    return (int)(MALLOCX_ARENA(arena) | MALLOCX_TCACHE_NONE | MALLOCX_ALIGN((size_t)sysconf(_SC_PAGESIZE)));
}

void *filch__arena_get(unsigned arena, size_t size) {
    return filch__alloc_fails() || !filch__admitted() ? NULL : mallocx(size, flags_of(arena));
}

void filch__arena_put(unsigned arena, void *memory, size_t size) {
    sdallocx(memory, size, flags_of(arena));
}

#else

#include <sys/mman.h>

#include "base/tasksan.h"

bool filch__arena_create(unsigned *arena) {
    *arena = 0;
    return !filch__alloc_fails();
}

void filch__arena_destroy(unsigned arena) {
    (void)arena;
}

void *filch__arena_get(unsigned arena, size_t size) {
    (void)arena;
    if (filch__alloc_fails()) return NULL;
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK;
    unseen_begin();
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, -1, 0);
    unseen_end();
    return memory == MAP_FAILED ? NULL : memory;
}

void filch__arena_put(unsigned arena, void *memory, size_t size) {
    (void)arena;
    recycle_fresh(memory, size); /* for whatever the kernel puts there next */
    munmap(memory, size);
}

#endif
