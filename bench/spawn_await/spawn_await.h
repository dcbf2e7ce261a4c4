/* SPDX-License-Identifier: MIT */
/* An empty task is started and waited for, n times, one at a time. */
#ifndef BENCH_SPAWN_AWAIT_SPAWN_AWAIT_H
#define BENCH_SPAWN_AWAIT_SPAWN_AWAIT_H

#include "../common/bench.h"

round_fn spawn_await_serial, spawn_await_pthread, spawn_await_pool, spawn_await_filch;

#endif
