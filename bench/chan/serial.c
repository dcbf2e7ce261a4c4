/* SPDX-License-Identifier: MIT */
/* A ring that nobody shares. */
#include "chan.h"

static __attribute__((noinline)) void put(volatile uint64_t *ring, int64_t i) {
    ring[i % SLOTS] = (uint64_t)i;
}

static __attribute__((noinline)) uint64_t take(const volatile uint64_t *ring, int64_t i) {
    return ring[i % SLOTS];
}

uint64_t chan_serial(struct run *run) {
    volatile uint64_t ring[SLOTS];
    uint64_t sum = 0;
    for (int64_t i = 0; i < run->n; i++) {
        put(ring, i);
        sum += take(ring, i);
    }
    return sum;
}
