/* SPDX-License-Identifier: MIT */
/*
 * Backtraces of what runs: the thread that it stands on is interrupted, and looks itself. Of a hog it notes what there is to
 * be told, and the monitor tells it; for a dump it writes it itself, to standard error.
 */
#ifndef FILCH_SCHED_HOG_H
#define FILCH_SCHED_HOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/atomic.h"

struct filch__worker;

enum { HOG_FRAMES = 40 };

/* Who changes the state: the monitor asks, and takes the question back; the worker's thread answers. */
enum hog_state {
    HOG_NOT_ASKED,
    HOG_ASKED,
    HOG_ANSWERS, /* the rest is the worker's */
    HOG_HAS_ANSWERED,
};

struct filch__hog {
    ATOMIC(uint32_t) state; /* enum hog_state; carries the rest */
    ATOMIC(uint32_t) turn;  /* that it was found at */
    const void *task;
    void *spawned_at;
    char name[32];
    unsigned depth;
    void *frames[HOG_FRAMES];
};

/* Has threads of the calling process be able to tell. Once is enough. */
void filch__hog_prepare(void);

/* Asks the thread of `worker` what it runs, if it is still at the turn at which it was found to hog. By the monitor. */
void filch__hog_ask(struct filch__worker *worker);

/* Tells what it has answered, if it has. False: it has not. By the monitor; so far it has held its worker for `held_ns`. */
bool filch__hog_tell(struct filch__worker *worker, int64_t held_ns);

/* It has gone on, after `held_ns`. Takes the question back, or tells that. By the monitor. */
void filch__hog_gone_on(struct filch__worker *worker, int64_t held_ns);

/* Has it write what it runs at present, if anything. Prepares. */
void filch__worker_tell(struct filch__worker *worker);

#endif
