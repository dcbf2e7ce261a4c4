/* SPDX-License-Identifier: MIT */
/*
 * Two stages with a channel of 128 between them, each with about a microsecond of work on each of n items. `side_ns` of
 * the serial system is what the work of one stage takes: the time of an item where both stages run at the same time,
 * and the channel costs nothing.
 */
#ifndef BENCH_PIPELINE_PIPELINE_H
#define BENCH_PIPELINE_PIPELINE_H

#include "../common/bench.h"

enum { SLOTS = 128, STEPS = 1000 };

/* A stage's work on an item: a chain of multiplications, each of which needs the one before. */
static inline uint64_t pipeline_work(uint64_t item) {
    for (int i = 0; i < STEPS; i++) item = item * 6364136223846793005u + 1442695040888963407u;
    return item;
}

#ifndef __cplusplus
round_fn pipeline_serial, pipeline_pthread, pipeline_filch;
#endif

#endif
