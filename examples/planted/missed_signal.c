/* SPDX-License-Identifier: MIT */
/*
 * A planted bug: a missed signal. The producer says that the result is ready, and signals, without the mutex: if that comes
 * between the consumer's look and its wait, the signal goes to nobody, and the consumer waits for ever. In normal runs the
 * consumer waits long before there is a result. FILCH_SIM finds the schedule in which it does not: docs/SIMULATION.md.
 */
#include <filch/filch.h>
#include <stdatomic.h>
#include <stdio.h>

struct job {
    filch_mutex mutex;
    filch_cond finished;
    atomic_bool ready;
    unsigned digest;
};

static int produce(void *arg) {
    struct job *job = arg;
    volatile unsigned digest = 1;
    for (unsigned i = 0; i < 1000000; i++) digest = digest * 31 + i;
    job->digest = digest;
    atomic_store(&job->ready, true); /* the bug: the mutex is not held */
    filch_cond_signal(&job->finished);
    return 0;
}

static int consume(void *arg) {
    struct job *job = arg;
    int error = filch_mutex_lock(&job->mutex, FILCH_NEVER);
    if (error != 0) return error;
    while (error == 0 && !atomic_load(&job->ready)) error = filch_cond_wait(&job->finished, &job->mutex, FILCH_NEVER);
    filch_mutex_unlock(&job->mutex);
    if (error == 0) printf("the digest is %08x\n", job->digest);
    return error;
}

static int run(void *arg) {
    (void)arg;
    static struct job job;
    filch_scope scope;
    int error = filch_scope_open(&scope, NULL);
    if (error != 0) return error;
    error = filch_scope_spawn(&scope, NULL, produce, &job, NULL);
    if (error == 0) error = filch_scope_spawn(&scope, NULL, consume, &job, NULL);
    filch_scope_fail(&scope, error);
    return filch_scope_close(&scope);
}

int main(void) {
    return filch_run(run, NULL, NULL) == 0 ? 0 : 1;
}
