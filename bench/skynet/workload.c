/* SPDX-License-Identifier: MIT */
#include "../harness/workload.h"
#include "skynet.h"

/* All nodes but the root are tasks. */
static int64_t tasks(int64_t n, uint64_t checksum) {
    int64_t sum = 0;
    (void)checksum;
    for (; n > 1; n /= CHILDREN) sum += n;
    return sum > 0 ? sum : 1;
}

const struct workload skynet_fork_workload = {
    .name = "skynet-fork",
    .operation = "task",
    .n = {1000000, 1000000, 1000},
    .baseline = "serial",
    .operations = tasks,
    .systems = {{.system = "serial", .round = skynet_serial},
                {.system = "pthread", .round = skynet_pthread, .n = {1000, 1000, 100}},
                {.system = "pthread-pool", .round = skynet_pool, .n = {1000000, 100000, 1000}},
                {.system = "filch", .round = skynet_filch_fork},
                {.system = "filch-inline", .round = skynet_filch_inline},
                {.system = "tbb"},
                {.system = "openmp", .n = {.full = 100000}},
                {.system = "rayon"}},
};

const struct workload skynet_spawn_workload = {
    .name = "skynet-spawn",
    .operation = "task",
    .n = {1000000, 1000000, 1000},
    .baseline = "serial",
    .operations = tasks,
    .systems = {{.system = "serial", .round = skynet_serial},
                {.system = "pthread", .round = skynet_pthread, .n = {1000, 1000, 100}},
                {.system = "pthread-pool", .round = skynet_pool, .n = {1000000, 100000, 1000}},
                {.system = "filch", .round = skynet_filch_spawn},
                {.system = "go"}},
};
