/* SPDX-License-Identifier: MIT */
/* A system and the floor in turn, in blocks, so that both meet the same weather. */
#include "steal_latency.h"

enum { BLOCK_SAMPLES = 20 };

static void sample_system(struct latencies *latencies, enum state state, struct launcher *launcher, int64_t count) {
    /* The first of a block finds the other worker asleep, whatever the state: it is not counted. */
    struct latencies ignored;
    latencies_init(&ignored, 1);
    latency_sample(&ignored, STATE_PARKED, launcher);
    latencies_fini(&ignored);
    for (int64_t i = 0; i < count; i++) latency_sample(latencies, state, launcher);
}

/* The floor's figures are printed as a result of their own, the same checksum included. */
static void report_floor(const struct run *run, struct latencies *latencies) {
    struct run beside = {.workload = run->workload, .system = "floor", .workers = run->workers, .n = run->n};
    latencies_report(latencies, &beside);
    beside.rounds = 1;
    beside.charged[0] = beside.wall[0] = beside.charged_ns;
    beside.checksum = (uint64_t)run->n;
    run_print(&beside);
}

uint64_t latency_compare(struct run *run, struct launcher *launcher) {
    struct latencies own, bare;
    struct floor_thread *floor_thread = floor_start();
    latencies_init(&own, run->n);
    latencies_init(&bare, run->n);
    for (int64_t left = run->n; left > 0; left -= BLOCK_SAMPLES) {
        int64_t count = left < BLOCK_SAMPLES ? left : BLOCK_SAMPLES;
        for (int state = 0; state < STATES; state++) {
            sample_system(&own, (enum state)state, launcher, count);
            floor_sample(floor_thread, &bare, (enum state)state, count);
        }
    }
    floor_stop(floor_thread);
    latencies_report(&own, run);
    if (run->system[0] == 'f') report_floor(run, &bare);
    latencies_fini(&own);
    latencies_fini(&bare);
    return (uint64_t)run->n;
}
