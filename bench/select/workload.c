/* SPDX-License-Identifier: MIT */
#include "../harness/workload.h"
#include "select.h"

const struct workload select_ready_workload = {
    .name = "select-ready",
    .operation = "select",
    .n = {5000000, 1000000, 1500},
    .baseline = "filch-receive",
    .operations = operations_n,
    .systems = {{.system = "serial", .round = select_serial},
                {.system = "filch", .round = select_ready_filch},
                {.system = "filch-receive", .round = select_ready_receive_filch},
                {.system = "go"}},
};

const struct workload select_idle_workload = {
    .name = "select-idle",
    .operation = "select",
    .n = {2000000, 500000, 1000},
    .baseline = "filch-receive",
    .operations = operations_n,
    .systems = {{.system = "serial", .round = select_serial},
                {.system = "filch", .round = select_idle_filch},
                {.system = "filch-receive", .round = select_idle_receive_filch},
                {.system = "go"}},
};
