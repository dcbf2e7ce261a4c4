/* SPDX-License-Identifier: MIT */
/*
 * All tasks sleep until one deadline, chosen so that it lies behind the moment when the last of them has begun. Whoever
 * begins last takes the measure: all others wait then, none has ended. If one has, the deadline was too early: once
 * more, with twice the time; such a round is not cold and says so.
 */
#include <stdlib.h>

#include "../../base/atomic.h"
#include "../common/filch.h"
#include "suspended.h"

static const int64_t patience_ns = 8000; /* for each task */

static struct {
    int64_t wanted;
    filch_deadline deadline;
    int64_t begun;     /* atomic */
    int64_t ended;     /* atomic */
    int64_t too_early; /* had ended when the last one began */
    struct point all_wait;
    filch_stats stats;
} gate;

static void take_measure(void) {
    gate.too_early = load_seq_cst(&gate.ended);
    gate.all_wait = point_now();
    if (filch_runtime_stats(filch_runtime_current(), &gate.stats)) fail("filch_runtime_stats");
}

static int sleeper(void *arg) {
    (void)arg;
    if (add_seq_cst(&gate.begun, 1) == gate.wanted - 1) take_measure();
    filch_sleep_until(gate.deadline);
    add_seq_cst(&gate.ended, 1);
    return 1;
}

static uint64_t suspend_all(struct run *run, filch_task **tasks, int64_t patience) {
    uint64_t sum = 0;
    gate.wanted = run->n;
    gate.begun = gate.ended = 0;
    gate.deadline = filch_after(FILCH_MS(50) + run->n * patience);
    struct point from = point_now();
    for (int64_t i = 0; i < run->n; i++) tasks[i] = must_spawn(sleeper, NULL);
    for (int64_t i = 0; i < run->n; i++) sum += (uint64_t)must_await(tasks[i]);
    charge(run, &from, &gate.all_wait);
    return sum;
}

uint64_t suspended_filch(struct run *run) {
    filch_task **tasks = must_alloc((uint64_t)run->n * sizeof(filch_task *));
    for (int64_t i = 0; i < run->n; i++) tasks[i] = NULL;
    int64_t patience = patience_ns;
    int retries = 0;
    uint64_t sum = suspend_all(run, tasks, patience);
    for (; gate.too_early > 0 && retries < 4; retries++) sum = suspend_all(run, tasks, patience *= 2);
    if (gate.too_early > 0) fail("%lld tasks ended before the last one began", (long long)gate.too_early);
    run_extra(run, "stacks", (double)gate.stats.stacks);
    run_extra(run, "guard_mprotect", gate.stats.guard_mprotect);
    if (retries > 0) run_extra(run, "retries", retries);
    free(tasks);
    return sum;
}
