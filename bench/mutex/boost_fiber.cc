/* SPDX-License-Identifier: MIT */
#include <vector>

#include "../peers/boost_fiber/jobs.h"
#include "../peers/boost_fiber/stacks.h"
#include "mutex.h"

uint64_t mutex_boost_fiber(run *run) {
    boost::fibers::mutex mutex;
    uint64_t count = 0;
    for (int64_t i = 0; i < run->n; i++) {
        mutex.lock();
        count++;
        mutex.unlock();
    }
    return count;
}

template <typename Inside> static uint64_t fibers(int64_t n, Inside inside) {
    boost::fibers::mutex mutex;
    uint64_t count = 0;
    std::vector<boost::fibers::fiber> all;
    for (int i = 0; i < MANY; i++)
        all.push_back(start_fiber([&, each = n / MANY] {
            for (int64_t j = 0; j < each; j++) {
                mutex.lock();
                count++;
                inside();
                mutex.unlock();
            }
        }));
    for (auto &fiber : all) fiber.join();
    return count;
}

uint64_t mutex_1000_boost_fiber(run *run) {
    return fibers(run->n, [] {});
}

uint64_t mutex_yield_boost_fiber(run *run) {
    return fibers(run->n, [] { boost::this_fiber::yield(); });
}
