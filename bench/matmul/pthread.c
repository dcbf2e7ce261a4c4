/* SPDX-License-Identifier: MIT */
#include "../common/pool.h"
#include "../common/thread.h"
#include "matmul.h"

static void *by_threads(void *arg) {
    const struct product *whole = arg;
    struct product parts[4];
    pthread_t threads[4];
    if (whole->size <= BLOCK) {
        matmul_block(whole);
        return NULL;
    }
    for (int half = 0; half < 2; half++) {
        for (int i = 0; i < 4; i++) {
            parts[i] = matmul_quarter(whole, i & 1, i >> 1, half);
            threads[i] = thread_start(by_threads, &parts[i]);
        }
        for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
    }
    return NULL;
}

uint64_t matmul_pthread(struct run *run) {
    struct product whole = matmul_whole(run->n);
    by_threads(&whole);
    return 0;
}

static void by_jobs(void *arg) {
    const struct product *whole = arg;
    struct product parts[4];
    struct pool_job jobs[4];
    if (whole->size <= BLOCK) {
        matmul_block(whole);
        return;
    }
    for (int half = 0; half < 2; half++) {
        struct pool_batch batch = {0};
        for (int i = 0; i < 4; i++) {
            parts[i] = matmul_quarter(whole, i & 1, i >> 1, half);
            pool_submit(the_pool, &batch, &jobs[i], by_jobs, &parts[i]);
        }
        pool_wait(the_pool, &batch);
    }
}

uint64_t matmul_pool(struct run *run) {
    struct product whole = matmul_whole(run->n);
    by_jobs(&whole);
    return 0;
}
