/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "../../base/atomic.h"
#include "hog.h"

struct hogs *hogs_make(const struct run *run) {
    struct hogs *hogs = must_alloc(sizeof *hogs);
    *hogs = (struct hogs){.count = (unsigned)atoi(run->workload + sizeof "hog-" - 1), .n = run->n};
    hogs->lateness = must_alloc((uint64_t)run->n * sizeof *hogs->lateness);
    return hogs;
}

void hog(struct hogs *hogs) {
    add_seq_cst(&hogs->running, 1);
    while (!load_relaxed(&hogs->over)) continue;
}

void tick(struct hogs *hogs, void (*sleep_until)(int64_t at_ns)) {
    while (load_seq_cst(&hogs->running) < hogs->count) sleep_until(now_ns() + TICK_NS);
    int64_t first = now_ns() + TICKS_AHEAD * TICK_NS; /* all who are to make up for the hogs have come by then */
    for (int64_t i = 0; i < hogs->n; i++) {
        int64_t at = first + i * TICK_NS;
        if (now_ns() < at) sleep_until(at);
        hogs->lateness[i] = (double)(now_ns() - at);
    }
    store_seq_cst(&hogs->over, 1);
}

static int by_size(const void *left, const void *right) {
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

uint64_t hogs_report(struct hogs *hogs, struct run *run) {
    qsort(hogs->lateness, (size_t)hogs->n, sizeof *hogs->lateness, by_size);
    double p50 = hogs->lateness[(hogs->n - 1) / 2], p99 = hogs->lateness[(hogs->n - 1) * 99 / 100];
    run->charged_ns = p99 > 1 ? (int64_t)p99 : 1;
    run_extra(run, "lateness_p50_us", p50 / 1000);
    run_extra(run, "lateness_p99_us", p99 / 1000);
    uint64_t checksum = (uint64_t)hogs->n;
    free(hogs->lateness);
    free(hogs);
    return checksum;
}
