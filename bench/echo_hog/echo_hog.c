/* SPDX-License-Identifier: MIT */
#include "echo_hog.h"

#include "../net/net.h"

enum { CONNECTIONS = 50, SIZE = 64, RATE = 2000 };

static uint64_t echo_hog(struct run *run, unsigned hogs) {
    struct net_work work = {.service = {.what = "echo", .hogs = hogs},
                            .load = {.mode = LOAD_ECHO,
                                     .connections = CONNECTIONS,
                                     .size = SIZE,
                                     .patience_ns = INT64_C(5) * 1000 * 1000 * 1000},
                            .rate = RATE,
                            .losses = true};
    return net_measure(run, &work);
}

uint64_t echo_hog_2(struct run *run) {
    return echo_hog(run, 2);
}

uint64_t echo_hog_8(struct run *run) {
    return echo_hog(run, 8);
}

/* The bare loop, with nobody beside it. */
uint64_t echo_hog_none(struct run *run) {
    struct run alone = *run;
    alone.system = "epoll";
    alone.workers = 2;
    uint64_t checksum = echo_hog(&alone, 0);
    alone.system = run->system;
    alone.workers = run->workers;
    *run = alone;
    return checksum;
}
