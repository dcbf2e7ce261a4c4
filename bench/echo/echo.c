/* SPDX-License-Identifier: MIT */
#include "echo.h"

#include "../net/net.h"

static uint64_t echo(struct run *run, unsigned connections) {
    struct net_work work = {.service = {.what = "echo"},
                            .load = {.mode = LOAD_ECHO, .connections = connections, .size = ECHO_SIZE}};
    return net_measure(run, &work);
}

static uint64_t serial(struct run *run, unsigned connections) {
    static const char message[ECHO_SIZE];
    struct floor_work work = {.connections = connections,
                              .request = message,
                              .request_size = sizeof message,
                              .reply = message,
                              .reply_size = sizeof message};
    return net_floor(run, &work);
}

uint64_t echo_50(struct run *run) {
    return echo(run, 50);
}

uint64_t echo_1000(struct run *run) {
    return echo(run, 1000);
}

uint64_t echo_10000(struct run *run) {
    return echo(run, 10000);
}

uint64_t echo_50_serial(struct run *run) {
    return serial(run, 50);
}

uint64_t echo_1000_serial(struct run *run) {
    return serial(run, 1000);
}

uint64_t echo_10000_serial(struct run *run) {
    return serial(run, 10000);
}
