/* SPDX-License-Identifier: MIT */
/* Where the fibers' stacks come from. */
#ifndef BENCH_PEERS_BOOST_FIBER_STACKS_H
#define BENCH_PEERS_BOOST_FIBER_STACKS_H

#include <boost/fiber/all.hpp>

/* One pool for the process: a stack that is given back is used again. */
inline boost::fibers::pooled_fixedsize_stack &stacks() {
    static boost::fibers::pooled_fixedsize_stack pool(64 * 1024);
    return pool;
}

template <typename Function> boost::fibers::fiber start_fiber(Function function) {
    return boost::fibers::fiber(std::allocator_arg, stacks(), function);
}

#endif
