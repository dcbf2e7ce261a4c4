/* SPDX-License-Identifier: MIT */
#include "../harness/workload.h"
#include "mutex.h"

const struct workload mutex_workload = {
    .name = "mutex",
    .operation = "lock and unlock",
    .n = {20000000, 5000000, 1000},
    .baseline = "pthread",
    .operations = operations_n,
    .systems = {{.system = "serial", .round = mutex_serial},
                {.system = "pthread", .round = mutex_pthread},
                {.system = "filch", .round = mutex_filch},
                {.system = "boost-fiber", .workers_only = 1},
                {.system = "go"}},
};

const struct workload mutex_1000_workload = {
    .name = "mutex-1000",
    .operation = "lock and unlock",
    .n = {20000000, 5000000, 10000},
    .baseline = "pthread",
    .operations = operations_n,
    .systems = {{.system = "serial", .round = mutex_serial},
                {.system = "pthread", .round = mutex_1000_pthread},
                {.system = "filch", .round = mutex_1000_filch},
                {.system = "boost-fiber", .workers_only = 1},
                {.system = "go"}},
};

const struct workload mutex_yield_workload = {
    .name = "mutex-yield",
    .operation = "lock, yield and unlock",
    .n = {2000000, 200000, 2000},
    .baseline = "pthread",
    .operations = operations_n,
    .systems = {{.system = "serial", .round = mutex_serial},
                {.system = "pthread", .round = mutex_yield_pthread, .n = {50000, 10000, 1000}},
                {.system = "filch", .round = mutex_yield_filch},
                {.system = "boost-fiber", .workers_only = 1},
                {.system = "go"}},
};
