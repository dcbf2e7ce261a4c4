/* SPDX-License-Identifier: MIT */
#include "../harness/workload.h"
#include "timer_cancel.h"

const struct workload timer_cancel_workload = {
    .name = "timer-cancel",
    .operation = "timer",
    .n = {5000000, 1000000, 1000},
    .baseline = "serial",
    .operations = operations_n,
    .systems = {{.system = "serial", .round = timer_cancel_serial},
                {.system = "filch", .round = timer_cancel_filch},
                {.system = "go", .n = {.full = 1000000, .quick = 200000}}},
};
