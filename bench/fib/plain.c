/* SPDX-License-Identifier: MIT */
/*
 * The recursion with each call made: this file is compiled without inlining, without turning tail calls into loops and
 * without specialised copies. The measure for fork and join.
 */
#include "fib.h"

static __attribute__((noinline)) long fib(long n) {
    return n < 2 ? n : fib(n - 1) + fib(n - 2);
}

uint64_t fib_plain(struct run *run) {
    return (uint64_t)fib((long)run->n);
}
