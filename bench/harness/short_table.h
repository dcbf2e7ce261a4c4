/* SPDX-License-Identifier: MIT */
/* The results in a row a workload: filch beside pthreads, a thread for each task and a fixed pool. */
#ifndef BENCH_HARNESS_SHORT_TABLE_H
#define BENCH_HARNESS_SHORT_TABLE_H

#include "options.h"
#include "series.h"

void short_table_head(const struct options *options);

/* The row of a workload, and below it what went wrong. */
void short_table_row(const struct options *options, const struct workload *workload, const struct series *series,
                     unsigned count);

#endif
