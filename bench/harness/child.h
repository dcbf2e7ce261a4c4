/* SPDX-License-Identifier: MIT */
/* A process that makes one measurement. */
#ifndef BENCH_HARNESS_CHILD_H
#define BENCH_HARNESS_CHILD_H

#include <stddef.h>

#include "workload.h"

enum { OUTPUT_MAX = 8192, OUTCOME_MAX = 64 };

/* What became of it. */
struct child {
    char output[OUTPUT_MAX];   /* what it printed */
    char outcome[OUTCOME_MAX]; /* "" where it ended well, else how not */
};

/* The program that measures `entry`, in `path`: this one, or a peer's beside it. False where there is none. */
bool child_program(const struct entry *entry, char *path, size_t size);

/* Runs it, and waits until it has ended. After two minutes it is killed. */
void child_run(struct child *child, const char *program, const char *workload, const char *system, unsigned workers,
               int64_t n, unsigned rounds);

#endif
