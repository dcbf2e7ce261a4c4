/* SPDX-License-Identifier: MIT */
/* What the tests of the queues share: a printed seed, threads that start together, and the record of who took what. */
#ifndef FILCH_TESTS_SCHED_RACING_H
#define FILCH_TESTS_SCHED_RACING_H

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/atomic.h"
#include "base/random.h"
#include "context/context.h"
#include "tests/test.h"

/* ThreadSanitizer does not see membarrier(2), and is some twenty times slower. */
#ifdef FILCH_TSAN
enum { RACING_UNDER_TSAN = 1, RACING_SCALE = 10 };
#else
enum { RACING_UNDER_TSAN = 0, RACING_SCALE = 1 };
#endif

/* A generator seeded from FILCH_TEST_SEED, or anew; the seed is printed, so that a failure can be repeated. */
static inline struct filch__random racing_random(const char *test) {
    const char *text = getenv("FILCH_TEST_SEED");
    uint64_t seed = text != NULL ? strtoull(text, NULL, 0) : filch__random_seed();
    fprintf(stderr, "%s: FILCH_TEST_SEED=%llu\n", test, (unsigned long long)seed);
    struct filch__random random;
    filch__random_init(&random, seed, 0);
    return random;
}

static inline uint32_t racing_below(struct filch__random *random, uint32_t count) {
    return (uint32_t)(((filch__random_next(random) >> 32) * count) >> 32);
}

/* ------------------------------------------------------------------------------------------------------- tokens */

/* What goes through a queue under test. `plain` is written before the push, read after the take. */
struct token {
    uint64_t plain;
    ATOMIC(uint32_t) taken;
    char pad[48]; /* a line each */
};

struct tokens {
    struct token *all;
    uint64_t count;
};

static inline struct tokens tokens_make(uint64_t count) {
    struct tokens tokens = {aligned_alloc(64, count * sizeof(struct token)), count};
    check(tokens.all != NULL);
    for (uint64_t i = 0; i < count; i++) tokens.all[i] = (struct token){0};
    return tokens;
}

static inline void *token_give(struct tokens *tokens, uint64_t index) {
    tokens->all[index].plain = index + 1;
    return &tokens->all[index];
}

static inline void token_take(struct tokens *tokens, void *item) {
    struct token *token = item;
    check(token != NULL);
    uint64_t index = (uint64_t)(token - tokens->all);
    check(index < tokens->count);
    check_int(token->plain, index + 1);
    check_int(add_relaxed(&token->taken, 1), 0); /* nothing twice */
}

static inline void tokens_all_taken(struct tokens *tokens, uint64_t given) {
    for (uint64_t i = 0; i < tokens->count; i++) check_int(tokens->all[i].taken, i < given ? 1 : 0);
    free(tokens->all);
}

/* ------------------------------------------------------------------------------------------------------- threads */

enum { RACING_THREADS_MAX = 16 };

struct racing_threads {
    pthread_t threads[RACING_THREADS_MAX];
    unsigned count;
};

static inline void racing_start(struct racing_threads *racing, unsigned count, void *(*fn)(void *), void *argument) {
    check(count <= RACING_THREADS_MAX);
    racing->count = count;
    for (unsigned i = 0; i < count; i++) check_int(pthread_create(&racing->threads[i], NULL, fn, argument), 0);
}

static inline void racing_join(struct racing_threads *racing) {
    for (unsigned i = 0; i < racing->count; i++) check_int(pthread_join(racing->threads[i], NULL), 0);
}

#endif
