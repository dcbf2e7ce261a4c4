/* SPDX-License-Identifier: MIT */
#include "../common/filch.h"
#include "steal_latency.h"

struct filch_launcher {
    struct launcher launcher;
    filch_task *task;
};

static int task(void *arg) {
    probe_begin(arg);
    return 0;
}

static void launch(struct launcher *self, struct probe *probe) {
    struct filch_launcher *launcher = (struct filch_launcher *)self;
    launcher->task = must_spawn(task, probe);
}

static void settle(struct launcher *self, struct probe *probe) {
    struct filch_launcher *launcher = (struct filch_launcher *)self;
    (void)probe;
    must_await(launcher->task);
}

uint64_t steal_latency_filch(struct run *run) {
    struct filch_launcher launcher = {{launch, settle}, NULL};
    return latency_compare(run, &launcher.launcher);
}
