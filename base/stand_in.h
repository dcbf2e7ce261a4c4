/* SPDX-License-Identifier: MIT */
/*
 * A stand-in for the kernel's clock and futexes, for threads that are simulated (sched/sim.c). NULL but while a simulation
 * is there: base/clock.c and base/futex.c ask it first.
 */
#ifndef FILCH_BASE_STAND_IN_H
#define FILCH_BASE_STAND_IN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/assert.h"
#include "base/atomic.h"

struct filch__stand_in {
    int64_t (*clock_now)(void);
    int64_t (*clock_peek)(void); /* the same, but the reading takes no time: for who only looks on */
    bool (*is_mine)(void);       /* the calling thread is simulated: the four below are for it */
    void *(*thread)(void);       /* which of the simulated ones it is; NULL: the one that has the simulation */
    uint32_t (*choose)(uint32_t count);
    bool (*futex_wait)(uint32_t *word, uint32_t expected, int64_t deadline_ns);
    void (*futex_wake)(uint32_t *word, int count);
    void (*tell)(void); /* writes how to replay, to standard error: the process is about to die */
};

extern ATOMIC(const struct filch__stand_in *) filch__stand_in;

static inline const struct filch__stand_in *filch__stand_in_now(void) {
    return load_acquire(&filch__stand_in); /* carries the simulation */
}

#endif
