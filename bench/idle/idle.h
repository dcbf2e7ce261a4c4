/* SPDX-License-Identifier: MIT */
/*
 * 64 workers have nothing to do for n milliseconds. The time of an operation is the processor time that a second of
 * that takes; cpu_ms is the whole, counted from when the main task goes to sleep, without the start of the workers.
 */
#ifndef BENCH_IDLE_IDLE_H
#define BENCH_IDLE_IDLE_H

#include "../common/bench.h"

enum { IDLE_WORKERS = 64 };

/* What of the processor the process has used, in nanoseconds. */
int64_t idle_cpu_ns(void);

/* Charges what has been used since `before_ns`. Returns the checksum. */
uint64_t idle_charge(struct run *run, int64_t before_ns);

round_fn idle_serial, idle_pthread, idle_filch;

#endif
