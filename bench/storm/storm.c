/* SPDX-License-Identifier: MIT */
#include "storm.h"

#include "../net/net.h"

enum { TOGETHER = 50, SIZE = 64 };

uint64_t accept_storm(struct run *run) {
    struct net_work work = {.service = {.what = "echo"},
                            .load = {.mode = LOAD_STORM, .connections = TOGETHER, .size = SIZE}};
    return net_measure(run, &work);
}

uint64_t accept_storm_serial(struct run *run) {
    static const char message[SIZE];
    struct floor_work work = {.connections = TOGETHER,
                              .request = message,
                              .request_size = SIZE,
                              .reply = message,
                              .reply_size = SIZE,
                              .storm = true};
    return net_floor(run, &work);
}
