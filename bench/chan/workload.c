/* SPDX-License-Identifier: MIT */
#include "../harness/workload.h"
#include "chan.h"

const struct workload chan_unbuffered_workload = {
    .name = "chan-unbuffered",
    .operation = "message",
    .n = {5000000, 1000000, 1000},
    .baseline = "serial",
    .operations = operations_n,
    .systems = {{.system = "serial", .round = chan_serial},
                {.system = "pthread", .round = chan_unbuffered_pthread, .n = {20000, 5000, 500}},
                {.system = "filch", .round = chan_unbuffered_filch},
                {.system = "boost-fiber", .n = {.full = 1000000, .quick = 200000}, .workers_only = 1},
                {.system = "go", .n = {.full = 1000000, .quick = 200000}}},
};

const struct workload chan_buffered_workload = {
    .name = "chan-buffered",
    .operation = "message",
    .n = {10000000, 2000000, 1000},
    .baseline = "serial",
    .operations = operations_n,
    .systems = {{.system = "serial", .round = chan_serial},
                {.system = "pthread", .round = chan_buffered_pthread, .n = {.full = 1000000, .quick = 200000}},
                {.system = "filch", .round = chan_buffered_filch},
                {.system = "boost-fiber", .workers_only = 1},
                {.system = "go"}},
};

const struct workload chan_mpmc_workload = {
    .name = "chan-mpmc",
    .operation = "message",
    .n = {10000000, 2000000, 1000},
    .baseline = "serial",
    .operations = operations_n,
    .systems = {{.system = "serial", .round = chan_serial},
                {.system = "pthread", .round = chan_mpmc_pthread, .n = {.full = 500000, .quick = 100000}},
                {.system = "filch", .round = chan_mpmc_filch},
                {.system = "boost-fiber", .workers_only = 1},
                {.system = "go"}},
};
