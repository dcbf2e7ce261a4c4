/* SPDX-License-Identifier: MIT */
/* How often which duration came: 64 steps for each power of two, so that a quantile is right within 1.6 %. */
#ifndef BENCH_LOAD_HISTOGRAM_H
#define BENCH_LOAD_HISTOGRAM_H

#include <stdint.h>

enum { HISTOGRAM_STEPS = 64, HISTOGRAM_BUCKETS = 40 * HISTOGRAM_STEPS };

/* Zeroed: empty. */
struct histogram {
    uint64_t count, max;
    uint64_t bucket[HISTOGRAM_BUCKETS];
};

/* Counts `ns`; what is negative counts as 0, what is longer than nine hours as that. */
void histogram_add(struct histogram *histogram, int64_t ns);

/* The duration that `part` (0 to 1) of those counted do not exceed; 0 where nothing was. */
uint64_t histogram_quantile(const struct histogram *histogram, double part);

#endif
