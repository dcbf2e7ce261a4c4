/* SPDX-License-Identifier: MIT */
#include "../common/ring.h"
#include "../common/thread.h"
#include "pipeline.h"

struct stages {
    struct ring ring;
    int64_t n;
};

static void *first_stage(void *arg) {
    struct stages *stages = arg;
    for (int64_t i = 0; i < stages->n; i++) ring_send(&stages->ring, pipeline_work((uint64_t)i));
    ring_close(&stages->ring);
    return NULL;
}

uint64_t pipeline_pthread(struct run *run) {
    struct stages stages = {.n = run->n};
    uint64_t item, sum = 0;
    ring_init(&stages.ring, SLOTS);
    pthread_t thread = thread_start(first_stage, &stages);
    while (ring_receive(&stages.ring, &item)) sum += pipeline_work(item);
    pthread_join(thread, NULL);
    return sum;
}
