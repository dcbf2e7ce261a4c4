/* SPDX-License-Identifier: MIT */
#include "../harness/workload.h"
#include "idle.h"

static int64_t seconds(int64_t n, uint64_t checksum) {
    (void)checksum;
    return n / 1000;
}

const struct workload idle_workload = {
    .name = "idle",
    .operation = "idle second (processor time)",
    .n = {10000, 1000, 100},
    .baseline = "serial",
    .operations = seconds,
    .cold = true,
    .once = true,
    .systems = {{.system = "serial", .round = idle_serial},
                {.system = "pthread", .round = idle_pthread, .workers_only = IDLE_WORKERS},
                {.system = "filch", .round = idle_filch, .workers_only = IDLE_WORKERS},
                {.system = "go", .workers_only = IDLE_WORKERS}},
};
