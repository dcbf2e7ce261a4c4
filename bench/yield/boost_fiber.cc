/* SPDX-License-Identifier: MIT */
#include <vector>

#include "../peers/boost_fiber/jobs.h"
#include "../peers/boost_fiber/stacks.h"
#include "yield.h"

static uint64_t fibers(int64_t n, int count) {
    std::vector<boost::fibers::fiber> all;
    uint64_t sum = 0;
    for (int i = 0; i < count; i++)
        all.push_back(start_fiber([&sum, each = n / count] {
            for (int64_t j = 0; j < each; j++) boost::this_fiber::yield();
            sum += static_cast<uint64_t>(each);
        }));
    for (auto &fiber : all) fiber.join();
    return sum;
}

uint64_t yield_boost_fiber(run *run) {
    return fibers(run->n, TWO);
}

uint64_t yield_1000_boost_fiber(run *run) {
    return fibers(run->n, MANY);
}
