/* SPDX-License-Identifier: MIT */
#include "../harness/workload.h"
#include "suspended.h"

const struct workload suspended_workload = {
    .name = "suspended",
    .operation = "task",
    .n = {1000000, 50000, 1000},
    .baseline = "floor",
    .operations = operations_n,
    .cold = true,
    .systems = {{.system = "serial", .round = suspended_serial},
                {.system = "floor", .round = suspended_floor},
                {.system = "pthread", .round = suspended_pthread, .n = {5000, 1000, 200}},
                {.system = "filch", .round = suspended_filch},
                {.system = "boost-fiber", .n = {.full = 20000}, .workers_only = 1},
                {.system = "go"}},
};
