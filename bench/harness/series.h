/* SPDX-License-Identifier: MIT */
/* What was measured of one system, in one workload, with one number of workers: all rounds of all its processes. */
#ifndef BENCH_HARNESS_SERIES_H
#define BENCH_HARNESS_SERIES_H

#include "workload.h"

enum status { STATUS_OPEN, STATUS_OK, STATUS_FAILED, STATUS_WRONG, STATUS_SKIPPED };

enum { VALUES_MAX = 16000, NAME_MAX_LENGTH = 32, REASON_MAX = 96 };

struct values {
    double *value;
    unsigned count;
};

struct extra_series {
    char name[NAME_MAX_LENGTH];
    struct values values; /* one a process */
};

struct series {
    const struct workload *workload;
    const struct entry *entry;
    unsigned workers;
    int64_t n;
    enum status status;
    char reason[REASON_MAX]; /* why it failed, or was skipped */
    struct values ns_per_op;
    struct values wall_ms;
    double rss_kib; /* the largest */
    uint64_t checksum;
    struct extra_series extras[EXTRAS_MAX];
    unsigned extras_count;
};

void values_add(struct values *values, double value);
double values_min(const struct values *values);
double values_max(const struct values *values);
double values_median(const struct values *values);

/* How far apart the middle half of the values lies, in relation to their median. */
double values_spread(const struct values *values);

/* Marks a series with the first thing that went wrong. */
void series_fail(struct series *series, enum status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The values of the extra figure `name`; made where it is new. */
struct values *series_extra(struct series *series, const char *name);

void series_free(struct series *series);

#endif
