/* SPDX-License-Identifier: MIT */
#include "../harness/workload.h"
#include "hog.h"

/* The time of an operation is that of one tick's lateness. */
static int64_t one(int64_t n, uint64_t checksum) {
    (void)n;
    (void)checksum;
    return 1;
}

#define HOG_WORKLOAD(hogs)                                                                                             \
    {                                                                                                                  \
        .name = "hog-" #hogs, .operation = "tick beside " #hogs " hogs (99th percentile of lateness)",                 \
        .n = {5000, 500, 20}, .baseline = "pthread", .operations = one, .cold = true,                                  \
        .systems = {                                                                                                   \
            {.system = "serial", .round = hog_serial},                                                                 \
            {.system = "pthread", .round = hog_pthread, .workers_only = 2},                                            \
            {.system = "filch", .round = hog_filch, .workers_only = 2},                                                \
        },                                                                                                             \
    }

const struct workload hog_2_workload = HOG_WORKLOAD(2);
const struct workload hog_8_workload = HOG_WORKLOAD(8);
