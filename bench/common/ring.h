/* SPDX-License-Identifier: MIT */
/* A channel as it is written with pthreads: a ring, a lock and two condition variables. */
#ifndef BENCH_COMMON_RING_H
#define BENCH_COMMON_RING_H

#include <pthread.h>

#include "bench.h"

enum { RING_SLOTS = 128 };

struct ring {
    pthread_mutex_t lock;
    pthread_cond_t filled, emptied;
    uint64_t slots[RING_SLOTS];
    uint64_t sent, received;
    uint64_t limit; /* how many may be inside; 0: a send waits until its number has been received */
    bool closed;
};

void ring_init(struct ring *ring, uint64_t limit);
void ring_send(struct ring *ring, uint64_t value);
bool ring_receive(struct ring *ring, uint64_t *value); /* false: closed, and empty */
void ring_close(struct ring *ring);

#endif
