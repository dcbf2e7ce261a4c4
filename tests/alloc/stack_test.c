/* SPDX-License-Identifier: MIT */
/*
 * Each stack is one user's, writable from top to guard and not below; guards of both kinds hold and go before the
 * memory does; memory returns after a peak; a pool without memory says so and loses nothing.
 */
#include "alloc/stack.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "alloc/chunk.h"
#include "alloc/heap.h"
#include "base/random.h"
#include "tests/test.h"

/* Tools keep much more than a page for each stack. */
#if defined(FILCH_TSAN) || defined(FILCH_ASAN)
#define MANY 1000
#else
#define MANY 8000
#endif

static struct filch__stack_stats stats_of(struct filch__stack_pool *pool) {
    struct filch__stack_stats stats;
    filch__stack_pool_stats(pool, &stats);
    return stats;
}

static size_t resident_bytes(void) {
    size_t total, resident;
    FILE *file = fopen("/proc/self/statm", "r");
    check(file != NULL && fscanf(file, "%zu %zu", &total, &resident) == 2);
    fclose(file);
    return resident * (size_t)sysconf(_SC_PAGESIZE);
}

/* ------------------------------------------------------------------------------------------------ classes, layout */

TEST(stack, classes_are_powers_of_two) {
    size_t least = 4 * (size_t)sysconf(_SC_PAGESIZE);
    for (unsigned i = filch__stack_class(FILCH__STACK_MIN); i < FILCH__STACK_CLASSES; i++) {
        size_t size = FILCH__STACK_MIN << i;
        check_int(filch__stack_class(size), i);
        check_int(filch__stack_class(size - 1), i);
        if (size < FILCH__STACK_MAX) check_int(filch__stack_class(size + 1), i + 1);
    }
    check(FILCH__STACK_MIN << filch__stack_class(1) >= least);
    check_int(filch__stack_class(FILCH__STACK_MAX), FILCH__STACK_CLASSES - 1);
}

TEST(stack, each_class_is_usable_from_top_to_guard) {
    struct filch__stack_pool pool;
    check_int(filch__stack_pool_init(&pool), 0);
    for (unsigned i = filch__stack_class(FILCH__STACK_MIN); i < FILCH__STACK_CLASSES; i++) {
        struct filch__stack *stacks[3];
        size_t size = FILCH__STACK_MIN << i;
        for (int j = 0; j < 3; j++) {
            struct filch__stack *stack = stacks[j] = filch__stack_pool_get(&pool, i);
            check(stack != NULL && stack->size_class == i);
            char *top = filch__stack_top(stack), *low = stack->fiber.low;
            check_int((uintptr_t)top % 64, 0);
            check((size_t)(top - low) >= size - size / 16 - 4096 - 2048 && (size_t)(top - low) < size);
            top[-1] = low[0] = (char)j;
            check(filch__stack_guards(&pool, stack, low - 1));
            check(filch__stack_guards(&pool, stack, low - filch__guard_size(size)));
            check(!filch__stack_guards(&pool, stack, low - filch__guard_size(size) - 1));
            check(!filch__stack_guards(&pool, stack, low));
        }
        for (int j = 0; j < 3; j++) {
            check_int(stacks[j]->fiber.low[0], j);
            filch__stack_pool_put(&pool, stacks[j]);
        }
    }
    filch__stack_pool_fini(&pool);
    check_int(filch__heap_objects(), 0);
}

/* --------------------------------------------------------------------------------------------------------- guards */

/* Whether the kernel, asked to read there, faults. */
static bool faults(const char *address) {
    int ends[2];
    check_int(pipe(ends), 0);
    errno = 0;
    bool faulted = write(ends[1], address, 1) < 0 && errno == EFAULT;
    close(ends[0]);
    close(ends[1]);
    return faulted;
}

static void check_guards(enum filch__guard kind) {
    struct filch__stack_pool pool;
    struct filch__stack *stacks[100];
    check_int(filch__stack_pool_init(&pool), 0);
    if (kind < pool.guard) return; /* this kernel has no such */
    pool.guard = kind;
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 100; i++) {
            check((stacks[i] = filch__stack_pool_get(&pool, (unsigned)i % 3 + 1)) != NULL);
            size_t guard = filch__guard_size(FILCH__STACK_MIN << stacks[i]->size_class);
            check(faults(stacks[i]->fiber.low - 1));
            check(faults(stacks[i]->fiber.low - guard));
            check(!faults(stacks[i]->fiber.low));
        }
        for (int i = 0; i < 100; i++) filch__stack_pool_put(&pool, stacks[i]);
        filch__stack_pool_trim(&pool);
    }
    filch__stack_pool_fini(&pool);
}

