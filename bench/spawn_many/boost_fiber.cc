/* SPDX-License-Identifier: MIT */
#include <vector>

#include "../common/memory.h"
#include "../peers/boost_fiber/jobs.h"
#include "../peers/boost_fiber/stacks.h"

uint64_t spawn_many_boost_fiber(run *run) {
    static std::vector<boost::fibers::fiber> fibers(static_cast<size_t>(run->n));
    uint64_t sum = 0;
    int64_t before = run->warming ? memory_resident() : 0;
    for (auto &fiber : fibers) fiber = start_fiber([&sum] { sum++; });
    if (run->warming)
        run_extra(run, "bytes_per_task", static_cast<double>(memory_resident() - before) / static_cast<double>(run->n));
    for (auto &fiber : fibers) fiber.join();
    return sum;
}
