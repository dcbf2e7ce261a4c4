/* SPDX-License-Identifier: MIT */
#include "../harness/workload.h"
#include "wake_foreign.h"

/* The time of an operation is that of one wake. */
static int64_t one(int64_t n, uint64_t checksum) {
    (void)n;
    (void)checksum;
    return 1;
}

const struct workload wake_foreign_workload = {
    .name = "wake-foreign",
    .operation = "wake",
    .n = {4000, 400, 20},
    .baseline = "pthread",
    .operations = one,
    .cold = true,
    .systems = {{.system = "serial", .round = wake_foreign_serial},
                {.system = "pthread", .round = wake_foreign_filch, .beside = true},
                {.system = "filch", .round = wake_foreign_filch}},
};
