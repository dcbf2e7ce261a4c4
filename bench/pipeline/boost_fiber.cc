/* SPDX-License-Identifier: MIT */
#include "../peers/boost_fiber/jobs.h"
#include "../peers/boost_fiber/stacks.h"
#include "pipeline.h"

uint64_t pipeline_boost_fiber(run *run) {
    boost::fibers::buffered_channel<uint64_t> channel(SLOTS);
    boost::fibers::fiber stage = start_fiber([&channel, n = run->n] {
        for (int64_t i = 0; i < n; i++) channel.push(pipeline_work(static_cast<uint64_t>(i)));
        channel.close();
    });
    uint64_t item, sum = 0;
    while (channel.pop(item) == boost::fibers::channel_op_status::success) sum += pipeline_work(item);
    stage.join();
    return sum;
}
