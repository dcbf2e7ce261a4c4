/* SPDX-License-Identifier: MIT */
/* Up to 64 a bucket for each number; then one for each of the 64 steps between a power of two and the next. */
#include "histogram.h"

enum { STEP_BITS = 6 };
_Static_assert(1 << STEP_BITS == HISTOGRAM_STEPS, "a step is what the bits after the first choose");

static unsigned bucket_of(uint64_t ns) {
    if (ns < HISTOGRAM_STEPS) return (unsigned)ns;
    unsigned shift = 63u - (unsigned)__builtin_clzll(ns) - STEP_BITS;
    unsigned bucket = (shift << STEP_BITS) + (unsigned)(ns >> shift);
    return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

/* The largest number that falls into `bucket`. */
static uint64_t end_of(unsigned bucket) {
    if (bucket < HISTOGRAM_STEPS) return bucket;
    unsigned shift = (bucket >> STEP_BITS) - 1;
    uint64_t first = (bucket & (HISTOGRAM_STEPS - 1)) + HISTOGRAM_STEPS;
    return ((first + 1) << shift) - 1;
}

void histogram_add(struct histogram *histogram, int64_t ns) {
    uint64_t value = ns > 0 ? (uint64_t)ns : 0;
    histogram->bucket[bucket_of(value)]++;
    histogram->count++;
    if (value > histogram->max) histogram->max = value;
}

uint64_t histogram_quantile(const struct histogram *histogram, double part) {
    uint64_t wanted = (uint64_t)(part * (double)histogram->count), seen = 0;
    if (wanted >= histogram->count) return histogram->max;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += histogram->bucket[i];
        if (seen > wanted) return end_of(i) < histogram->max ? end_of(i) : histogram->max;
    }
    return histogram->max;
}
