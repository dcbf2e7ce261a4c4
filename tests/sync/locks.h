/* SPDX-License-Identifier: MIT */
/* What the tests of locks and of what is like them share: crowds of tasks and threads, and who waits by now. */
#ifndef FILCH_TESTS_SYNC_LOCKS_H
#define FILCH_TESTS_SYNC_LOCKS_H

#include <errno.h>
#include <filch/filch.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/latch.h"
#include "sched/waitlist.h"
#include "tests/api/workers.h"
#include "tests/test.h"

static const unsigned lock_workers[] = {1, 2, 4, 8};

static inline void run_with_each(filch_fn *fn, void *arg) {
    for (size_t i = 0; i < sizeof lock_workers / sizeof lock_workers[0]; i++) run_with(lock_workers[i], fn, arg);
}

/* How many wait in a list of the object whose latch this is. */
static inline int waiting_in(struct filch__latch *latch, const struct filch__waitlist *list) {
    int count = 0;
    filch__latch_take(latch);
    for (const struct filch__clause *each = list->first; each != NULL; each = each->next) count++;
    filch__latch_leave(latch);
    return count;
}

/* Lets others run until so many wait. */
static inline void until_waiting(struct filch__latch *latch, const struct filch__waitlist *list, int count) {
    while (waiting_in(latch, list) != count) filch_yield();
}

#define until_wait_at(object, count) until_waiting(&(object)->filch__latch, &(object)->filch__waiters, (count))

/* xorshift: each member of a crowd has a state of its own, which is not 0. */
static inline unsigned chance(uint32_t *state, unsigned of) {
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state % of;
}

enum { CROWD_TASKS = 40, CROWD_THREADS = 3 };

/* Tasks, and threads that are no workers, that do the same. */
struct member {
    void (*body)(void *shared, uint32_t *random);
    void *shared;
    uint32_t random;
    filch_task *task;
    pthread_t thread;
};

static inline int member_task(void *arg) {
    struct member *member = arg;
    member->body(member->shared, &member->random);
    return 0;
}

static inline void *member_thread(void *arg) {
    member_task(arg);
    return NULL;
}

/* Calls `body(shared, random)` in each member of a crowd, a third of its tasks cancelled some time if so wished. */
static inline void crowd(void (*body)(void *shared, uint32_t *random), void *shared, bool cancel) {
    struct member tasks[CROWD_TASKS], threads[CROWD_THREADS];
    uint32_t random = 2463534242;
    for (int i = 0; i < CROWD_THREADS; i++) {
        threads[i] = (struct member){.body = body, .shared = shared, .random = 77u + (uint32_t)i};
        check_int(pthread_create(&threads[i].thread, NULL, member_thread, &threads[i]), 0);
    }
    for (int i = 0; i < CROWD_TASKS; i++) {
        tasks[i] = (struct member){.body = body, .shared = shared, .random = 1000u + (uint32_t)i};
        tasks[i].task = start(member_task, &tasks[i]);
    }
    for (int i = 0; cancel && i < CROWD_TASKS; i += 3) {
        for (unsigned yields = chance(&random, 8); yields > 0; yields--) filch_yield();
        filch_task_cancel(tasks[i].task);
    }
    for (int i = 0; i < CROWD_TASKS; i++) {
        int result = result_of(tasks[i].task);
        check(result == 0 || (cancel && result == -ECANCELED)); /* it had not begun */
    }
    for (int i = 0; i < CROWD_THREADS; i++) pthread_join(threads[i].thread, NULL);
}

#endif
