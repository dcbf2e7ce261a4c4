/* SPDX-License-Identifier: MIT */
/* What is told about the ways on standard output. */
#ifndef TREESUM_REPORT_H
#define TREESUM_REPORT_H

#include <stdbool.h>

#include "sum.h"

/* What came out of going through a tree once. */
struct outcome {
    double seconds;
    uint64_t files, bytes, changed, error_count;
    struct digest content, stamp;
};

struct outcome outcome_of(const struct sum *sum, double seconds);

/* What the tree holds, after the first pass, and what of it cannot be read. */
void report_tree(const struct sum *sum);

/* A line of the table, or its head. `serial_seconds` is what the speed-up is relative to. */
void report_head(void);
void report_way(const char *name, unsigned workers, const struct outcome *median, double serial_seconds);

/* Whether all outcomes have the same digest; tells so, or what is known about why not. */
bool report_verdict(const struct outcome *outcomes, size_t count);

#endif
