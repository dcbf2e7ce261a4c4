/* SPDX-License-Identifier: MIT */
/*
 * Tells on standard error how far a way has come: a bar that moves where that is a terminal, else a line every other
 * second.
 */
#ifndef TREESUM_PROGRESS_H
#define TREESUM_PROGRESS_H

#include <pthread.h>
#include <stdbool.h>

#include "sum.h"

struct progress {
    const char *label;
    struct sum *sum;
    uint64_t total; /* files; 0: not known */
    bool is_terminal, is_running;

    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool is_over; /* under the lock */
};

/* Shows how `sum` grows, from a thread of its own, until progress_end. Where there is no thread, shows nothing. */
void progress_begin(struct progress *progress, const char *label, struct sum *sum, uint64_t total);
void progress_end(struct progress *progress);

#endif
