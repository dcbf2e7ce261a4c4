/* SPDX-License-Identifier: MIT */
/* The explorer has no traces: what the scheduler would tell them. */
#include "sched/trace.h"

void filch__trace_spawn_outside(struct filch_runtime *runtime, struct filch_task *task) {
    (void)runtime, (void)task;
}

void filch__trace_wake_outside(struct filch_runtime *runtime, const struct filch__waiter *waiter) {
    (void)runtime, (void)waiter;
}

void filch__trace_add_worker(struct filch__worker *worker) {
    (void)worker;
}

void filch__trace_watch(void) {
}

void filch__trace_by_environment(struct filch_runtime *runtime) {
    (void)runtime;
}

void filch__trace_finish(struct filch_runtime *runtime) {
    (void)runtime;
}

void filch__trace_fini(struct filch_runtime *runtime) {
    (void)runtime;
}

void filch__trace_forget(void) {
}
