/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "../common/filch.h"
#include "timer_sleep.h"

static int sleep_once(void *arg) {
    struct sleeper *sleeper = arg;
    filch_sleep_until((filch_deadline){sleeper->deadline_ns});
    sleeper->woken_ns = now_ns();
    return 0;
}

uint64_t timer_sleep_filch(struct run *run) {
    struct sleeps sleeps;
    filch_task **tasks = must_alloc((uint64_t)run->n * sizeof *tasks);
    sleeps_begin(&sleeps, run);
    for (int64_t i = 0; i < run->n; i++) tasks[i] = must_spawn(sleep_once, &sleeps.sleepers[i]);
    for (int64_t i = 0; i < run->n; i++) must_await(tasks[i]);
    free(tasks);
    return sleeps_end(&sleeps);
}
