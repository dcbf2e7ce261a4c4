/* SPDX-License-Identifier: MIT */
#include "../harness/workload.h"
#include "timer_sleep.h"

const struct workload timer_sleep_workload = {
    .name = "timer-sleep",
    .operation = "sleep (processor time)",
    .n = {100000, 20000, 200},
    .baseline = "serial",
    .operations = operations_n,
    .systems = {{.system = "serial", .round = timer_sleep_serial},
                {.system = "pthread", .round = timer_sleep_pthread, .n = {2000, 500, 50}},
                {.system = "filch", .round = timer_sleep_filch},
                {.system = "go"}},
};
