/* SPDX-License-Identifier: MIT */
/* The ticker, with nobody beside it. */
#include <time.h>

#include "hog.h"

static void sleep_until(int64_t at_ns) {
    struct timespec at = {at_ns / 1000000000, at_ns % 1000000000};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
}

uint64_t hog_serial(struct run *run) {
    struct hogs *hogs = hogs_make(run);
    hogs->count = 0;
    tick(hogs, sleep_until);
    return hogs_report(hogs, run);
}
