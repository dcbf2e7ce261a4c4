/* SPDX-License-Identifier: MIT */
/*
 * n tasks that all wait at the same time, each on the stack that it stands on. The time of an operation is the time to
 * create one, counted up to the moment when the last one waits; bytes_per_task is what has been added to resident
 * memory and page tables by then. Measured cold, since the first touch of each stack is the cost.
 */
#ifndef BENCH_SUSPENDED_SUSPENDED_H
#define BENCH_SUSPENDED_SUSPENDED_H

#include "../common/bench.h"
#include "../common/memory.h"

/* A measuring point: the clock, and what the process has. */
struct point {
    int64_t at_ns;
    int64_t resident;
    int64_t page_tables;
};

static inline struct point point_now(void) {
    struct point point;
    point.at_ns = now_ns();
    point.resident = memory_resident();
    point.page_tables = memory_page_tables();
    return point;
}

/* Charges what lies between two points to the run. */
static inline void charge(struct run *run, const struct point *from, const struct point *to) {
    double tasks = (double)run->n;
    int64_t page_tables = to->page_tables - from->page_tables;
    run->charged_ns = to->at_ns - from->at_ns;
    run_extra(run, "bytes_per_task", (double)(to->resident - from->resident + page_tables) / tasks);
    run_extra(run, "page_table_bytes", (double)page_tables / tasks);
}

#ifndef __cplusplus
round_fn suspended_serial, suspended_floor, suspended_pthread, suspended_filch;
#endif

#endif
