/* SPDX-License-Identifier: MIT */
/* A thread for each hog and one for the ticker: what the kernel's scheduler makes of it. */
#include <time.h>

#include "../common/thread.h"
#include "hog.h"

static void *hog_thread(void *arg) {
    hog(arg);
    return NULL;
}

static void sleep_until(int64_t at_ns) {
    struct timespec at = {at_ns / 1000000000, at_ns % 1000000000};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
}

uint64_t hog_pthread(struct run *run) {
    struct hogs *hogs = hogs_make(run);
    pthread_t threads[HOGS_MAX];
    unsigned count = hogs->count;
    for (unsigned i = 0; i < count; i++) threads[i] = thread_start(hog_thread, hogs);
    tick(hogs, sleep_until);
    for (unsigned i = 0; i < count; i++) pthread_join(threads[i], NULL);
    return hogs_report(hogs, run);
}
