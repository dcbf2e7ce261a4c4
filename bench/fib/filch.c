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

/* The form that filch/fork.h shows: a plain function of numbers, and a task's function for who takes the fork. */
struct call {
    long n, result;
};

static int call_run(void *arg);

static long directly(long n) {
    if (n < 2) return n;
    struct call left = {.n = n - 1};
    filch_frame frame;
    filch_fork(&frame, call_run, &left);
    long right = directly(n - 2);
    return right + (filch_reclaim(&frame) ? directly(n - 1) : left.result);
}

static int call_run(void *arg) {
    struct call *call = arg;
    call->result = directly(call->n);
    return 0;
}

uint64_t fib_filch_inline(struct run *run) {
    return (uint64_t)directly((long)run->n);
}
