/* SPDX-License-Identifier: MIT */
#include "idle.h"

#include <sys/resource.h>

static int64_t nanoseconds(struct timeval time) {
    return ((int64_t)time.tv_sec * 1000000 + time.tv_usec) * 1000;
}

int64_t idle_cpu_ns(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return nanoseconds(usage.ru_utime) + nanoseconds(usage.ru_stime);
}

uint64_t idle_charge(struct run *run, int64_t before_ns) {
    int64_t used = idle_cpu_ns() - before_ns;
    run->charged_ns = used > 0 ? used : 1;
    run_extra(run, "cpu_ms", (double)used / 1e6);
    return (uint64_t)run->n;
}
