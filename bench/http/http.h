/* SPDX-License-Identifier: MIT */
/*
 * GET requests on 50 connections that are kept, one after the other on each: for a greeting, http-hello, or a file of 4 KiB,
 * http-file. n is the number of requests; the time of an operation is what of the processor the server takes for one.
 */
#ifndef BENCH_HTTP_HTTP_H
#define BENCH_HTTP_HTTP_H

#include "../common/bench.h"

#define HTTP_HELLO "Hello, world\n"
#define HTTP_FILE_TARGET "/file"

enum { HTTP_FILE_MAX = 8 * 1024, HTTP_ROOM = HTTP_FILE_MAX + 256 };

round_fn http_hello, http_hello_serial, http_file, http_file_serial;

#endif
