/* SPDX-License-Identifier: MIT */
/* The one place where the clock is read, so that a simulation can put another in its place. */
#ifndef FILCH_BASE_CLOCK_H
#define FILCH_BASE_CLOCK_H

#include <stdint.h>

/* CLOCK_MONOTONIC in nanoseconds. */
int64_t filch__clock_now(void);

/* `from_ns` + `duration_ns`, saturated at INT64_MAX; `from_ns` where the duration is negative. */
int64_t filch__clock_add(int64_t from_ns, int64_t duration_ns);

#endif
