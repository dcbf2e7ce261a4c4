/* SPDX-License-Identifier: MIT */
#include "../harness/workload.h"
#include "storm.h"

const struct workload accept_storm_workload = {
    .name = "accept-storm",
    .operation = "connection: accept, an echo, close (server's processor time)",
    .n = {40000, 5000, 100},
    .baseline = "epoll",
    .operations = operations_n,
    .cold = true,
    .outside = true,
    .systems = {{.system = "serial", .round = accept_storm_serial},
                {.system = "epoll", .round = accept_storm, .workers_only = 1},
                {.system = "io-uring", .round = accept_storm, .workers_only = 1},
                {.system = "pthread", .round = accept_storm, .workers_only = 1},
                {.system = "filch", .round = accept_storm, .workers_only = 1},
                {.system = "filch-uring", .round = accept_storm, .workers_only = 1},
                {.system = "libuv", .round = accept_storm, .workers_only = 1, .peer = true},
                {.system = "tokio", .round = accept_storm, .workers_only = 1, .peer = true},
                {.system = "go", .round = accept_storm, .workers_only = 1, .peer = true}},
};
