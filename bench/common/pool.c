/* SPDX-License-Identifier: MIT */
#include "pool.h"

#include <pthread.h>
#include <stdlib.h>

struct pool {
    pthread_mutex_t lock;
    pthread_cond_t changed; /* a job came, a batch that is waited for ended, or the pool stops */
    struct pool_job *youngest;
    unsigned sleepers;
    unsigned waiters; /* of the sleepers, those that wait for a batch */
    bool stopping;
};

struct pool *the_pool;

/* Deep recursion on a helper's stack: address space only. */
static const size_t stack_size = (size_t)1 << 28;

void pool_submit(struct pool *pool, struct pool_batch *batch, struct pool_job *job, void (*fn)(void *), void *arg) {
    *job = (struct pool_job){.fn = fn, .arg = arg, .batch = batch};
    pthread_mutex_lock(&pool->lock);
    batch->pending++;
    job->next = pool->youngest;
    pool->youngest = job;
    bool wake = pool->sleepers > 0;
    pthread_mutex_unlock(&pool->lock);
    if (wake) pthread_cond_signal(&pool->changed);
}

/* Under the lock: runs the youngest job with the lock open. False where there is none. */
static bool run_one(struct pool *pool) {
    struct pool_job *job = pool->youngest;
    if (!job) return false;
    pool->youngest = job->next;
    struct pool_batch *batch = job->batch;
    pthread_mutex_unlock(&pool->lock);
    job->fn(job->arg);
    pthread_mutex_lock(&pool->lock);
    if (--batch->pending == 0 && pool->waiters > 0) pthread_cond_broadcast(&pool->changed);
    return true;
}

/* Under the lock: sleeps until something changes. */
static void doze(struct pool *pool) {
    pool->sleepers++;
    pthread_cond_wait(&pool->changed, &pool->lock);
    pool->sleepers--;
}

void pool_wait(struct pool *pool, struct pool_batch *batch) {
    pthread_mutex_lock(&pool->lock);
    while (batch->pending > 0) {
        if (run_one(pool)) continue;
        pool->waiters++;
        doze(pool);
        pool->waiters--;
    }
    pthread_mutex_unlock(&pool->lock);
}

static void *work(void *arg) {
    struct pool *pool = arg;
    pthread_mutex_lock(&pool->lock);
    while (!pool->stopping)
        if (!run_one(pool)) doze(pool);
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

struct first {
    struct run *run;
    const struct job *job;
    body_fn *body;
};

static void *work_first(void *arg) {
    struct first *first = arg;
    first->body(first->run, first->job);
    return NULL;
}

static pthread_t start(void *(*fn)(void *), void *arg) {
    pthread_attr_t attributes;
    pthread_t thread;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, stack_size);
    if (pthread_create(&thread, &attributes, fn, arg) != 0) fail("the pool cannot start a thread");
    pthread_attr_destroy(&attributes);
    return thread;
}

static void stop(struct pool *pool) {
    pthread_mutex_lock(&pool->lock);
    pool->stopping = true;
    pthread_cond_broadcast(&pool->changed);
    pthread_mutex_unlock(&pool->lock);
}

void inside_pool(struct run *run, const struct job *job, body_fn *body) {
    struct pool pool = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    struct first first = {run, job, body};
    pthread_t *threads = must_alloc(run->workers * sizeof *threads);
    the_pool = &pool;
    for (unsigned i = 1; i < run->workers; i++) threads[i] = start(work, &pool);
    threads[0] = start(work_first, &first);
    pthread_join(threads[0], NULL);
    stop(&pool);
    for (unsigned i = 1; i < run->workers; i++) pthread_join(threads[i], NULL);
    free(threads);
}
