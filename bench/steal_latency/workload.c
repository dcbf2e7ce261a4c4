/* SPDX-License-Identifier: MIT */
#include "../harness/workload.h"
#include "steal_latency.h"

/* The time of an operation is that of one launch. */
static int64_t one(int64_t n, uint64_t checksum) {
    (void)n;
    (void)checksum;
    return 1;
}

const struct workload steal_latency_workload = {
    .name = "steal-latency",
    .operation = "launch",
    .n = {2000, 60, 20},
    .baseline = "floor",
    .operations = one,
    .cold = true,
    .systems = {{.system = "serial", .round = steal_latency_serial},
                {.system = "floor", .round = steal_latency_filch, .workers_only = 2, .beside = true},
                {.system = "pthread-pool", .round = steal_latency_pool, .workers_only = 2},
                {.system = "filch", .round = steal_latency_filch, .workers_only = 2}},
};
