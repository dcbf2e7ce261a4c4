/* SPDX-License-Identifier: MIT */
/* The counter alone. */
#include "mutex.h"

uint64_t mutex_serial(struct run *run) {
    volatile uint64_t count = 0;
    for (int64_t i = 0; i < run->n; i++) count = count + 1;
    return count;
}
