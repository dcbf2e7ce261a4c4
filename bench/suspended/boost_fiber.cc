/* SPDX-License-Identifier: MIT */
#include "suspended.h"

#include <vector>

#include "../peers/boost_fiber/jobs.h"
#include "../peers/boost_fiber/stacks.h"

/* Whoever begins last takes the measure, and opens the gate. */
uint64_t suspended_boost_fiber(run *run) {
    std::vector<boost::fibers::fiber> fibers(static_cast<size_t>(run->n));
    boost::fibers::mutex lock;
    boost::fibers::condition_variable changed;
    int64_t waiting = 0;
    point all_wait = {};
    point from = point_now();
    for (auto &fiber : fibers)
        fiber = start_fiber([&] {
            std::unique_lock<boost::fibers::mutex> guard(lock);
            if (++waiting == run->n) {
                all_wait = point_now();
                changed.notify_all();
            }
            changed.wait(guard, [&] { return waiting == run->n; });
        });
    for (auto &fiber : fibers) fiber.join();
    charge(run, &from, &all_wait);
    return static_cast<uint64_t>(waiting);
}
