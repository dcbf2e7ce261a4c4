/* SPDX-License-Identifier: MIT */
#include "../harness/workload.h"
#include "fib.h"

/* The calls that fork: all with n of 2 and more. There are fib(n + 1) - 1 of them. */
static int64_t forks(int64_t n, uint64_t checksum) {
    uint64_t before = 0, current = 1;
    (void)checksum;
    for (int64_t i = 0; i < n; i++) {
        uint64_t next = before + current;
        before = current;
        current = next;
    }
    return (int64_t)current - 1;
}

const struct workload fib_workload = {
    .name = "fib",
    .operation = "fork and join",
    .n = {38, 31, 12},
    .baseline = "plain",
    .operations = forks,
    .systems = {{.system = "serial", .round = fib_serial},
                {.system = "plain", .round = fib_plain},
                {.system = "pthread", .round = fib_pthread, .n = {17, 12, 8}},
                {.system = "pthread-pool", .round = fib_pool, .n = {27, 23, 12}},
                {.system = "filch", .round = fib_filch},
                {.system = "filch-inline", .round = fib_filch_inline},
                {.system = "tbb", .n = {.full = 33}},
                {.system = "openmp", .n = {.full = 29}},
                {.system = "go", .n = {.full = 28}},
                {.system = "rayon", .n = {.full = 36}}},
};
