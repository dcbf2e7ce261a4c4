/* SPDX-License-Identifier: MIT */
#include "../common/pool.h"
#include "steal_latency.h"

struct pool_launcher {
    struct launcher launcher;
    struct pool_batch batch;
    struct pool_job job;
};

static void job(void *arg) {
    probe_begin(arg);
}

static void launch(struct launcher *self, struct probe *probe) {
    struct pool_launcher *launcher = (struct pool_launcher *)self;
    pool_submit(the_pool, &launcher->batch, &launcher->job, job, probe);
}

static void settle(struct launcher *self, struct probe *probe) {
    struct pool_launcher *launcher = (struct pool_launcher *)self;
    (void)probe;
    pool_wait(the_pool, &launcher->batch);
}

uint64_t steal_latency_pool(struct run *run) {
    struct pool_launcher launcher = {{launch, settle}, {0}, {0}};
    return latency_compare(run, &launcher.launcher);
}
