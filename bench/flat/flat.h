/* SPDX-License-Identifier: MIT */
/*
 * One producer, n tasks that do next to nothing: each counts up a byte of its own. Nobody has a second level to steal
 * from, so that the producer's queue is all there is.
 */
#ifndef BENCH_FLAT_FLAT_H
#define BENCH_FLAT_FLAT_H

#include "../common/bench.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The bytes. */
extern unsigned char *flat_cells;

/* What a task does; called through a pointer everywhere. */
int flat_touch(void *cell);

void flat_prepare(int64_t n);
uint64_t flat_checksum(int64_t n);

/* Room for what a system needs for each task, `n` times `size` bytes, the same in each round. */
void *flat_room(int64_t n, uint64_t size);

#ifdef __cplusplus
}
#else
round_fn flat_serial, flat_for_serial, flat_pthread, flat_pool, flat_for_pool, flat_filch_fork, flat_filch_spawn,
    flat_filch_for;
#endif

#endif
