/* SPDX-License-Identifier: MIT */
#include <tbb/task_group.h>

#include "../peers/tbb/jobs.h"

static long fib(long n) {
    if (n < 2) return n;
    long left;
    tbb::task_group group;
    group.run([&left, n] { left = fib(n - 1); });
    long right = fib(n - 2);
    group.wait();
    return left + right;
}

uint64_t fib_tbb(run *run) {
    return static_cast<uint64_t>(fib(static_cast<long>(run->n)));
}
