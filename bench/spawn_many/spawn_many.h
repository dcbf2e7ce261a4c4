/* SPDX-License-Identifier: MIT */
/*
 * n empty tasks are started, then waited for. The rounds after the first find the memory warm. bytes_per_task is what
 * the first one added to resident memory between the first spawn and the first wait, without the caller's own array.
 */
#ifndef BENCH_SPAWN_MANY_SPAWN_MANY_H
#define BENCH_SPAWN_MANY_SPAWN_MANY_H

#include "../common/bench.h"

round_fn spawn_many_serial, spawn_many_pthread, spawn_many_pool, spawn_many_filch;

#endif
