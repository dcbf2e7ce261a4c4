/* SPDX-License-Identifier: MIT */
/* One thread that sleeps until one deadline after the other: what the kernel's clock asks for alone. */
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>

#include "timer_sleep.h"

static int by_deadline(const void *left, const void *right) {
    int64_t a = ((const struct sleeper *)left)->deadline_ns, b = ((const struct sleeper *)right)->deadline_ns;
    return (a > b) - (a < b);
}

uint64_t timer_sleep_serial(struct run *run) {
    struct sleeps sleeps;
    prctl(PR_SET_TIMERSLACK, 1);
    sleeps_begin(&sleeps, run);
    qsort(sleeps.sleepers, (size_t)run->n, sizeof *sleeps.sleepers, by_deadline);
    for (int64_t i = 0; i < run->n; i++) {
        struct sleeper *sleeper = &sleeps.sleepers[i];
        struct timespec until = {sleeper->deadline_ns / 1000000000, sleeper->deadline_ns % 1000000000};
        while ((sleeper->woken_ns = now_ns()) < sleeper->deadline_ns) {
            clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
        }
    }
    return sleeps_end(&sleeps);
}
