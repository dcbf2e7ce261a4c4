/* SPDX-License-Identifier: MIT */
#include "../peers/boost_fiber/jobs.h"
#include "../peers/boost_fiber/stacks.h"

uint64_t spawn_await_boost_fiber(run *run) {
    uint64_t sum = 0;
    for (int64_t i = 0; i < run->n; i++) start_fiber([&sum] { sum++; }).join();
    return sum;
}
