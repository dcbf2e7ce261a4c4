/* SPDX-License-Identifier: MIT */
#include "pipeline.h"

uint64_t pipeline_serial(struct run *run) {
    uint64_t sum = 0;
    int64_t begin = now_ns();
    for (int64_t i = 0; i < run->n; i++) sum += pipeline_work(pipeline_work((uint64_t)i));
    run_extra(run, "side_ns", (double)(now_ns() - begin) / (2.0 * (double)run->n));
    return sum;
}
