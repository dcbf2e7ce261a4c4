/* SPDX-License-Identifier: MIT */
#include "../harness/workload.h"
#include "uts.h"

/* The checksum is the number of nodes. */
static int64_t nodes(int64_t n, uint64_t checksum) {
    (void)n;
    return (int64_t)checksum;
}

const struct workload uts_t1_workload = {
    .name = "uts-t1",
    .operation = "node",
    .n = {10, 7, 4},
    .baseline = "serial",
    .operations = nodes,
    .systems = {{.system = "serial", .round = uts_t1_serial},
                {.system = "pthread", .round = uts_t1_pthread, .n = {6, 4, 3}},
                {.system = "pthread-pool", .round = uts_t1_pool, .n = {10, 7, 4}},
                {.system = "filch", .round = uts_t1_filch},
                {.system = "tbb"},
                {.system = "openmp", .n = {.full = 9}},
                {.system = "rayon"}},
};

const struct workload uts_t3_workload = {
    .name = "uts-t3",
    .operation = "node",
    .n = {2000, 100, 20},
    .baseline = "serial",
    .operations = nodes,
    .systems = {{.system = "serial", .round = uts_t3_serial},
                {.system = "pthread", .round = uts_t3_pthread, .n = {20, 5, 5}},
                {.system = "pthread-pool", .round = uts_t3_pool},
                {.system = "filch", .round = uts_t3_filch},
                {.system = "tbb"},
                {.system = "openmp", .n = {.full = 500}},
                {.system = "rayon"}},
};
