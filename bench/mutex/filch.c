/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "../common/filch.h"
#include "mutex.h"

struct counter {
    filch_mutex mutex;
    uint64_t count;
    int64_t each;
};

static void lock(filch_mutex *mutex) {
    int error = filch_mutex_lock(mutex, FILCH_NEVER);
    if (error) fail("filch_mutex_lock: %d", error);
}

static int count_up(void *arg) {
    struct counter *counter = arg;
    for (int64_t i = 0; i < counter->each; i++) {
        lock(&counter->mutex);
        counter->count++;
        filch_mutex_unlock(&counter->mutex);
    }
    return 0;
}

static int count_up_and_yield(void *arg) {
    struct counter *counter = arg;
    for (int64_t i = 0; i < counter->each; i++) {
        lock(&counter->mutex);
        counter->count++;
        filch_yield();
        filch_mutex_unlock(&counter->mutex);
    }
    return 0;
}

uint64_t mutex_filch(struct run *run) {
    struct counter counter = {.each = run->n};
    count_up(&counter);
    return counter.count;
}

static uint64_t tasks(int64_t n, filch_fn *fn) {
    struct counter counter = {.each = n / MANY};
    filch_task **all = must_alloc(MANY * sizeof *all);
    for (int i = 0; i < MANY; i++) all[i] = must_spawn(fn, &counter);
    for (int i = 0; i < MANY; i++) must_await(all[i]);
    free(all);
    return counter.count;
}

uint64_t mutex_1000_filch(struct run *run) {
    return tasks(run->n, count_up);
}

uint64_t mutex_yield_filch(struct run *run) {
    return tasks(run->n, count_up_and_yield);
}
