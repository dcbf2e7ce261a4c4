/* SPDX-License-Identifier: MIT */
#include "../harness/workload.h"
#include "sort.h"

const struct workload sort_workload = {
    .name = "sort",
    .operation = "number",
    .n = {10000000, 200000, 10000},
    .baseline = "serial",
    .operations = operations_n,
    .prepare = sort_prepare,
    .checksum = sort_checksum,
    .systems = {{.system = "serial", .round = sort_serial},
                {.system = "pthread", .round = sort_pthread, .n = {.full = 1000000}},
                {.system = "pthread-pool", .round = sort_pool},
                {.system = "filch", .round = sort_filch},
                {.system = "tbb"},
                {.system = "openmp"},
                {.system = "rayon"}},
};
