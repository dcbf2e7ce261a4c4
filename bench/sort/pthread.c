/* SPDX-License-Identifier: MIT */
#include "../common/pool.h"
#include "../common/thread.h"
#include "sort.h"

static void *by_threads(void *arg) {
    const struct range *range = arg;
    if (range->count <= CUTOFF) {
        sort_serially(range);
        return NULL;
    }
    struct range left = sort_left(range), right = sort_right(range);
    pthread_t thread = thread_start(by_threads, &left);
    by_threads(&right);
    pthread_join(thread, NULL);
    sort_merge(range);
    return NULL;
}

uint64_t sort_pthread(struct run *run) {
    struct range whole = sort_whole(run->n);
    by_threads(&whole);
    return 0;
}

static void by_jobs(void *arg) {
    const struct range *range = arg;
    if (range->count <= CUTOFF) {
        sort_serially(range);
        return;
    }
    struct range left = sort_left(range), right = sort_right(range);
    struct pool_batch batch = {0};
    struct pool_job job;
    pool_submit(the_pool, &batch, &job, by_jobs, &left);
    by_jobs(&right);
    pool_wait(the_pool, &batch);
    sort_merge(range);
}

uint64_t sort_pool(struct run *run) {
    struct range whole = sort_whole(run->n);
    by_jobs(&whole);
    return 0;
}
