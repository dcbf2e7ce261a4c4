/* SPDX-License-Identifier: MIT */
/*
 * A counter under a mutex, counted up n times: by one task, by a thousand tasks at the same mutex, and by a thousand
 * that give way to others while they hold it.
 */
#ifndef BENCH_MUTEX_MUTEX_H
#define BENCH_MUTEX_MUTEX_H

#include "../common/bench.h"

enum { MANY = 1000 };

#ifndef __cplusplus
round_fn mutex_serial, mutex_pthread, mutex_filch, mutex_1000_pthread, mutex_1000_filch, mutex_yield_pthread,
    mutex_yield_filch;
#endif

#endif
