/* SPDX-License-Identifier: MIT */
/* What the Boost.Fiber program does. */
#ifndef BENCH_PEERS_BOOST_FIBER_JOBS_H
#define BENCH_PEERS_BOOST_FIBER_JOBS_H

#include "../../common/bench.h"

round_fn yield_boost_fiber, yield_1000_boost_fiber, spawn_await_boost_fiber, spawn_many_boost_fiber,
    suspended_boost_fiber, mutex_boost_fiber, mutex_1000_boost_fiber, mutex_yield_boost_fiber,
    chan_unbuffered_boost_fiber, chan_buffered_boost_fiber, chan_mpmc_boost_fiber, pipeline_boost_fiber;

#endif
