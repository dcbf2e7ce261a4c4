/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "../common/filch.h"
#include "../common/thread.h"
#include "wake_foreign.h"

enum { BLOCK_SAMPLES = 50 };

struct filch_wire {
    struct wire wire;
    filch_sem side[2];
};

static void wake(struct wire *wire, bool back) {
    filch_sem_release(&((struct filch_wire *)wire)->side[back]);
}

static void wait(struct wire *wire, bool back) {
    if (filch_sem_acquire(&((struct filch_wire *)wire)->side[back], FILCH_NEVER) != 0) fail("filch_sem_acquire");
}

static int answer(void *arg) {
    wire_answer(arg);
    return 0;
}

static void filch_block(filch_runtime *runtime, double *sample, int64_t count) {
    struct filch_wire self = {.wire = {wake, wait, count, 0}};
    filch_task *task;
    for (int i = 0; i < 2; i++) {
        if (filch_sem_init(&self.side[i], 0, 0) != 0) fail("filch_sem_init");
    }
    if (filch_runtime_spawn(runtime, &task, answer, &self.wire, NULL) != 0) fail("filch_runtime_spawn");
    wire_ask(&self.wire, sample);
    must_await(task);
    for (int i = 0; i < 2; i++) filch_sem_fini(&self.side[i]);
}

/* The thread that wakes: both in turn, so that both meet the same weather. */
struct asker {
    filch_runtime *runtime;
    double *own, *condition;
    int64_t count;
};

static void *ask_both(void *arg) {
    struct asker *asker = arg;
    for (int64_t done = 0, count; done < asker->count; done += count) {
        count = asker->count - done < BLOCK_SAMPLES ? asker->count - done : BLOCK_SAMPLES;
        filch_block(asker->runtime, asker->own + done, count);
        condition_block(asker->condition + done, count);
    }
    return NULL;
}

/*
 * The runtime of the measurement has its main task, which is the caller; the task that is woken lives in another one.
 */
uint64_t wake_foreign_filch(struct run *run) {
    struct asker asker = {.count = run->n};
    struct run beside = {.workload = run->workload, .system = "pthread", .workers = run->workers, .n = run->n};
    asker.own = must_alloc((uint64_t)run->n * sizeof *asker.own);
    asker.condition = must_alloc((uint64_t)run->n * sizeof *asker.condition);
    if (filch_runtime_create(&asker.runtime, &(filch_options){.workers = run->workers}) != 0) fail("no runtime");
    pthread_t thread = thread_start(ask_both, &asker);
    pthread_join(thread, NULL);
    filch_runtime_destroy(asker.runtime);
    wake_report(run, asker.own);
    wake_report(&beside, asker.condition);
    beside.rounds = 1;
    beside.charged[0] = beside.wall[0] = beside.charged_ns;
    beside.checksum = (uint64_t)run->n;
    run_print(&beside);
    free(asker.own);
    free(asker.condition);
    return (uint64_t)run->n;
}
