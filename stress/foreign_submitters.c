/* SPDX-License-Identifier: MIT */
/*
 * Threads that are no workers spawn tasks into one runtime, await some and detach the others, while the runtime's own
 * tasks do the same, until it is shut down under them: each task that was accepted must have run once.
 */
#include <errno.h>

#include "stress/stress.h"

enum { THREADS = 8, SPAWNS = 300 };

static struct {
    filch_runtime *runtime;
    atomic_ullong accepted, ran;
    atomic_uint done;
} storm;

static int work(void *arg) {
    uintptr_t children = (uintptr_t)arg;
    atomic_fetch_add(&storm.ran, 1);
    for (uintptr_t i = 0; i < children; i++) {
        atomic_fetch_add(&storm.accepted, 1);
        must(filch_runtime_spawn(storm.runtime, NULL, work, (void *)(uintptr_t)0, NULL) == 0);
        if (i % 2 == 1) filch_yield();
    }
    return (int)children;
}

static void *submit(void *argument) {
    struct filch__random *random = argument;
    for (int i = 0; i < SPAWNS; i++) {
        uintptr_t children = below(random, 4);
        bool detached = below(random, 2) == 0;
        filch_task *task;
        atomic_fetch_add(&storm.accepted, 1);
        int result, answer = filch_runtime_spawn(storm.runtime, detached ? NULL : &task, work, (void *)children, NULL);
        if (answer == -ESHUTDOWN) {
            atomic_fetch_sub(&storm.accepted, 1);
            break;
        }
        must(answer == 0);
        if (detached) continue;
        filch_deadline deadline = below(random, 2) == 0 ? FILCH_NEVER : filch_after(below(random, 50000));
        while ((answer = filch_await(task, &result, deadline)) == -ETIMEDOUT) deadline = filch_after(100000);
        must(answer == 0 && result == (int)children);
    }
    atomic_fetch_add(&storm.done, 1);
    return NULL;
}

static uint64_t one_round(struct filch__random *random) {
    struct filch__random randoms[THREADS];
    pthread_t threads[THREADS];
    storm.accepted = storm.ran = 0;
    storm.done = 0;
    storm.runtime = stress_runtime();
    for (int i = 0; i < THREADS; i++) {
        filch__random_init(&randoms[i], filch__random_next(random), (uint64_t)i);
        must(pthread_create(&threads[i], NULL, submit, &randoms[i]) == 0);
    }
    /* In every second round it is shut down while they are at it. */
    if (below(random, 2) == 0) {
        usleep(below(random, 3000));
        must(filch_runtime_shutdown(storm.runtime, FILCH_NEVER) == 0);
    }
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    must(filch_runtime_shutdown(storm.runtime, FILCH_NEVER) == 0);
    must(storm.ran == storm.accepted);
    filch_stats stats;
    must(filch_runtime_stats(storm.runtime, &stats) == 0);
    must(stats.spawned == storm.ran && stats.completed == storm.ran);
    must(filch_runtime_destroy(storm.runtime) == 0);
    return storm.ran;
}

int main(int count, char **arguments) {
    stress_begin("foreign_submitters", count, arguments);
    struct filch__random random = stress_random(0);
    uint64_t operations;
    do {
        operations = one_round(&random);
    } while (stress_go_on(operations));
    return stress_end();
}
