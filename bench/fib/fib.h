/* SPDX-License-Identifier: MIT */
/* The Fibonacci numbers by double recursion: nothing but calls, so that the time is the time of a fork and a join. */
#ifndef BENCH_FIB_FIB_H
#define BENCH_FIB_FIB_H

#include "../common/bench.h"

round_fn fib_serial, fib_plain, fib_pthread, fib_pool, fib_filch, fib_filch_inline;

#endif
