/* SPDX-License-Identifier: MIT */
/*
 * Ctrl-C: a thread that waits for the first SIGINT, and then cancels all tasks of a runtime. It is a thread of its own, so
 * that it does not matter what the workers do.
 */
#ifndef FILCH_SCHED_INTERRUPT_H
#define FILCH_SCHED_INTERRUPT_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/atomic.h"

struct filch_runtime;

struct filch__interrupt {
    bool on;         /* read-only after init */
    uint32_t before; /* SIGINTs that were counted when it began */
    pthread_t thread;
    ATOMIC(uint32_t) ending;
};

/* Begins to wait for one: 0, or -EAGAIN, the system gives no thread. */
int filch__interrupt_start(struct filch_runtime *runtime);

/* Ends that, if it was begun. */
void filch__interrupt_stop(struct filch_runtime *runtime);

#endif
