/* SPDX-License-Identifier: MIT */
#include "../harness/workload.h"
#include "http.h"

/* As in bench/echo. What libuv's and Tokio's servers do of HTTP is to look for the end of the head. */
const struct workload http_hello_workload = {
    .name = "http-hello",
    .operation = "GET of 13 bytes, 50 connections (server's processor time)",
    .n = {200000, 20000, 200},
    .baseline = "epoll",
    .operations = operations_n,
    .cold = true,
    .outside = true,
    .systems = {{.system = "serial", .round = http_hello_serial},
                {.system = "epoll", .round = http_hello, .workers_only = 1},
                {.system = "pthread", .round = http_hello, .workers_only = 1},
                {.system = "filch", .round = http_hello, .workers_only = 1},
                {.system = "nginx", .round = http_hello, .workers_only = 1, .peer = true},
                {.system = "libuv", .round = http_hello, .workers_only = 1, .peer = true},
                {.system = "tokio", .round = http_hello, .workers_only = 1, .peer = true},
                {.system = "go", .round = http_hello, .workers_only = 1, .peer = true}},
};

const struct workload http_file_workload = {
    .name = "http-file",
    .operation = "GET of a file of 4 KiB, 50 connections (server's processor time)",
    .n = {200000, 20000, 200},
    .baseline = "epoll",
    .operations = operations_n,
    .cold = true,
    .outside = true,
    .systems = {{.system = "serial", .round = http_file_serial},
                {.system = "epoll", .round = http_file, .workers_only = 1},
                {.system = "pthread", .round = http_file, .workers_only = 1},
                {.system = "filch", .round = http_file, .workers_only = 1},
                {.system = "filch-httpd", .round = http_file, .workers_only = 1},
                {.system = "nginx", .round = http_file, .workers_only = 1, .peer = true},
                {.system = "go", .round = http_file, .workers_only = 1, .peer = true}},
};
