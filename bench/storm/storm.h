/* SPDX-License-Identifier: MIT */
/*
 * Connections that come and go, 50 at a time: each is accepted, echoes one message of 64 bytes, and is closed when its
 * client has gone, by a reset. n is their number; the time of an operation is what of the processor the server takes for
 * one; per_s is how many there were in a second.
 */
#ifndef BENCH_STORM_STORM_H
#define BENCH_STORM_STORM_H

#include "../common/bench.h"

round_fn accept_storm, accept_storm_serial;

#endif
