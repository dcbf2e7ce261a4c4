/* SPDX-License-Identifier: MIT */
/* Threads that call sched_yield(2). They are on one processor where there is one worker. */
#include <sched.h>

#include "../common/thread.h"
#include "yield.h"

struct yielder {
    int64_t count;
    pthread_t thread;
};

static void *yielder(void *arg) {
    const struct yielder *self = arg;
    for (int64_t i = 0; i < self->count; i++) sched_yield();
    return NULL;
}

static uint64_t threads(int64_t n, int count) {
    struct yielder yielders[MANY];
    uint64_t sum = 0;
    for (int i = 0; i < count; i++) {
        yielders[i].count = n / count;
        yielders[i].thread = thread_start(yielder, &yielders[i]);
    }
    for (int i = 0; i < count; i++) {
        pthread_join(yielders[i].thread, NULL);
        sum += (uint64_t)yielders[i].count;
    }
    return sum;
}

uint64_t yield_pthread(struct run *run) {
    return threads(run->n, TWO);
}

uint64_t yield_1000_pthread(struct run *run) {
    return threads(run->n, MANY);
}
