/* SPDX-License-Identifier: MIT */
#include "../peers/openmp/jobs.h"

static long fib(long n) {
    long left, right;
    if (n < 2) return n;
#pragma omp task shared(left)
    left = fib(n - 1);
    right = fib(n - 2);
#pragma omp taskwait
    return left + right;
}

uint64_t fib_openmp(struct run *run) {
    long result = 0;
#pragma omp parallel
#pragma omp single
    result = fib((long)run->n);
    return (uint64_t)result;
}