TEST(stack, every_stack_has_its_guard_of_each_kind) {
    check_guards(GUARD_BATCH);
    check_guards(GUARD_SINGLE);
    check_guards(GUARD_MPROTECT);
}

static void touch_guard(enum filch__guard at_least) {
    struct filch__stack_pool pool;
    check_int(filch__stack_pool_init(&pool), 0);
    if (pool.guard < at_least) pool.guard = at_least;
    struct filch__stack *stack = filch__stack_pool_get(&pool, 2);
    fprintf(stderr, "touching the guard\n");
    ((volatile char *)stack->fiber.low)[-1] = 1;
}

#if !defined(FILCH_TSAN) && !defined(FILCH_ASAN)

TEST_CRASHES(stack, touching_a_guard_crashes, SIGSEGV, "touching the guard") {
    touch_guard(GUARD_BATCH);
}

TEST_CRASHES(stack, touching_a_guard_by_mprotect_crashes, SIGSEGV, "touching the guard") {
    touch_guard(GUARD_MPROTECT);
}

#else

TEST(stack, guards_are_seen_without_a_crash) {
    (void)touch_guard; /* sanitizers report the signal in their own way */
    check_guards(GUARD_MPROTECT);
}

#endif

/* Whoever gets the memory next may write to all of it: pools of another stack size, and other users of the arena. */
TEST(stack, memory_goes_back_without_its_guards) {
    for (int kind = GUARD_BATCH; kind <= GUARD_MPROTECT; kind++) {
        struct filch__stack_pool pool;
        check_int(filch__stack_pool_init(&pool), 0);
        if (kind < (int)pool.guard) continue;
        pool.guard = (enum filch__guard)kind;
        struct filch__stack_chunk *chunks[20];
        for (int round = 0; round < 2; round++) {
            for (int i = 0; i < 20; i++) {
                check((chunks[i] = filch__chunk_create(&pool, (unsigned)i % 4, 16)) != NULL);
                size_t size = filch__chunk_stack_size((unsigned)i % 4);
                check(faults(chunks[i]->base));
                check_int(filch__guard_remove(chunks[i]->guard, chunks[i]->base, 16 * size), true);
                memset(chunks[i]->base, 1, 16 * size);
            }
            for (int i = 0; i < 20; i++) filch__chunk_destroy(&pool, chunks[i]);
        }
        filch__stack_pool_fini(&pool);
    }
}

#if FILCH_JEMALLOC

#include <jemalloc/jemalloc.h>

TEST(stack, the_arenas_next_owner_can_write_everywhere) {
    struct filch__stack_pool pool;
    struct filch__stack *stacks[500];
    check_int(filch__stack_pool_init(&pool), 0);
    for (int i = 0; i < 500; i++) check((stacks[i] = filch__stack_pool_get(&pool, 2)) != NULL);
    for (int i = 0; i < 500; i++) filch__stack_pool_put(&pool, stacks[i]);
    filch__stack_pool_trim(&pool);
    int flags = (int)(MALLOCX_ARENA(pool.arena) | MALLOCX_TCACHE_NONE);
    char *memory[50];
    for (int i = 0; i < 50; i++) {
        check((memory[i] = mallocx((size_t)512 << 10, flags)) != NULL);
        memset(memory[i], 1, (size_t)512 << 10);
    }
    for (int i = 0; i < 50; i++) dallocx(memory[i], flags);
    filch__stack_pool_fini(&pool);
}

#endif

/* ------------------------------------------------------------------------------------------- model, conservation */

/* Marks that a stack is in use stand at its two ends. */
static void stack_own(struct filch__stack *stack, char owner) {
    ((char *)filch__stack_top(stack))[-1] = owner;
    stack->fiber.low[0] = owner;
}

static bool stack_owned(struct filch__stack *stack, char owner) {
    return ((char *)filch__stack_top(stack))[-1] == owner && stack->fiber.low[0] == owner;
}

