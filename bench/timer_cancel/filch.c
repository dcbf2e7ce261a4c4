/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "../common/filch.h"
#include "timer_cancel.h"

struct pair {
    filch_sem sem;
    filch_deadline deadline;
    int64_t count;
    uint64_t granted;
    filch_task *waiter, *releaser;
};

static int wait_often(void *arg) {
    struct pair *pair = arg;
    for (int64_t i = 0; i < pair->count; i++) pair->granted += filch_sem_acquire(&pair->sem, pair->deadline) == 0;
    return 0;
}

static int release_often(void *arg) {
    struct pair *pair = arg;
    for (int64_t i = 0; i < pair->count; i++) {
        filch_sem_release(&pair->sem);
        filch_yield();
    }
    return 0;
}

static void start_pair(struct pair *pair, int64_t count, filch_deadline deadline) {
    *pair = (struct pair){.deadline = deadline, .count = count};
    if (filch_sem_init(&pair->sem, 0, 0) != 0) fail("filch_sem_init");
    pair->waiter = must_spawn(wait_often, pair);
    pair->releaser = must_spawn(release_often, pair);
}

static uint64_t end_pair(struct pair *pair) {
    must_await(pair->waiter);
    must_await(pair->releaser);
    filch_sem_fini(&pair->sem);
    return pair->granted;
}

/* All n waits; returns how many were granted, and sets `*took_ns`. */
static uint64_t wait_all(const struct run *run, filch_deadline deadline, int64_t *took_ns) {
    struct pair *pairs = must_alloc(run->workers * sizeof *pairs);
    uint64_t granted = 0;
    int64_t begin = now_ns(), left = run->n;
    for (unsigned i = 0; i < run->workers; i++) {
        int64_t count = left / (run->workers - i);
        start_pair(&pairs[i], count, deadline);
        left -= count;
    }
    for (unsigned i = 0; i < run->workers; i++) granted += end_pair(&pairs[i]);
    *took_ns = now_ns() - begin;
    free(pairs);
    return granted;
}

uint64_t timer_cancel_filch(struct run *run) {
    int64_t without, with;
    wait_all(run, FILCH_NEVER, &without);
    uint64_t granted = wait_all(run, filch_after(FILCH_SEC(3600)), &with);
    run->charged_ns = with;
    run_extra(run, "wait_ns", (double)without / (double)run->n);
    run_extra(run, "timer_ns", (double)(with - without) / (double)run->n);
    return granted;
}
