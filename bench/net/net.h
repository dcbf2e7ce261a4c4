/* SPDX-License-Identifier: MIT */
/*
 * A measurement of a server: it is started in a process of its own, connections are made, a part of the requests goes
 * before, then n of them are counted. What is charged is the time of the processor that the server's process took meanwhile,
 * all its threads; the load's own share is not in it.
 */
#ifndef BENCH_NET_NET_H
#define BENCH_NET_NET_H

#include "../common/bench.h"
#include "../load/load.h"
#include "server.h"

struct net_work {
    struct service service;
    struct load_options load; /* without the address */
    double rate;              /* as in struct load_phase */
    bool losses;              /* what is not answered in time is counted, and no failure */
};

/* Measures; returns how many requests were answered, or with `losses` were sent. */
uint64_t net_measure(struct run *run, const struct net_work *work);

/*
 * The system calls of the server alone, without anything that waits: both ends in one thread, a request on each of
 * `connections` and then its answer. Only the receiving and sending of the serving end is charged.
 */
struct floor_work {
    unsigned connections;
    const char *request, *reply;
    size_t request_size, reply_size;
    bool storm; /* each connection is made, serves one request, and is closed: that is charged too */
};

uint64_t net_floor(struct run *run, const struct floor_work *work);

#endif
