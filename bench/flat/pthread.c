/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "../common/pool.h"
#include "../common/thread.h"
#include "flat.h"

static void *thread(void *cell) {
    flat_touch(cell);
    return NULL;
}

/* No more at once than any system gives. */
enum { AT_ONCE = 1000 };

uint64_t flat_pthread(struct run *run) {
    pthread_t threads[AT_ONCE];
    for (int64_t first = 0; first < run->n; first += AT_ONCE) {
        int64_t count = run->n - first < AT_ONCE ? run->n - first : AT_ONCE;
        for (int64_t i = 0; i < count; i++) threads[i] = thread_start(thread, &flat_cells[first + i]);
        for (int64_t i = 0; i < count; i++) pthread_join(threads[i], NULL);
    }
    return 0;
}

static void job(void *cell) {
    flat_touch(cell);
}

uint64_t flat_pool(struct run *run) {
    struct pool_job *jobs = flat_room(run->n, sizeof *jobs);
    struct pool_batch batch = {0};
    for (int64_t i = 0; i < run->n; i++) pool_submit(the_pool, &batch, &jobs[i], job, &flat_cells[i]);
    pool_wait(the_pool, &batch);
    return 0;
}

/*
 * A loop as one writes it for a pool: a few parts for each worker. All others are asked for a grain of 1, each index a
 * part of its own: the pool's figure is what a loop costs where the grain was chosen by hand.
 */
enum { PARTS_A_WORKER = 8 };

struct part {
    int64_t first, last;
    struct pool_job job;
};

static void part_job(void *arg) {
    const struct part *part = arg;
    int (*volatile touch)(void *) = flat_touch;
    int (*fn)(void *) = touch;
    for (int64_t i = part->first; i < part->last; i++) fn(&flat_cells[i]);
}

uint64_t flat_for_pool(struct run *run) {
    int64_t count = PARTS_A_WORKER * (int64_t)run->workers;
    struct part *parts = must_alloc((uint64_t)count * sizeof *parts);
    struct pool_batch batch = {0};
    for (int64_t i = 0; i < count; i++) {
        parts[i].first = run->n * i / count;
        parts[i].last = run->n * (i + 1) / count;
        pool_submit(the_pool, &batch, &parts[i].job, part_job, &parts[i]);
    }
    pool_wait(the_pool, &batch);
    free(parts);
    return 0;
}
