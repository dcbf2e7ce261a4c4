/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <time.h>

#include "../common/thread.h"
#include "timer_sleep.h"

static void *sleep_once(void *arg) {
    struct sleeper *sleeper = arg;
    struct timespec until = {sleeper->deadline_ns / 1000000000, sleeper->deadline_ns % 1000000000};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) != 0) continue;
    sleeper->woken_ns = now_ns();
    return NULL;
}

uint64_t timer_sleep_pthread(struct run *run) {
    struct sleeps sleeps;
    pthread_t *threads = must_alloc((uint64_t)run->n * sizeof *threads);
    sleeps_begin(&sleeps, run);
    for (int64_t i = 0; i < run->n; i++) threads[i] = thread_start(sleep_once, &sleeps.sleepers[i]);
    for (int64_t i = 0; i < run->n; i++) pthread_join(threads[i], NULL);
    free(threads);
    return sleeps_end(&sleeps);
}
