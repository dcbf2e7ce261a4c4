/* SPDX-License-Identifier: MIT */
/*
 * The processor's counter that runs at one rate, the same on all processors: the cheapest clock there is. How long a tick
 * is, is found out by reading another clock at both ends of the span that is measured.
 */
#ifndef FILCH_BASE_TICKS_H
#define FILCH_BASE_TICKS_H

#include <stdbool.h>
#include <stdint.h>

/* Whether there is such a counter, and the kernel trusts it too. */
bool filch__ticks_are_there(void);

/* Only where there is one. Not ordered with what stands around it: some nanoseconds off. */
static inline uint64_t filch__ticks_now(void) {
#if defined(__x86_64__)
    return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
    uint64_t ticks;
    __asm__ volatile("mrs %0, cntvct_el0" : "=r"(ticks));
    return ticks;
#else
    return 0;
#endif
}

#endif
