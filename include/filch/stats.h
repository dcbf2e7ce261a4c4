/* SPDX-License-Identifier: MIT */
/* Counters of a runtime, readable while it runs. */
#ifndef FILCH_STATS_H
#define FILCH_STATS_H

#include <filch/runtime.h>

FILCH_BEGIN_DECLS

/*
 * Sums over all workers since the runtime was made; the last group is the present. Each figure is exact for itself, but
 * they are read one after the other while the program runs. Forks that nobody stole are not counted: they cost less
 * than counting them would.
 */
typedef struct filch_stats {
    uint64_t spawned;        /* tasks spawned */
    uint64_t completed;      /* tasks ended */
    uint64_t steals;         /* tasks and forked children taken from another worker */
    uint64_t steal_tries;    /* looks at another worker's queues, taken or not */
    uint64_t parks;          /* times that a task waited */
    uint64_t yields;         /* times that a task gave way to another */
    uint64_t switches;       /* jumps from one stack to another */
    uint64_t sleeps;         /* times that a worker slept */
    uint64_t wakes;          /* times that a sleeping worker was woken */
    uint64_t injected;       /* tasks that came from outside */
    uint64_t hogs;           /* times that a worker stood still for some milliseconds while something waited for it */
    uint64_t hog_ns_max;     /* the longest of these, so far */
    char hog_name[32];       /* the name of the task that the last of these was found in, or "" */
    uint64_t spare_starts;   /* times that a spare worker was put to work in the place of one that stood still */
    uint64_t blocking_calls; /* calls that were made on helper threads */

    uint64_t tasks;            /* tasks that have not ended */
    uint64_t stacks;           /* stacks that exist, cached ones included */
    uint64_t stacks_peak;      /* most stacks that have existed at once */
    uint64_t stacks_cached;    /* stacks that nobody uses */
    uint64_t stack_bytes;      /* address space of all stacks, guards included */
    uint32_t workers;          /* worker threads, without spares */
    uint32_t spares;           /* spare workers at work */
    uint32_t blocking_threads; /* helper threads */
    uint32_t guard_mprotect;   /* 1 where stack guards are made by mprotect(2), 0 where by MADV_GUARD_INSTALL */
} filch_stats;

/*
 * Reads the counters of `runtime` into `*stats`.
 *
 * Returns  0, or -EINVAL where an argument is NULL, or -ESHUTDOWN in the child of a fork
 * Call     from any thread
 * Waits    no
 */
FILCH_API FILCH_CHECK int filch_runtime_stats(filch_runtime *runtime, filch_stats *stats);

FILCH_END_DECLS

#endif
