/* SPDX-License-Identifier: MIT */
/* A thread for a task. */
#ifndef BENCH_COMMON_THREAD_H
#define BENCH_COMMON_THREAD_H

#include <pthread.h>

#include "bench.h"

/* Starts a thread on a stack of 64 KiB; waits and tries again for a while where the system has no more. */
pthread_t thread_start(void *(*fn)(void *), void *arg);

/* Keeps the process on as many processors as the run has workers: the only way to tell the kernel. */
around_fn inside_threads;

#endif
