/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "../common/memory.h"
#include "../common/pool.h"
#include "../common/thread.h"
#include "spawn_many.h"

static void *thread(void *arg) {
    return arg;
}

uint64_t spawn_many_pthread(struct run *run) {
    static pthread_t *threads;
    uint64_t sum = 0;
    if (!threads) {
        threads = must_alloc((uint64_t)run->n * sizeof *threads);
        memset(threads, 0, (uint64_t)run->n * sizeof *threads);
    }
    for (int64_t i = 0; i < run->n; i++) threads[i] = thread_start(thread, NULL);
    for (int64_t i = 0; i < run->n; i++) sum += pthread_join(threads[i], NULL) == 0;
    return sum;
}

struct counted {
    struct pool_job job;
    uint64_t done;
};

static void job(void *arg) {
    *(uint64_t *)arg = 1;
}

uint64_t spawn_many_pool(struct run *run) {
    static struct counted *jobs;
    struct pool_batch batch = {0};
    uint64_t sum = 0;
    int64_t before = run->warming ? memory_resident() : 0;
    if (!jobs) jobs = must_alloc((uint64_t)run->n * sizeof *jobs);
    for (int64_t i = 0; i < run->n; i++) {
        jobs[i].done = 0;
        pool_submit(the_pool, &batch, &jobs[i].job, job, &jobs[i].done);
    }
    if (run->warming) run_extra(run, "bytes_per_task", (double)(memory_resident() - before) / (double)run->n);
    pool_wait(the_pool, &batch);
    for (int64_t i = 0; i < run->n; i++) sum += jobs[i].done;
    return sum;
}
