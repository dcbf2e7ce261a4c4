/* SPDX-License-Identifier: MIT */
#include "../harness/workload.h"
#include "echo_hog.h"

/* The time of an operation is that of one message. */
static int64_t one(int64_t n, uint64_t checksum) {
    (void)n;
    (void)checksum;
    return 1;
}

#define ECHO_HOG_WORKLOAD(hogs, measured)                                                                              \
    {                                                                                                                  \
        .name = "echo-hog-" #hogs, .operation = "echo at 2,000 a second beside " #hogs " hogs (99th percentile)",      \
        .n = {6000, 1000, 100}, .baseline = "pthread", .operations = one, .cold = true, .outside = true,               \
        .systems = {                                                                                                   \
            {.system = "serial", .round = echo_hog_none},                                                              \
            {.system = "pthread", .round = measured, .workers_only = 2},                                               \
            {.system = "filch", .round = measured, .workers_only = 2},                                                 \
            {.system = "go", .round = measured, .workers_only = 2, .peer = true},                                      \
        },                                                                                                             \
    }

const struct workload echo_hog_2_workload = ECHO_HOG_WORKLOAD(2, echo_hog_2);
const struct workload echo_hog_8_workload = ECHO_HOG_WORKLOAD(8, echo_hog_8);
