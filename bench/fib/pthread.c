/* SPDX-License-Identifier: MIT */
/* A thread, or a job of the pool, for each fork. */
#include "../common/pool.h"
#include "../common/thread.h"
#include "fib.h"

struct call {
    long n;
    long result;
};

static long fib_threads(long n);

static void *thread(void *arg) {
    struct call *call = arg;
    call->result = fib_threads(call->n);
    return NULL;
}

static long fib_threads(long n) {
    if (n < 2) return n;
    struct call left = {.n = n - 1};
    pthread_t id = thread_start(thread, &left);
    long right = fib_threads(n - 2);
    pthread_join(id, NULL);
    return left.result + right;
}

uint64_t fib_pthread(struct run *run) {
    return (uint64_t)fib_threads((long)run->n);
}

static long fib_jobs(long n);

static void job(void *arg) {
    struct call *call = arg;
    call->result = fib_jobs(call->n);
}

static long fib_jobs(long n) {
    if (n < 2) return n;
    struct call left = {.n = n - 1};
    struct pool_batch batch = {0};
    struct pool_job left_job;
    pool_submit(the_pool, &batch, &left_job, job, &left);
    long right = fib_jobs(n - 2);
    pool_wait(the_pool, &batch);
    return left.result + right;
}

uint64_t fib_pool(struct run *run) {
    return (uint64_t)fib_jobs((long)run->n);
}
