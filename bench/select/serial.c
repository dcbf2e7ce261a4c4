/* SPDX-License-Identifier: MIT */
/* A call for each number. */
#include "select.h"

static __attribute__((noinline)) void add(volatile uint64_t *sum, uint64_t value) {
    *sum += value;
}

uint64_t select_serial(struct run *run) {
    volatile uint64_t sum = 0;
    for (int64_t i = 0; i < run->n; i++) add(&sum, (uint64_t)i);
    return sum;
}
