/* SPDX-License-Identifier: MIT */
#include "../harness/workload.h"
#include "spawn_many.h"

const struct workload spawn_many_workload = {
    .name = "spawn-many",
    .operation = "task",
    .n = {1000000, 1000000, 1000},
    .baseline = "serial",
    .operations = operations_n,
    .systems = {{.system = "serial", .round = spawn_many_serial},
                {.system = "pthread", .round = spawn_many_pthread, .n = {2000, 500, 100}},
                {.system = "pthread-pool", .round = spawn_many_pool, .n = {1000000, 200000, 1000}},
                {.system = "filch", .round = spawn_many_filch},
                {.system = "boost-fiber", .n = {.full = 20000}, .workers_only = 1},
                {.system = "go"}},
};
