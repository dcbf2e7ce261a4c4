/* SPDX-License-Identifier: MIT */
/*
 * TCP echo of 64 bytes over loopback: 50, 1,000 or 10,000 connections, each with one message under way. n is the number of
 * messages; the time of an operation is what of the processor the server takes for one. Beside it: p50_us and p99_us, from
 * sending to the whole of the answer; per_s; and with 1,000 connections and more bytes_each, what the server's memory has
 * grown by for each connection (resident and page tables; not what the kernel keeps of the socket).
 */
#ifndef BENCH_ECHO_ECHO_H
#define BENCH_ECHO_ECHO_H

#include "../common/bench.h"

enum { ECHO_SIZE = 64 };

round_fn echo_50, echo_1000, echo_10000, echo_50_serial, echo_1000_serial, echo_10000_serial;

#endif
