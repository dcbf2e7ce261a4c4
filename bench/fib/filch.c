/* SPDX-License-Identifier: MIT */
/* A fork for each first call, joined through the function pointer, or reclaimed and called directly. */
#include "../common/filch.h"
#include "fib.h"

/* The number travels in the pointer, the result in the task's result: both fit up to n = 46. */
static void *from_number(long n) {
    return (void *)(intptr_t)n;
}

static int by_pointer(void *arg) {
    long n = (long)(intptr_t)arg;
    if (n < 2) return (int)n;
    filch_frame left;
    filch_fork(&left, by_pointer, from_number(n - 1));
    int right = by_pointer(from_number(n - 2));
    return filch_join(&left) + right;
}

uint64_t fib_filch(struct run *run) {
    return (uint64_t)by_pointer(from_number((long)run->n));
}

static int directly(void *arg) {
    long n = (long)(intptr_t)arg;
    if (n < 2) return (int)n;
    filch_frame left;
    filch_fork(&left, directly, from_number(n - 1));
    int right = directly(from_number(n - 2));
    return right + (filch_reclaim(&left) ? directly(from_number(n - 1)) : filch_frame_result(&left));
}

uint64_t fib_filch_inline(struct run *run) {
    return (uint64_t)directly(from_number((long)run->n));
}
