/* SPDX-License-Identifier: MIT */
/* filch as a system of the bench. */
#ifndef BENCH_COMMON_FILCH_H
#define BENCH_COMMON_FILCH_H

#include <filch/filch.h>

#include "bench.h"

/* Runs body as the main task of a runtime with `run->workers` workers. */
around_fn inside_filch;

/* filch_spawn and filch_await that end the process where they fail. */
static inline filch_task *must_spawn(filch_fn *fn, void *arg) {
    filch_task *task;
    int error = filch_spawn(&task, fn, arg, NULL);
    if (error) fail("filch_spawn: %d", error);
    return task;
}

static inline int must_await(filch_task *task) {
    int result;
    int error = filch_await(task, &result, FILCH_NEVER);
    if (error) fail("filch_await: %d", error);
    return result;
}

#endif
