/* SPDX-License-Identifier: MIT */
/* A workload as the harness knows it: its sizes, and which systems do it. Each folder defines one or more. */
#ifndef BENCH_HARNESS_WORKLOAD_H
#define BENCH_HARNESS_WORKLOAD_H

#include "../common/bench.h"

/* The size of the work: for a full run, with --quick, with --smoke. 0 in a system's is the workload's. */
struct sizes {
    int64_t full, quick, smoke;
};

enum size { SIZE_FULL, SIZE_QUICK, SIZE_SMOKE };

/* A system that does a workload. */
struct entry {
    const char *system;
    round_fn *round;       /* NULL: a program of its own does it, filch-bench-<system> */
    struct sizes n;        /* where it does less than the others: time an operation stays comparable */
    unsigned workers_only; /* measured with this number of workers, whatever is asked for; 0: as asked for */
    bool beside;           /* measured inside the process of another system, which prints its line too */
    bool peer;             /* left out without peers, though this program measures it: it serves, in one of its own */
};

struct workload {
    const char *name;
    const char *operation; /* what the time of one operation is the time of */
    struct sizes n;
    const char *baseline; /* the system that the others are set in relation to */
    int64_t (*operations)(int64_t n, uint64_t checksum);
    void (*prepare)(int64_t n);
    uint64_t (*checksum)(int64_t n);
    bool cold;
    bool outside; /* the systems are processes of their own, and the one that measures is inside none of them */
    bool once;    /* one process a measurement, whatever is asked for: it takes long, and does not scatter */
    struct entry systems[SYSTEMS_MAX]; /* ends with an empty one; contains "serial", which the others are checked by */
};

/* All workloads, in the order of the table; ends with NULL. */
extern const struct workload *const workloads[];

/* The workload or the system of that name, or NULL. */
const struct workload *workload_find(const char *name);
const struct entry *entry_find(const struct workload *workload, const char *system);

/* How large the work of `entry` is. */
int64_t entry_size(const struct workload *workload, const struct entry *entry, enum size size);

/* An operation is 1 of n. */
int64_t operations_n(int64_t n, uint64_t checksum);

#endif
