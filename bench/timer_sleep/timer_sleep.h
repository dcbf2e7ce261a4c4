/* SPDX-License-Identifier: MIT */
/*
 * n tasks sleep until random deadlines, 100,000 of which there are in a second; all are asleep before the first is due.
 * The time of an operation is the processor time of the whole, the start of the tasks included, divided by n; beside it
 * stand how much later than their deadline the median and the hundredth part of the tasks went on.
 */
#ifndef BENCH_TIMER_SLEEP_TIMER_SLEEP_H
#define BENCH_TIMER_SLEEP_TIMER_SLEEP_H

#include "../common/bench.h"

round_fn timer_sleep_serial, timer_sleep_pthread, timer_sleep_filch;

struct sleeps;

/* One of them. */
struct sleeper {
    struct sleeps *sleeps;
    int64_t deadline_ns;
    int64_t woken_ns;
};

struct sleeps {
    struct run *run;
    int64_t cpu_ns; /* that had been used before */
    struct sleeper *sleepers;
};

/* Draws the deadlines, the first of which comes after there was time to start all. */
void sleeps_begin(struct sleeps *sleeps, struct run *run);

/* Charges what has been used, tells how late the sleepers were, and returns how many were not early. */
uint64_t sleeps_end(struct sleeps *sleeps);

#endif
