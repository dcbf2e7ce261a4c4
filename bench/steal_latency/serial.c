/* SPDX-License-Identifier: MIT */
/* A call in place of a launch: what the two readings of the clock cost. */
#include "steal_latency.h"

static void launch(struct launcher *self, struct probe *probe) {
    (void)self;
    probe_begin(probe);
}

static void settle(struct launcher *self, struct probe *probe) {
    (void)self;
    (void)probe;
}

uint64_t steal_latency_serial(struct run *run) {
    struct launcher launcher = {launch, settle};
    struct latencies latencies;
    latencies_init(&latencies, run->n);
    for (int64_t i = 0; i < run->n; i++)
        for (int state = 0; state < STATES; state++) latency_sample(&latencies, (enum state)state, &launcher);
    latencies_report(&latencies, run);
    latencies_fini(&latencies);
    return (uint64_t)run->n;
}
