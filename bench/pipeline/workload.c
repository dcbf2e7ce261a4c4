/* SPDX-License-Identifier: MIT */
#include "../harness/workload.h"
#include "pipeline.h"

const struct workload pipeline_workload = {
    .name = "pipeline",
    .operation = "item",
    .n = {200000, 50000, 500},
    .baseline = "serial",
    .operations = operations_n,
    .systems = {{.system = "serial", .round = pipeline_serial},
                {.system = "pthread", .round = pipeline_pthread},
                {.system = "filch", .round = pipeline_filch},
                {.system = "boost-fiber", .workers_only = 1},
                {.system = "go"}},
};
