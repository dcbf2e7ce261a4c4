/* SPDX-License-Identifier: MIT */
#include "../harness/workload.h"
#include "yield.h"

const struct workload yield_workload = {
    .name = "yield",
    .operation = "yield",
    .n = {10000000, 1000000, 1000},
    .baseline = "floor",
    .operations = operations_n,
    .systems = {{.system = "serial", .round = yield_serial},
                {.system = "floor", .round = yield_floor},
                {.system = "pthread", .round = yield_pthread, .n = {200000, 20000, 1000}},
                {.system = "filch", .round = yield_filch},
                {.system = "boost-fiber", .workers_only = 1},
                {.system = "go"}},
};

const struct workload yield_1000_workload = {
    .name = "yield-1000",
    .operation = "yield",
    .n = {10000000, 1000000, 10000},
    .baseline = "floor",
    .operations = operations_n,
    .systems = {{.system = "serial", .round = yield_serial},
                {.system = "floor", .round = yield_floor},
                {.system = "pthread", .round = yield_1000_pthread, .n = {200000, 20000, 2000}},
                {.system = "filch", .round = yield_1000_filch},
                {.system = "boost-fiber", .workers_only = 1},
                {.system = "go"}},
};
