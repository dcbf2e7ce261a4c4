/* SPDX-License-Identifier: MIT */
#include "../harness/workload.h"
#include "echo.h"

/* Servers have one worker, and are kept on one processor; the load has the other. */
#define ECHO_WORKLOAD(count, measured, floor)                                                                          \
    {                                                                                                                  \
        .name = "echo-" #count, .operation = "echo of 64 bytes, " #count " connections (server's processor time)",     \
        .n = {200000, 20000, 200}, .baseline = "epoll", .operations = operations_n, .cold = true, .outside = true,     \
        .systems = {                                                                                                   \
            {.system = "serial", .round = floor},                                                                      \
            {.system = "epoll", .round = measured, .workers_only = 1},                                                 \
            {.system = "io-uring", .round = measured, .workers_only = 1},                                              \
            {.system = "pthread", .round = measured, .workers_only = 1},                                               \
            {.system = "filch", .round = measured, .workers_only = 1},                                                 \
            {.system = "filch-uring", .round = measured, .workers_only = 1},                                           \
            {.system = "libuv", .round = measured, .workers_only = 1, .peer = true},                                   \
            {.system = "tokio", .round = measured, .workers_only = 1, .peer = true},                                   \
            {.system = "go", .round = measured, .workers_only = 1, .peer = true},                                      \
            {.system = "asyncio", .round = measured, .n = {50000, 0, 0}, .workers_only = 1, .peer = true},             \
        },                                                                                                             \
    }

const struct workload echo_50_workload = ECHO_WORKLOAD(50, echo_50, echo_50_serial);
const struct workload echo_1000_workload = ECHO_WORKLOAD(1000, echo_1000, echo_1000_serial);
const struct workload echo_10000_workload = ECHO_WORKLOAD(10000, echo_10000, echo_10000_serial);
