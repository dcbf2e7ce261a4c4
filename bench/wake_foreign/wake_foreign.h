/* SPDX-License-Identifier: MIT */
/*
 * How long it takes until a task goes on that a thread which is no worker wakes: from before the wake to the task's
 * next instruction. The task's worker sleeps in the kernel by then, since nothing has happened for half a millisecond;
 * the thread goes to sleep right after the wake, until it is answered. Nobody is pinned.
 *
 * Beside it, in the same process and in turn with it: the same between two threads with a mutex and a condition
 * variable. n is the number of samples of each; the time of an operation is the median.
 */
#ifndef BENCH_WAKE_FOREIGN_WAKE_FOREIGN_H
#define BENCH_WAKE_FOREIGN_WAKE_FOREIGN_H

#include "../common/bench.h"

round_fn wake_foreign_serial, wake_foreign_filch;

/* Two sides that wake each other. Each call of `wake` lets one call of `wait` of the other side return. */
struct wire {
    void (*wake)(struct wire *wire, bool back);
    void (*wait)(struct wire *wire, bool back);
    int64_t count;    /* of samples in a block, then the sleeping side ends */
    int64_t woken_ns; /* when the sleeping side went on; it is handed back with the answer */
};

/* The side that sleeps, for `wire->count` samples. */
void wire_answer(struct wire *wire);

/* The side that wakes: takes as many samples, to `sample`. */
void wire_ask(struct wire *wire, double *sample);

/* Sorts n samples and tells of them under `run`. */
void wake_report(struct run *run, double *sample);

/* Two threads; a block of `count` samples. */
void condition_block(double *sample, int64_t count);

#endif
