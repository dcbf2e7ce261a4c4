/* SPDX-License-Identifier: MIT */
/*
 * After fork(2): the child has one thread, and none of the workers. What it asks of a runtime of its parent's is refused;
 * what would wait for one ends the process with a line that says so, instead of waiting for ever. It may exec, _exit, or
 * make runtimes of its own.
 *
 * Each process in a line of forks has a number, and each runtime that of the process it was made in.
 */
#ifndef FILCH_SCHED_CHILD_H
#define FILCH_SCHED_CHILD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/atomic.h"

/* Has forks watched from now on. Once is enough. */
void filch__process_watch(void);

/* Counts forks; written while there is one thread. */
extern ATOMIC(uint32_t) filch__process_forks;

/* The number of this process. */
static inline uint32_t filch__process_number(void) {
    return load_relaxed(&filch__process_forks); /* constant in a process */
}

/* Counts the runtimes that this process has made and not destroyed: 1, or -1. */
void filch__process_count(int change);

/* Whether nobody can ever wake a thread of this process: it is a child, and has no runtime. */
bool filch__process_is_forsaken(void);

/* A function that a worker was running has come back in a child, where there is no worker. */
_Noreturn void filch__process_die(const char *what);

#endif