TEST(stack, random_use_matches_a_set) {
    static struct filch__stack *held[MANY];
    struct filch__stack_pool pool;
    struct filch__stack_cache caches[2];
    struct filch__random random;
    size_t count = 0, peak = 0;
    filch__random_init(&random, 11, 0);
    check_int(filch__stack_pool_init(&pool), 0);
    for (int i = 0; i < 2; i++) filch__stack_cache_init(&caches[i], &pool, 2);
    for (int turn = 0; turn < MANY * 20; turn++) {
        uint64_t draw = filch__random_next(&random);
        unsigned way = draw % 16;
        bool growing = turn / MANY % 2 == 0, take = (draw >> 8) % 100 < (growing ? 80 : 20);
        if (take && count < MANY) {
            struct filch__stack *stack =
                way < 3 ? filch__stack_pool_get(&pool, way) : filch__stack_cache_get(&caches[way % 2]);
            check(stack != NULL && !stack_owned(stack, 1));
            check_int(stack->size_class, way < 3 ? way : 2);
            stack_own(stack, 1);
            held[count++] = stack;
        } else if (!take && count > 0) {
            size_t at = (draw >> 16) % count;
            struct filch__stack *stack = held[at];
            held[at] = held[--count];
            check(stack_owned(stack, 1));
            stack_own(stack, 0);
            if (way < 3) {
                filch__stack_pool_put(&pool, stack);
            } else {
                filch__stack_cache_put(&caches[way % 2], stack);
            }
        }
        if (count > peak) peak = count;
        if (turn % MANY == 0) filch__stack_pool_trim(&pool);
        struct filch__stack_stats stats = stats_of(&pool);
        check_int(stats.stacks - stats.free, count + caches[0].count + caches[1].count);
        check(caches[0].count <= FILCH__STACK_CACHE_MAX && caches[1].count <= FILCH__STACK_CACHE_MAX);
        check(stats.stacks_peak >= peak);
    }
    while (count > 0) filch__stack_pool_put(&pool, held[--count]);
    for (int i = 0; i < 2; i++) filch__stack_cache_drain(&caches[i]);
    struct filch__stack_stats stats = stats_of(&pool);
    check_int(stats.stacks, stats.free);
    filch__stack_pool_fini(&pool);
    check_int(filch__heap_objects(), 0);
}

/* ------------------------------------------------------------------------------------------------------------ renewed */

#define LIVES 12
#define LIFE 400

struct life {
    uint64_t numbers; /* of the pool and the cache, after each turn, in one */
    size_t out;
    struct filch__stack *held[LIFE];
};

/* Takes and puts stacks as the seed says. Ends with all given back. */
static uint64_t live(struct filch__stack_pool *pool, uint64_t seed) {
    static struct life life;
    struct filch__random random;
    struct filch__stack_cache cache;
    unsigned turns = seed % 3 == 0 ? 20 : LIFE;
    life.numbers = life.out = 0;
    filch__random_init(&random, seed, 0);
    filch__stack_cache_init(&cache, pool, 2);
    for (unsigned turn = 0; turn < turns || life.out > 0; turn++) {
        uint64_t draw = filch__random_next(&random);
        unsigned way = draw % 16;
        if (turn < turns && (life.out == 0 || draw >> 8 & 3)) {
            struct filch__stack *stack = way < 3 ? filch__stack_pool_get(pool, way) : filch__stack_cache_get(&cache);
            check(stack != NULL && !stack_owned(stack, 1));
            stack_own(stack, 1);
            life.held[life.out++] = stack;
        } else {
            struct filch__stack *stack = life.held[--life.out];
            check(stack_owned(stack, 1));
            stack_own(stack, 0);
            filch__stack_cache_put(&cache, stack);
        }
        struct filch__stack_stats stats = stats_of(pool);
        uint64_t numbers[] = {stats.stacks, stats.stacks_peak, stats.free,  stats.bytes,
                              cache.count,  cache.refills,     cache.spills};
        for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
            life.numbers = (life.numbers ^ numbers[i]) * 0x100000001b3u;
        }
    }
    filch__stack_cache_drain(&cache);
    check_int(stats_of(pool).stacks, stats_of(pool).free);
    return life.numbers;
}

TEST(stack, a_pool_that_is_renewed_gives_and_counts_as_a_new_one) {
    struct filch__stack_pool kept;
    check_int(filch__stack_pool_init(&kept), 0);
    for (uint64_t seed = 1; seed <= LIVES; seed++) {
        struct filch__stack_pool alone;
        check_int(filch__stack_pool_init(&alone), 0);
        uint64_t numbers = live(&alone, seed);
        filch__stack_pool_fini(&alone);
        check(live(&kept, seed) == numbers);
        filch__stack_pool_renew(&kept);
        check_int(stats_of(&kept).stacks + stats_of(&kept).stacks_peak + stats_of(&kept).free, 0);
        check_int(stats_of(&kept).bytes, 0);
    }
    filch__stack_pool_fini(&kept);
    check_int(filch__heap_objects(), 0);
}

