/* SPDX-License-Identifier: MIT */
/*
 * Proves that want of memory is answered, wherever it comes: the n-th request for memory of a whole life of a runtime
 * fails, for each n, and nothing crashes, hangs, or is left behind, and no task that was started is lost.
 */
#include <errno.h>
#include <filch/filch.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "alloc/alloc.h"
#include "tests/test.h"

struct life {
    atomic_uint started, ended;
    atomic_bool want; /* no more memory is given */
};

static int work(void *arg) {
    struct life *life = arg;
    filch_yield();
    atomic_fetch_add(&life->ended, 1);
    return 0;
}

static void start(struct life *life, filch_task **task, const filch_task_options *options) {
    int answer = filch_spawn(task, work, life, options);
    check(answer == 0 || answer == -ENOMEM);
    if (answer == 0) {
        atomic_fetch_add(&life->started, 1);
    } else {
        *task = NULL;
    }
}

/* Spawns enough for rings to grow and stacks to be made, forks, sleeps, and awaits all. */
static int live(void *arg) {
    enum { TASKS = 400 };
    struct life *life = arg;
    static filch_task *tasks[TASKS];
    filch_frame frames[20];
    for (int i = 0; i < TASKS; i++) {
        filch_task_options options = {.name = "named", .stack_size = i % 40 == 0 ? 128 << 10 : 0};
        start(life, &tasks[i], i % 10 == 0 ? &options : NULL);
    }
    for (int i = 0; i < 20; i++) filch_fork(&frames[i], work, life);
    filch_sleep(1000);
    for (int i = 19; i >= 0; i--) check_int(filch_join(&frames[i]), 0);
    for (int i = 0; i < TASKS; i++) {
        if (tasks[i] == NULL) continue;
        filch_deadline deadline = i % 3 == 0 ? filch_after(FILCH_SEC(1000)) : FILCH_NEVER;
        check_int(filch_await(tasks[i], NULL, deadline), 0);
    }
    return 17;
}

/* Returns whether a request has failed. */
static bool live_once(unsigned workers, uint64_t nth) {
    struct life life = {0};
    size_t before = filch__heap_objects();
    filch__alloc_fail(nth, false);
    int answer = filch_run(live, &life, &(filch_options){.workers = workers});
    bool failed = filch__alloc_requests() >= nth;
    filch__alloc_fail(0, false);
    check(answer == 17 || (answer == -ENOMEM && failed));
    if (answer == 17) check_int(life.ended, life.started + 20);
    check_int(filch__heap_objects(), before);
    return failed;
}

TEST(exhaustion, any_one_request_for_memory_may_fail_in_the_life_of_a_runtime) {
    for (unsigned workers = 1; workers <= 4; workers++) {
        unsigned past_the_end = 0; /* how many requests there are varies with the schedule */
        for (uint64_t nth = 1; past_the_end < 10; nth++) {
            check(nth < 100000);
            if (!live_once(workers, nth)) past_the_end++;
        }
    }
}

TEST(exhaustion, all_requests_from_any_one_on_may_fail_while_a_runtime_is_made) {
    size_t before = filch__heap_objects();
    for (uint64_t nth = 1;; nth++) {
        filch_runtime *runtime = NULL;
        filch__alloc_fail(nth, true);
        int answer = filch_runtime_create(&runtime, &(filch_options){.workers = 3});
        filch__alloc_fail(0, false);
        if (answer == 0) {
            check_int(filch_runtime_destroy(runtime), 0);
            check_int(filch__heap_objects(), before);
            return;
        }
        check_int(answer, -ENOMEM);
        check(runtime == NULL);
        check_int(filch__heap_objects(), before);
    }
}

/* No memory at all for a while, in the midst of the work: what is there goes on, and the rest when memory is back. */
static int give_memory_back(void *arg) {
    struct life *life = arg;
    while (!atomic_load(&life->want)) filch_yield(); /* another worker may be here before there is want */
    filch__alloc_fail(0, false);
    return 0;
}

static int live_in_want(void *arg) {
    struct life *life = arg;
    filch_task *tasks[300], *relief;
    for (int i = 0; i < 300; i++) start(life, &tasks[i], NULL);
    check_int(filch_spawn(&relief, give_memory_back, life, NULL), 0);
    filch__alloc_fail(1, true);
    atomic_store(&life->want, true);
    for (int i = 0; i < 10; i++) filch_yield();
    check_int(filch_await(relief, NULL, FILCH_NEVER), 0);
    for (int i = 0; i < 300; i++) {
        if (tasks[i] != NULL) check_int(filch_await(tasks[i], NULL, FILCH_NEVER), 0);
    }
    return 0;
}

TEST(exhaustion, without_memory_for_a_while_all_tasks_end_all_the_same) {
    size_t before = filch__heap_objects();
    for (unsigned workers = 1; workers <= 4; workers++) {
        for (int round = 0; round < 20; round++) {
            struct life life = {0};
            check_int(filch_run(live_in_want, &life, &(filch_options){.workers = workers}), 0);
            check_int(life.ended, life.started);
        }
    }
    check_int(filch__heap_objects(), before);
}

/* More forks than the ring has room for, and no memory from the first on until all are joined. */
static int fork_in_want(void *arg) {
    enum { FORKS = 1500 };
    struct life *life = arg;
    filch_frame *frames = calloc(FORKS, sizeof *frames);
    check(frames != NULL);
    filch__alloc_fail(1, true);
    for (int i = 0; i < FORKS; i++) {
        filch_fork(&frames[i], work, life);
        if (i % 500 == 499) filch_yield();
    }
    filch_sleep(10000);
    for (int i = FORKS - 1; i >= 0; i--) {
        if (i % 100 == 0) filch_yield();
        check_int(filch_join(&frames[i]), 0);
    }
    filch__alloc_fail(0, false);
    check_int(life->ended, FORKS);
    free(frames);
    return 0;
}

TEST(exhaustion, forks_beyond_the_ring_are_all_called_without_memory) {
    for (unsigned workers = 1; workers <= 4; workers++) {
        struct life life = {0};
        check_int(filch_run(fork_in_want, &life, &(filch_options){.workers = workers}), 0);
    }
}
