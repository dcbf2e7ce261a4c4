/* SPDX-License-Identifier: MIT */
/*
 * TCP echo of 64 bytes, 2,000 messages a second at fixed times over 50 connections, by a server of 2 workers in which 2 or 8
 * tasks (threads, goroutines) compute all the while and never wait. n is the number of messages; the time of an operation
 * is the 99th percentile of the time from when a message was due until it had come back. lost: how many had not 5 seconds
 * after the last answer, or after the last message was due; they count as having taken so long. Nobody is pinned: the load
 * and the hogs share the processors. "serial" is a server without hogs.
 */
#ifndef BENCH_ECHO_HOG_ECHO_HOG_H
#define BENCH_ECHO_HOG_ECHO_HOG_H

#include "../common/bench.h"

round_fn echo_hog_2, echo_hog_8, echo_hog_none;

#endif
