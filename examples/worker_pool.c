/* SPDX-License-Identifier: MIT */
/*
 * A pool of workers that take jobs as they become free, and results in the order of the jobs: each job has a future,
 * and who wants the results waits for one future after the other, while later ones may be set already.
 */
#include <errno.h>
#include <filch/filch.h>
#include <stdio.h>

enum { JOBS = 12, WORKERS = 4 };

struct job {
    long start;
    filch_future steps;
};

/* How many steps it takes from `start` to 1: half of it if it is even, three times it and one if it is odd. */
static void work(struct job *job) {
    int steps = 0;
    if (job->start < 1) {
        filch_future_fail(&job->steps, -EDOM);
        return;
    }
    for (long n = job->start; n != 1; steps++) n = n % 2 == 0 ? n / 2 : 3 * n + 1;
    filch_future_set(&job->steps, steps, NULL);
}

static int worker(void *arg) {
    filch_chan *jobs = arg;
    struct job *job;
    int error;
    while ((error = filch_chan_recv(jobs, &job, FILCH_NEVER)) == 0) work(job);
    return error == -EPIPE ? 0 : error; /* closed, and empty: no more jobs */
}

static int print(struct job *job) {
    int steps, error = filch_future_wait(&job->steps, &steps, NULL, FILCH_NEVER);
    if (error != 0) return error;
    printf(steps < 0 ? "%ld: no such number\n" : "%ld: %d steps\n", job->start, steps);
    return 0;
}

static int use_pool(filch_chan *channel, struct job *jobs) {
    filch_scope scope;
    int error = filch_scope_open(&scope, NULL);
    if (error != 0) return error;
    for (int i = 0; i < WORKERS && error == 0; i++) error = filch_scope_spawn(&scope, NULL, worker, channel, NULL);
    for (int i = 0; i < JOBS && error == 0; i++) {
        struct job *job = &jobs[i];
        error = filch_chan_send(channel, &job, FILCH_NEVER);
    }
    filch_chan_close(channel);
    for (int i = 0; i < JOBS && error == 0; i++) error = print(&jobs[i]);
    if (error != 0) filch_scope_fail(&scope, error);
    return filch_scope_close(&scope);
}

static int pool(void *arg) {
    struct job jobs[JOBS];
    filch_chan *channel = NULL;
    (void)arg;
    int error = filch_chan_create(&channel, sizeof(struct job *), 2);
    for (int i = 0; i < JOBS; i++) {
        jobs[i].start = 9 * i;
        if (error == 0) error = filch_future_init(&jobs[i].steps);
    }
    if (error == 0) error = use_pool(channel, jobs);
    filch_chan_destroy(channel);
    return error;
}

int main(void) {
    return filch_run(pool, NULL, NULL) == 0 ? 0 : 1;
}
