/* SPDX-License-Identifier: MIT */
#include "../harness/workload.h"
#include "file_read.h"

const struct workload file_read_workload = {
    .name = "file-read",
    .operation = "read of 4 KiB with O_DIRECT, 64 tasks or 32 threads at a time",
    .n = {40000, 4000, 100},
    .baseline = "pthread",
    .operations = operations_n,
    .prepare = file_read_prepare,
    .cold = true,
    .systems = {{.system = "serial", .round = file_read_serial, .n = {4000, 1000, 100}},
                {.system = "io-uring", .round = file_read_io_uring, .workers_only = 1},
                {.system = "pthread", .round = file_read_pthread},
                {.system = "filch", .round = file_read_filch}},
};

const struct workload file_read_cached_workload = {
    .name = "file-read-cached",
    .operation = "read of 4 KiB from the cache",
    .n = {200000, 50000, 100},
    .baseline = "serial",
    .operations = operations_n,
    .prepare = file_read_cached_prepare,
    .systems = {{.system = "serial", .round = file_read_serial},
                {.system = "io-uring", .round = file_read_io_uring, .workers_only = 1},
                {.system = "pthread", .round = file_read_cached_pthread},
                {.system = "filch", .round = file_read_cached_filch}},
};
