/* SPDX-License-Identifier: MIT */
#include "../harness/workload.h"
#include "spawn_await.h"

const struct workload spawn_await_workload = {
    .name = "spawn-await",
    .operation = "task",
    .n = {5000000, 1000000, 1000},
    .baseline = "serial",
    .operations = operations_n,
    .systems = {{.system = "serial", .round = spawn_await_serial},
                {.system = "pthread", .round = spawn_await_pthread, .n = {5000, 500, 100}},
                {.system = "pthread-pool", .round = spawn_await_pool, .n = {500000, 50000, 1000}},
                {.system = "filch", .round = spawn_await_filch},
                {.system = "boost-fiber", .n = {.full = 200000}, .workers_only = 1},
                {.system = "go", .n = {.full = 500000}}},
};
