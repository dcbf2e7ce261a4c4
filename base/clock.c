/* SPDX-License-Identifier: MIT */
#include "base/clock.h"

#include <time.h>

#include "base/stand_in.h"

ATOMIC(const struct filch__stand_in *) filch__stand_in;

int64_t filch__clock_now(void) {
    const struct filch__stand_in *stand_in = filch__stand_in_now();
    if (unlikely(stand_in != NULL)) return stand_in->clock_now();
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t filch__clock_add(int64_t from_ns, int64_t duration_ns) {
    if (duration_ns <= 0) return from_ns;
    return duration_ns > INT64_MAX - from_ns ? INT64_MAX : from_ns + duration_ns;
}
