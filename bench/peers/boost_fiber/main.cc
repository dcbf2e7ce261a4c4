/* SPDX-License-Identifier: MIT */
/* filch-bench-boost-fiber: Boost.Fiber on one thread, with its own scheduler and its pooled stacks of 64 KiB. */
#include "jobs.h"

static const job jobs[] = {
    {"yield", yield_boost_fiber, nullptr, nullptr, false},
    {"yield-1000", yield_1000_boost_fiber, nullptr, nullptr, false},
    {"spawn-await", spawn_await_boost_fiber, nullptr, nullptr, false},
    {"spawn-many", spawn_many_boost_fiber, nullptr, nullptr, false},
    {"suspended", suspended_boost_fiber, nullptr, nullptr, true},
    {"mutex", mutex_boost_fiber, nullptr, nullptr, false},
    {"mutex-1000", mutex_1000_boost_fiber, nullptr, nullptr, false},
    {"mutex-yield", mutex_yield_boost_fiber, nullptr, nullptr, false},
    {"chan-unbuffered", chan_unbuffered_boost_fiber, nullptr, nullptr, false},
    {"chan-buffered", chan_buffered_boost_fiber, nullptr, nullptr, false},
    {"chan-mpmc", chan_mpmc_boost_fiber, nullptr, nullptr, false},
    {"pipeline", pipeline_boost_fiber, nullptr, nullptr, false},
    {},
};

static void with_workers(run *run, const job *job, body_fn *body) {
    if (run->workers != 1) fail("boost-fiber is measured with one worker");
    body(run, job);
}

int main(int count, char **arguments) {
    return measure_main(count, arguments, jobs, with_workers);
}
