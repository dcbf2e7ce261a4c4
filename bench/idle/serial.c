/* SPDX-License-Identifier: MIT */
/* One thread that sleeps. */
#include <time.h>

#include "idle.h"

uint64_t idle_serial(struct run *run) {
    int64_t before = idle_cpu_ns();
    struct timespec duration = {run->n / 1000, run->n % 1000 * 1000000};
    nanosleep(&duration, NULL);
    return idle_charge(run, before);
}