/* One stack after the other, so that all chunks are made that a large pool has; then again, without one more from the arena. */
TEST(stack, a_pool_that_is_renewed_asks_for_no_memory_that_it_had) {
    struct filch__stack_pool pool;
    static struct filch__stack *held[2000];
    check_int(filch__stack_pool_init(&pool), 0);
    for (int life = 0; life < 3; life++) {
        for (int i = 0; i < 2000; i++) {
            if (life > 0) filch__alloc_fail(1, true);
            held[i] = filch__stack_pool_get(&pool, 0);
            filch__alloc_fail(0, false);
            check(held[i] != NULL);
        }
        check_int(stats_of(&pool).stacks_peak, 2000);
        for (int i = 0; i < 2000; i++) filch__stack_pool_put(&pool, held[i]);
        filch__stack_pool_renew(&pool);
    }
    filch__stack_pool_fini(&pool);
    check_int(filch__heap_objects(), 0);
}

#define THREADS 4
#define PASSED 128

static struct filch__stack_pool shared;
static struct {
    pthread_mutex_t lock;
    struct filch__stack *stacks[PASSED];
} passed = {.lock = PTHREAD_MUTEX_INITIALIZER};

static struct filch__stack *pass(struct filch__stack *stack, unsigned at) {
    pthread_mutex_lock(&passed.lock);
    struct filch__stack *other = passed.stacks[at];
    passed.stacks[at] = stack;
    pthread_mutex_unlock(&passed.lock);
    return other;
}

static void *use(void *argument) {
    struct filch__stack_cache cache;
    struct filch__random random;
    filch__random_init(&random, 5, (uint64_t)(uintptr_t)argument);
    filch__stack_cache_init(&cache, &shared, 2);
    for (int i = 0; i < 20000; i++) {
        uint64_t draw = filch__random_next(&random);
        struct filch__stack *stack = draw % 8 == 0 ? filch__stack_pool_get(&shared, 1) : filch__stack_cache_get(&cache);
        check(stack != NULL);
        stack->fiber.low[0] = (char)stack->size_class;
        stack = pass(stack, (unsigned)(draw >> 8) % PASSED);
        if (stack != NULL) {
            check_int(stack->fiber.low[0], stack->size_class);
            filch__stack_cache_put(&cache, stack);
        }
        if (draw % 4096 == 3) filch__stack_pool_trim(&shared);
    }
    filch__stack_cache_drain(&cache);
    return NULL;
}

TEST(stack, racing_threads_lose_no_stack) {
    pthread_t threads[THREADS];
    check_int(filch__stack_pool_init(&shared), 0);
    for (uintptr_t i = 0; i < THREADS; i++) check_int(pthread_create(&threads[i], NULL, use, (void *)i), 0);
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    for (unsigned i = 0; i < PASSED; i++) {
        struct filch__stack *stack = pass(NULL, i);
        if (stack != NULL) filch__stack_pool_put(&shared, stack);
    }
    struct filch__stack_stats stats = stats_of(&shared);
    check_int(stats.free, stats.stacks);
    check(stats.stacks_peak >= stats.stacks && stats.stacks_peak < PASSED + THREADS * 200);
    filch__stack_pool_fini(&shared);
    check_int(filch__heap_objects(), 0);
}

/* ----------------------------------------------------------------------------------------------------------- trim */

static struct filch__stack *many[MANY];

static void take_many(struct filch__stack_pool *pool) {
    for (int i = 0; i < MANY; i++) {
        check((many[i] = filch__stack_pool_get(pool, 2)) != NULL);
        stack_own(many[i], 1);
    }
}

/* Two pages of each stack were touched; a page each, with what tools keep, may stay for a while. */
static void check_returned(size_t peak, size_t before) {
#if !defined(FILCH_TSAN) && !defined(FILCH_ASAN)
    check(peak > before + (size_t)MANY * 2 * 4096);
    check(resident_bytes() < before + (peak - before) / 3);
#else
    (void)peak, (void)before;
#endif
}

