/* SPDX-License-Identifier: MIT */
/*
 * A ticker that wants to run every millisecond, n times, while tasks that never wait (hogs) keep more than all workers
 * busy. How late it runs: lateness_p50_us, lateness_p99_us; the time of an operation is the 99th percentile.
 *
 * The ticks are at absolute times, and the lateness of each is taken from its own: one that comes late does not put off
 * the next. What came before the hogs all run is not counted.
 */
#ifndef BENCH_HOG_HOG_H
#define BENCH_HOG_HOG_H

#include "../common/bench.h"

enum { HOGS_MAX = 64, TICK_NS = 1000000, TICKS_AHEAD = 50 };

/* What hogs and ticker share. */
struct hogs {
    unsigned count;
    uint32_t running; /* atomic */
    uint32_t over;    /* atomic */
    int64_t n;
    double *lateness; /* of each tick, in nanoseconds */
};

/* `run`'s hogs and ticks; freed by hogs_report, which tells what came of it and returns the checksum. */
struct hogs *hogs_make(const struct run *run);
uint64_t hogs_report(struct hogs *hogs, struct run *run);

/* The whole of a hog. */
void hog(struct hogs *hogs);

/* The whole of the ticker: sleeps by `sleep_until`, and ends the hogs. */
void tick(struct hogs *hogs, void (*sleep_until)(int64_t at_ns));

round_fn hog_serial, hog_pthread, hog_filch;

#endif
