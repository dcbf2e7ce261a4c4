/* SPDX-License-Identifier: MIT */
#include "../harness/workload.h"
#include "flat.h"

const struct workload flat_fork_workload = {
    .name = "flat-fork",
    .operation = "task",
    .n = {1000000, 1000000, 1000},
    .baseline = "serial",
    .operations = operations_n,
    .prepare = flat_prepare,
    .checksum = flat_checksum,
    .systems = {{.system = "serial", .round = flat_serial},
                {.system = "pthread", .round = flat_pthread, .n = {5000, 500, 100}},
                {.system = "pthread-pool", .round = flat_pool, .n = {1000000, 200000, 1000}},
                {.system = "filch", .round = flat_filch_fork},
                {.system = "tbb"},
                {.system = "openmp"},
                {.system = "rayon"}},
};

const struct workload flat_spawn_workload = {
    .name = "flat-spawn",
    .operation = "task",
    .n = {1000000, 1000000, 1000},
    .baseline = "serial",
    .operations = operations_n,
    .prepare = flat_prepare,
    .checksum = flat_checksum,
    .systems = {{.system = "serial", .round = flat_serial},
                {.system = "pthread", .round = flat_pthread, .n = {5000, 500, 100}},
                {.system = "pthread-pool", .round = flat_pool, .n = {1000000, 200000, 1000}},
                {.system = "filch", .round = flat_filch_spawn},
                {.system = "go"}},
};

const struct workload flat_for_workload = {
    .name = "flat-for",
    .operation = "index",
    .n = {1000000, 1000000, 1000},
    .baseline = "serial",
    .operations = operations_n,
    .prepare = flat_prepare,
    .checksum = flat_checksum,
    .systems = {{.system = "serial", .round = flat_for_serial},
                {.system = "pthread-pool", .round = flat_for_pool},
                {.system = "filch", .round = flat_filch_for},
                {.system = "tbb"},
                {.system = "openmp"},
                {.system = "rayon"}},
};
