/* SPDX-License-Identifier: MIT */
/* The numbers of filch/stats.h, for who reads them many times in a row: without those that cost a system call. */
#ifndef FILCH_SCHED_STATS_H
#define FILCH_SCHED_STATS_H

#include <filch/stats.h>

struct filch__worker;

/* As the public functions; `cpu_ns` only where it is asked for, else 0. The runtime is this process's. */
void filch__stats_read(struct filch_runtime *runtime, filch_stats *stats, bool cpu);
void filch__stats_read_worker(struct filch__worker *worker, filch_worker_stats *stats, bool cpu);

#endif
