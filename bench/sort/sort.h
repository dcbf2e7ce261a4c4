/* SPDX-License-Identifier: MIT */
/*
 * Merge sort of n 32-bit numbers in random order: the halves in parallel, then merged by one task. Ranges up to CUTOFF
 * are sorted by one task.
 */
#ifndef BENCH_SORT_SORT_H
#define BENCH_SORT_SORT_H

#include "../common/bench.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { CUTOFF = 2048 };

/* What is to be sorted: `count` numbers, and as much room to merge in. */
struct range {
    uint32_t *numbers, *room;
    int64_t count;
};

struct range sort_whole(int64_t n);

static inline struct range sort_left(const struct range *range) {
    struct range left = {range->numbers, range->room, range->count / 2};
    return left;
}

static inline struct range sort_right(const struct range *range) {
    int64_t middle = range->count / 2;
    struct range right = {range->numbers + middle, range->room + middle, range->count - middle};
    return right;
}

/* Sorts a range serially; merges its sorted halves. */
void sort_serially(const struct range *range);
void sort_merge(const struct range *range);

void sort_prepare(int64_t n);
uint64_t sort_checksum(int64_t n);

#ifdef __cplusplus
}
#else
round_fn sort_serial, sort_pthread, sort_pool, sort_filch;
#endif

#endif
