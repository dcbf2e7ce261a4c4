/* SPDX-License-Identifier: MIT */
/* Tasks that give way to each other, n times in all: two of them, or a thousand. */
#ifndef BENCH_YIELD_YIELD_H
#define BENCH_YIELD_YIELD_H

#include "../common/bench.h"

enum { TWO = 2, MANY = 1000 };

#ifndef __cplusplus
round_fn yield_serial, yield_floor, yield_pthread, yield_filch, yield_1000_pthread, yield_1000_filch;
#endif

#endif
