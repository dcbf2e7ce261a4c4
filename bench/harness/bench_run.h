/* SPDX-License-Identifier: MIT */
/* Measures a workload with all its systems, in turn. */
#ifndef BENCH_HARNESS_BENCH_RUN_H
#define BENCH_HARNESS_BENCH_RUN_H

#include "options.h"
#include "series.h"

enum { SERIES_MAX = SYSTEMS_MAX * WORKERS_MAX };

/* Fills `series`, which has room for SERIES_MAX, and returns how many there are. */
unsigned measure_workload(const struct options *options, const struct workload *workload, struct series *series);

#endif
