/* SPDX-License-Identifier: MIT */
/* What the command line asks for. */
#ifndef BENCH_HARNESS_OPTIONS_H
#define BENCH_HARNESS_OPTIONS_H

#include "workload.h"

enum { WORKERS_MAX = 8 };

struct options {
    enum size size;
    bool list;
    bool peers;
    bool long_table;
    const char *filter;  /* comma-separated parts of workloads' names, or NULL: all */
    const char *systems; /* comma-separated names of systems, or NULL: all */
    const char *json;    /* file to write, or NULL */
    unsigned repeat;     /* processes a measurement */
    unsigned rounds;     /* rounds a process, at most */
    unsigned workers[WORKERS_MAX];
    unsigned workers_count;
};

/* Reads the command line. Prints what is wrong with it and ends the process, likewise for --help. */
struct options options_parse(int count, char **arguments);

/* Whether the options ask for it. */
bool options_want_workload(const struct options *options, const struct workload *workload);
bool options_want_system(const struct options *options, const struct entry *entry);

#endif
