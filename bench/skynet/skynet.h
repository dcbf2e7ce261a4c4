/* SPDX-License-Identifier: MIT */
/*
 * A tree of tasks with ten children each (github.com/atemerev/skynet): a leaf returns its number, a node the sum of its
 * children. n is the number of leaves, a power of ten.
 */
#ifndef BENCH_SKYNET_SKYNET_H
#define BENCH_SKYNET_SKYNET_H

#include "../common/bench.h"

enum { CHILDREN = 10 };

#ifndef __cplusplus
round_fn skynet_serial, skynet_pthread, skynet_pool, skynet_filch_fork, skynet_filch_inline, skynet_filch_spawn;
#endif

#endif
