/* SPDX-License-Identifier: MIT */
#include "../common/pool.h"
#include "../common/thread.h"
#include "spawn_await.h"

static void job(void *arg) {
    ++*(uint64_t *)arg;
}

static void *thread(void *arg) {
    job(arg);
    return NULL;
}

uint64_t spawn_await_pthread(struct run *run) {
    uint64_t sum = 0;
    for (int64_t i = 0; i < run->n; i++) pthread_join(thread_start(thread, &sum), NULL);
    return sum;
}

uint64_t spawn_await_pool(struct run *run) {
    uint64_t sum = 0;
    for (int64_t i = 0; i < run->n; i++) {
        struct pool_batch batch = {0};
        struct pool_job one;
        pool_submit(the_pool, &batch, &one, job, &sum);
        pool_wait(the_pool, &batch);
    }
    return sum;
}
