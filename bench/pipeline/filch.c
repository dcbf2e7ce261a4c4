/* SPDX-License-Identifier: MIT */
#include "../common/filch.h"
#include "pipeline.h"

struct stages {
    filch_chan *chan;
    int64_t n;
};

static int first_stage(void *arg) {
    const struct stages *stages = arg;
    for (int64_t i = 0; i < stages->n; i++) {
        uint64_t item = pipeline_work((uint64_t)i);
        if (filch_chan_send(stages->chan, &item, FILCH_NEVER)) fail("filch_chan_send");
    }
    return filch_chan_close(stages->chan);
}

uint64_t pipeline_filch(struct run *run) {
    struct stages stages = {.n = run->n};
    uint64_t item, sum = 0;
    if (filch_chan_create(&stages.chan, sizeof item, SLOTS)) fail("filch_chan_create");
    filch_task *task = must_spawn(first_stage, &stages);
    while (filch_chan_recv(stages.chan, &item, FILCH_NEVER) == 0) sum += pipeline_work(item);
    must_await(task);
    filch_chan_destroy(stages.chan);
    return sum;
}