TEST(stack, memory_returns_after_a_peak_by_itself) {
    struct filch__stack_pool pool;
    check_int(filch__stack_pool_init(&pool), 0);
    size_t before = resident_bytes();
    for (int round = 0; round < 2; round++) {
        take_many(&pool);
        check_int(stats_of(&pool).stacks, MANY);
        size_t peak = resident_bytes();
        for (int i = 0; i < MANY; i++) filch__stack_pool_put(&pool, many[i]);
        check_returned(peak, before);
        check(stats_of(&pool).stacks <= 1024 + 512 && stats_of(&pool).stacks_peak >= MANY);
    }
    filch__stack_pool_fini(&pool);
}

/* One stack in use in each chunk keeps the chunk, but not the memory of the others. */
TEST(stack, a_trim_takes_the_free_stacks_of_chunks_in_use) {
    struct filch__stack_pool pool;
    check_int(filch__stack_pool_init(&pool), 0);
    size_t before = resident_bytes();
    take_many(&pool);
    size_t peak = resident_bytes();
    for (int i = 0; i < MANY; i++) {
        if (i % 64 != 0) filch__stack_pool_put(&pool, many[i]);
    }
    filch__stack_pool_trim(&pool);
    check_returned(peak, before);
    check(stats_of(&pool).free <= 64);
    for (int i = 0; i < MANY; i += 64) {
        check(stack_owned(many[i], 1));
        check(faults(many[i]->fiber.low - 1));
        filch__stack_pool_put(&pool, many[i]);
    }
    take_many(&pool); /* what was stripped is made again, guards and all */
    for (int i = 0; i < MANY; i++) {
        check(faults(many[i]->fiber.low - 1));
        filch__stack_pool_put(&pool, many[i]);
    }
    filch__stack_pool_fini(&pool);
    check_int(filch__heap_objects(), 0);
}

TEST(stack, a_small_pool_is_cheap) {
    struct filch__stack_pool pool;
    struct filch__stack_cache cache;
    check_int(filch__stack_pool_init(&pool), 0);
    filch__stack_cache_init(&cache, &pool, 2);
    struct filch__stack *stack = filch__stack_cache_get(&cache);
    check(stack != NULL);
    check_int(stats_of(&pool).stacks, 1);
    check(stats_of(&pool).bytes <= (size_t)1 << 20);
    filch__stack_cache_put(&cache, stack);
    filch__stack_cache_drain(&cache);
    filch__stack_pool_fini(&pool);
}

/* ----------------------------------------------------------------------------------------------------- exhaustion */

/* Takes stacks of two classes, trims, gives them back; says whether memory was enough. */
static bool fill(uint64_t fail_at, bool all_after, enum filch__guard guard) {
    struct filch__stack_pool pool;
    struct filch__stack_cache cache;
    struct filch__stack *held[120];
    int count = 0;
    filch__alloc_fail(fail_at, all_after);
    if (filch__stack_pool_init(&pool) != 0) return false;
    if (pool.guard < guard) pool.guard = guard;
    filch__stack_cache_init(&cache, &pool, 2);
    for (int i = 0; i < 120; i++) {
        struct filch__stack *stack = i % 30 == 0 ? filch__stack_pool_get(&pool, 8) : filch__stack_cache_get(&cache);
        if (stack != NULL) held[count++] = stack;
        if (stack != NULL) check(faults(stack->fiber.low - 1));
    }
    uint64_t requests = filch__alloc_requests();
    for (int i = 0; i < count; i++) filch__stack_cache_put(&cache, held[i]);
    filch__stack_cache_drain(&cache);
    filch__stack_pool_trim(&pool);
    filch__stack_pool_fini(&pool);
    check_int(filch__heap_objects(), 0);
    check(all_after ? count == 120 || requests >= fail_at : count >= 119);
    return requests < fail_at;
}

TEST(stack, each_failing_request_is_survived) {
    for (int guard = GUARD_BATCH; guard <= GUARD_MPROTECT; guard++) {
        for (int all_after = 0; all_after < 2; all_after++) {
            uint64_t n = 1;
            while (!fill(n, all_after != 0, (enum filch__guard)guard)) n++;
            check(n > 10);
        }
    }
    filch__alloc_fail(0, false);
}

/* ---------------------------------------------------------------------------------------------------------- misuse */

#ifndef NDEBUG

TEST_DIES(stack, a_pool_with_a_stack_out_cannot_end, "internal:") {
    struct filch__stack_pool pool;
    check_int(filch__stack_pool_init(&pool), 0);
    check(filch__stack_pool_get(&pool, 2) != NULL);
    filch__stack_pool_fini(&pool);
}

#endif
