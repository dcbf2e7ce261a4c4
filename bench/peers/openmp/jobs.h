/* SPDX-License-Identifier: MIT */
/* What the OpenMP program does. */
#ifndef BENCH_PEERS_OPENMP_JOBS_H
#define BENCH_PEERS_OPENMP_JOBS_H

#include "../../common/bench.h"

round_fn fib_openmp, nqueens_openmp, skynet_openmp, uts_t1_openmp, uts_t3_openmp, matmul_openmp, sort_openmp,
    flat_openmp, flat_for_openmp;

#endif
