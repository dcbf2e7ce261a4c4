/* SPDX-License-Identifier: MIT */
/* The results as text for people. */
#ifndef BENCH_HARNESS_TABLE_H
#define BENCH_HARNESS_TABLE_H

#include "series.h"

void table_print(const struct workload *workload, const struct series *series, unsigned count);

#endif
