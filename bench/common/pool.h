/* SPDX-License-Identifier: MIT */
/*
 * A fixed pool of threads as a careful programmer writes it with pthreads: one lock, one condition variable, jobs in
 * the caller's memory, and a counter for each batch. Who waits for a batch helps, so that jobs may submit jobs and wait
 * for them; the youngest job is taken first, which keeps that nesting as shallow as the recursion.
 */
#ifndef BENCH_COMMON_POOL_H
#define BENCH_COMMON_POOL_H

#include "bench.h"

struct pool;

/* Jobs that are waited for together. Begins as {0}. */
struct pool_batch {
    int64_t pending; /* under the pool's lock */
};

/* A job; the caller's memory until its batch has been waited for. */
struct pool_job {
    void (*fn)(void *arg);
    void *arg;
    struct pool_batch *batch;
    struct pool_job *next;
};

/* The pool of the measurement. pool_wait is called by one of its workers; the first of them is who started it. */
extern struct pool *the_pool;

void pool_submit(struct pool *pool, struct pool_batch *batch, struct pool_job *job, void (*fn)(void *), void *arg);
void pool_wait(struct pool *pool, struct pool_batch *batch);

/* Calls body as the first of `run->workers` workers, each on a stack that deep recursion fits on. */
around_fn inside_pool;

#endif
