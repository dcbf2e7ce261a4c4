/* SPDX-License-Identifier: MIT */
/* What the compiler makes of the recursion when it may: it inlines several levels into one. */
#include "fib.h"

static long fib(long n) {
    return n < 2 ? n : fib(n - 1) + fib(n - 2);
}

uint64_t fib_serial(struct run *run) {
    return (uint64_t)fib((long)run->n);
}
