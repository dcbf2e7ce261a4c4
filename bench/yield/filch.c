/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "../common/filch.h"
#include "yield.h"

struct yielder {
    int64_t count;
    int64_t done;
    filch_task *task;
};

static int yielder(void *arg) {
    struct yielder *self = arg;
    for (int64_t i = 0; i < self->count; i++) filch_yield();
    self->done = self->count;
    return 0;
}

static uint64_t tasks(int64_t n, int count) {
    struct yielder *yielders = must_alloc((uint64_t)count * sizeof *yielders);
    uint64_t sum = 0;
    for (int i = 0; i < count; i++) {
        yielders[i] = (struct yielder){.count = n / count};
        yielders[i].task = must_spawn(yielder, &yielders[i]);
    }
    for (int i = 0; i < count; i++) {
        must_await(yielders[i].task);
        sum += (uint64_t)yielders[i].done;
    }
    free(yielders);
    return sum;
}

uint64_t yield_filch(struct run *run) {
    return tasks(run->n, TWO);
}

uint64_t yield_1000_filch(struct run *run) {
    return tasks(run->n, MANY);
}
