/* SPDX-License-Identifier: MIT */
#include <vector>

#include "../peers/boost_fiber/jobs.h"
#include "../peers/boost_fiber/stacks.h"
#include "chan.h"

/* Its buffered channel holds one less than its size. */
template <typename Channel> static uint64_t pass(Channel &channel, int64_t n, int count) {
    std::vector<boost::fibers::fiber> senders, receivers;
    uint64_t sum = 0;
    for (int i = 0; i < count; i++) {
        receivers.push_back(start_fiber([&channel, &sum] {
            uint64_t value;
            while (channel.pop(value) == boost::fibers::channel_op_status::success) sum += value;
        }));
        senders.push_back(start_fiber([&channel, i, n, count] {
            for (int64_t k = i; k < n; k += count) channel.push(static_cast<uint64_t>(k));
        }));
    }
    for (auto &sender : senders) sender.join();
    channel.close();
    for (auto &receiver : receivers) receiver.join();
    return sum;
}

uint64_t chan_unbuffered_boost_fiber(run *run) {
    boost::fibers::unbuffered_channel<uint64_t> channel;
    return pass(channel, run->n, 1);
}

uint64_t chan_buffered_boost_fiber(run *run) {
    boost::fibers::buffered_channel<uint64_t> channel(SLOTS);
    return pass(channel, run->n, 1);
}

uint64_t chan_mpmc_boost_fiber(run *run) {
    boost::fibers::buffered_channel<uint64_t> channel(SLOTS);
    return pass(channel, run->n, FOUR);
}
