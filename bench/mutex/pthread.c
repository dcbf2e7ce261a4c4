/* SPDX-License-Identifier: MIT */
/* Threads at a pthread_mutex_t. They are on one processor where there is one worker. */
#include <sched.h>

#include "../common/thread.h"
#include "mutex.h"

struct counter {
    pthread_mutex_t mutex;
    uint64_t count;
    int64_t each;
};

static void *count_up(void *arg) {
    struct counter *counter = arg;
    for (int64_t i = 0; i < counter->each; i++) {
        pthread_mutex_lock(&counter->mutex);
        counter->count++;
        pthread_mutex_unlock(&counter->mutex);
    }
    return NULL;
}

static void *count_up_and_yield(void *arg) {
    struct counter *counter = arg;
    for (int64_t i = 0; i < counter->each; i++) {
        pthread_mutex_lock(&counter->mutex);
        counter->count++;
        sched_yield();
        pthread_mutex_unlock(&counter->mutex);
    }
    return NULL;
}

uint64_t mutex_pthread(struct run *run) {
    struct counter counter = {.mutex = PTHREAD_MUTEX_INITIALIZER, .each = run->n};
    count_up(&counter);
    return counter.count;
}

static uint64_t threads(int64_t n, void *(*fn)(void *)) {
    struct counter counter = {.mutex = PTHREAD_MUTEX_INITIALIZER, .each = n / MANY};
    pthread_t all[MANY];
    for (int i = 0; i < MANY; i++) all[i] = thread_start(fn, &counter);
    for (int i = 0; i < MANY; i++) pthread_join(all[i], NULL);
    return counter.count;
}

uint64_t mutex_1000_pthread(struct run *run) {
    return threads(run->n, count_up);
}

uint64_t mutex_yield_pthread(struct run *run) {
    return threads(run->n, count_up_and_yield);
}
