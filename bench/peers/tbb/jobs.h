/* SPDX-License-Identifier: MIT */
/* What the TBB program does. */
#ifndef BENCH_PEERS_TBB_JOBS_H
#define BENCH_PEERS_TBB_JOBS_H

#include "../../common/bench.h"

round_fn fib_tbb, nqueens_tbb, skynet_tbb, uts_t1_tbb, uts_t3_tbb, matmul_tbb, sort_tbb, flat_tbb, flat_for_tbb;

#endif
