/* SPDX-License-Identifier: MIT */
/*
 * Stand-ins for alloc/ and for what else the scheduler needs from below: memory that is forgotten as a whole when the
 * next schedule begins, so that a schedule that has failed may be left in the middle.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/cpu.h"
#include "sched/runtime.h"
#include "sched/sched.h"
#include "tests/explore/explore.h"
#include "tests/explore/races.h"

enum {
    HEAP_SIZE = 8 << 20,
    STACKS = 64,
    STACK_SIZE = 64 << 10,
    GRAIN = 64, /* no two objects share one */
};

static char *heap, *stacks;
static size_t heap_used;
static bool freed[HEAP_SIZE / GRAIN];
static struct filch__stack *free_stacks;
/* Those that slabs have given, of each depot. */
enum { RECORDS_MAX = 4096 };
static struct record {
    struct filch__slab_depot *depot;
    void *record;
} records[RECORDS_MAX];
static unsigned record_count;
static bool exhausted;

static char *map(size_t size) {
    char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) abort();
    return memory;
}

void explore_memory_reset(void) {
    if (heap == NULL) {
        heap = map(HEAP_SIZE);
        stacks = map(STACKS * (size_t)STACK_SIZE);
    }
    memset(freed, 0, heap_used / GRAIN + 1);
    heap_used = 0;
    exhausted = false;
    record_count = 0;
    free_stacks = NULL;
    for (unsigned i = STACKS; i-- > 0;) {
        char *low = stacks + i * (size_t)STACK_SIZE;
        struct filch__stack *stack = (void *)(low + STACK_SIZE - 128);
        *stack = (struct filch__stack){.next = free_stacks, .size_class = filch__stack_class(STACK_SIZE)};
        stack->fiber = (struct filch__fiber){.low = low, .size = STACK_SIZE - 128};
        free_stacks = stack;
    }
}

/*
 * What is behind a lock in the real allocators: whoever takes it or gives it back passes a full barrier. But nobody is to
 * rely on more order than that of a piece of memory, between who gives it back and who gets it next.
 */
static void pass_lock(void) {
    static char lock;
    explore_event(&lock, __func__, __LINE__);
}

/* ---------------------------------------------------------------------------------------------------------- heap */

void *filch__heap_get(size_t size, size_t align) {
    (void)align; /* at most GRAIN */
    pass_lock();
    size_t whole = (size + GRAIN - 1) / GRAIN * GRAIN;
    if (exhausted || heap_used + whole >= HEAP_SIZE) return NULL;
    void *object = memset(heap + heap_used, 0, size);
    heap_used += whole;
    return object;
}

void filch__heap_begin_thread(void) {
}

void filch__heap_before_fork(void) {
}

void filch__heap_after_fork(void) {
}

/* What was freed is spoilt, for whoever uses it afterwards, and not given out again. */
void filch__heap_put(void *object, size_t size, size_t align) {
    (void)align;
    if (object == NULL) return;
    pass_lock();
    races_end_of(object, size, __func__);
    memset(object, 0xdd, size);
    memset(&freed[((char *)object - heap) / GRAIN], 1, (size + GRAIN - 1) / GRAIN);
}

void explore_exhaust_memory(void) {
    exhausted = true;
}

bool explore_memory_is_freed(const void *address) {
    uintptr_t offset = (uintptr_t)address - (uintptr_t)heap;
    return offset < HEAP_SIZE && freed[offset / GRAIN];
}

/* ------------------------------------------------------------------------------------------------ records, stacks */

void filch__slab_depot_init(struct filch__slab_depot *depot, size_t record_size) {
    *depot = (struct filch__slab_depot){.record_size = record_size};
}

void filch__slab_depot_fini(struct filch__slab_depot *depot) {
    (void)depot;
}

bool filch__slab_depot_is_whole(struct filch__slab_depot *depot) {
    (void)depot;
    return false;
}

void *filch__slab_depot_get(struct filch__slab_depot *depot) {
    pass_lock();
    struct filch__slab_free *free = depot->loose;
    if (free != NULL) {
        depot->loose = free->next;
        explore_get(free);
        return free;
    }
    void *record = filch__heap_get(depot->record_size, 64);
    if (record == NULL || record_count == RECORDS_MAX) return NULL;
    records[record_count++] = (struct record){depot, record};
    return record;
}

void filch__slab_depot_put(struct filch__slab_depot *depot, void *record) {
    struct filch__slab_free *free = record;
    explore_put(record);
    free->next = depot->loose;
    depot->loose = free;
}

int filch__slab_each(struct filch__slab_depot *depot, int (*visit)(void *record, void *argument), void *argument) {
    int answer = 0;
    for (unsigned i = 0; i < record_count && answer == 0; i++) {
        if (records[i].depot == depot) answer = visit(records[i].record, argument);
    }
    return answer;
}

void filch__slab_cache_init(struct filch__slab_cache *cache, struct filch__slab_depot *depot) {
    *cache = (struct filch__slab_cache){.depot = depot};
}

void filch__slab_cache_drain(struct filch__slab_cache *cache) {
    cache->free = NULL;
}

void *filch__slab_cache_refill(struct filch__slab_cache *cache) {
    return filch__slab_depot_get(cache->depot);
}

void filch__slab_cache_spill(struct filch__slab_cache *cache) {
    (void)cache;
}

int filch__stack_pool_init(struct filch__stack_pool *pool) {
    (void)pool;
    return 0;
}

void filch__stack_pool_renew(struct filch__stack_pool *pool) {
    (void)pool;
}

void filch__stack_pool_fini(struct filch__stack_pool *pool) {
    (void)pool;
}

unsigned filch__stack_class(size_t size) {
    (void)size;
    return 2;
}

struct filch__stack *filch__stack_pool_get(struct filch__stack_pool *pool, unsigned size_class) {
    (void)pool, (void)size_class;
    pass_lock();
    struct filch__stack *stack = free_stacks;
    if (stack == NULL) explore_fail("the scenario needs more than %d stacks", STACKS);
    free_stacks = stack->next;
    explore_get(stack);
    return stack;
}

void filch__stack_pool_put(struct filch__stack_pool *pool, struct filch__stack *stack) {
    (void)pool;
    explore_put(stack);
    stack->next = free_stacks;
    free_stacks = stack;
}

void filch__stack_cache_init(struct filch__stack_cache *cache, struct filch__stack_pool *pool, unsigned size_class) {
    *cache = (struct filch__stack_cache){.pool = pool, .size_class = size_class};
}

void filch__stack_cache_drain(struct filch__stack_cache *cache) {
    cache->free = NULL;
}

struct filch__stack *filch__stack_cache_refill(struct filch__stack_cache *cache) {
    return filch__stack_pool_get(cache->pool, cache->size_class);
}

void filch__stack_cache_spill(struct filch__stack_cache *cache) {
    (void)cache;
}

/* --------------------------------------------------------------------------------------------------------- others */

void filch__overflow_watch(void *memory, size_t size) {
    (void)memory, (void)size;
}

void filch__overflow_unwatch(void) {
}

size_t filch__overflow_stack_size(void) {
    return 16;
}

unsigned filch__cpu_available(void) {
    return 2;
}

/* For threads the real one counts on from schedule to schedule. */
uint32_t filch__choose_here(enum filch__choice kind, uint32_t count) {
    (void)kind;
    return explore_choose(count);
}
