/* SPDX-License-Identifier: MIT */
/*
 * How long it takes until a task that one worker spawns begins on another one: from before the spawn to the task's
 * first instruction. The spawning worker is busy all the while, so that nobody but the other one can run the task.
 *
 *   parked     the other one has had nothing to do for 2 ms: it sleeps in the kernel
 *   searching  the other one has just run something: it looks for more
 *
 * Beside it, in the same process and in turn with it, the floor: a bare futex(2) wake, and a cache line that another
 * thread spins on. n is the number of samples of each kind; the time of an operation is the parked median.
 */
#ifndef BENCH_STEAL_LATENCY_STEAL_LATENCY_H
#define BENCH_STEAL_LATENCY_STEAL_LATENCY_H

#include "../common/bench.h"

round_fn steal_latency_serial, steal_latency_pool, steal_latency_filch;

enum state { STATE_PARKED, STATE_SEARCHING, STATES };

/* Something that is launched, and runs elsewhere. */
struct probe {
    int64_t began_ns; /* atomic: 0, then when it began */
};

/* The first instruction of what is launched. */
void probe_begin(struct probe *probe);

/* How a system launches a probe, and cleans up after it. Both from the one busy thread. */
struct launcher {
    void (*launch)(struct launcher *self, struct probe *probe);
    void (*settle)(struct launcher *self, struct probe *probe);
};

/* The samples of a system. */
struct latencies {
    double *sample[STATES];
    int64_t count[STATES];
    int64_t missed[STATES]; /* did not begin within 100 ms */
    int64_t room;
};

void latencies_init(struct latencies *latencies, int64_t room);
void latencies_fini(struct latencies *latencies);

/* Takes one sample, after waiting as the state asks for. */
void latency_sample(struct latencies *latencies, enum state state, struct launcher *launcher);

/* Puts the quantiles into the run, and charges the median of the parked ones. */
void latencies_report(struct latencies *latencies, struct run *run);

/* The floor: a thread that sleeps in a futex, or spins. */
struct floor_thread;
struct floor_thread *floor_start(void);
void floor_sample(struct floor_thread *floor_thread, struct latencies *latencies, enum state state, int64_t count);
void floor_stop(struct floor_thread *floor_thread);

/* Takes `run->n` samples of each state by `launcher` and by the floor, in turn. Reports both; returns the number. */
uint64_t latency_compare(struct run *run, struct launcher *launcher);

#endif
