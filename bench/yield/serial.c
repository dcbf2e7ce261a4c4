/* SPDX-License-Identifier: MIT */
/* A call in place of a yield. */
#include "yield.h"

static __attribute__((noinline)) void give_way(volatile int64_t *count) {
    ++*count;
}

uint64_t yield_serial(struct run *run) {
    volatile int64_t count = 0;
    while (count < run->n) give_way(&count);
    return (uint64_t)count;
}
