/* SPDX-License-Identifier: MIT */
/* What a runtime tells about itself: counters, the tasks that are left, the version. */
#include <errno.h>
#include <filch/stats.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/place.h"
#include "sched/runtime.h"
#include "sched/task.h"

#define TEXT_OF(number) #number
#define VERSION_OF(major, minor, patch) TEXT_OF(major) "." TEXT_OF(minor) "." TEXT_OF(patch)

const char *filch_version(void) {
    return VERSION_OF(FILCH_VERSION_MAJOR, FILCH_VERSION_MINOR, FILCH_VERSION_PATCH);
}

/* -------------------------------------------------------------------------------------------------------- stats */

static void add_worker(filch_stats *stats, struct filch__worker *worker) {
    /* relaxed: each counter for itself, as the header says */
    stats->completed += load_relaxed(&worker->completed);
    stats->spawned += load_relaxed(&worker->spawned);
    stats->steals += load_relaxed(&worker->steals);
    stats->steal_tries += load_relaxed(&worker->steal_tries);
    stats->parks += load_relaxed(&worker->parks);
    stats->yields += load_relaxed(&worker->yields);
    stats->switches += load_relaxed(&worker->switches);
    stats->sleeps += load_relaxed(&worker->sleeps);
}

int filch_runtime_stats(filch_runtime *runtime, filch_stats *stats) {
    if (runtime == NULL || stats == NULL) return -EINVAL;
    *stats = (filch_stats){.workers = runtime->worker_count, .guard_mprotect = runtime->stacks.guard_mprotect};
    for (unsigned i = 0; i < runtime->worker_count; i++) add_worker(stats, &runtime->workers[i]);
    stats->spawned += load_relaxed(&runtime->spawned_outside);
    stats->tasks = stats->spawned > stats->completed ? stats->spawned - stats->completed : 0;
    stats->wakes = load_relaxed(&runtime->idle.wakes);
    stats->injected = load_relaxed(&runtime->inject.pushed);
    struct filch__stack_stats stacks;
    filch__stack_pool_stats(&runtime->stacks, &stacks);
    stats->stacks = stacks.stacks;
    stats->stacks_peak = stacks.stacks_peak;
    stats->stacks_cached = stacks.free;
    stats->stack_bytes = stacks.bytes;
    return 0;
}

/* ------------------------------------------------------------------------------------------------------- report */

struct report {
    struct filch_runtime *runtime;
    int fd;
    int tasks;
};

static const char *state_name(uint32_t state) {
    return state == TASK_READY ? "not begun" : "begun";
}

/* One record; it may change under way, so that everything is read by atomic loads, and the name under its lock. */
static int report_record(void *record, void *argument) {
    struct report *report = argument;
    struct filch_task *task = record;
    uint32_t state = load_acquire(&task->state);
    if (state != TASK_READY && state != TASK_STARTED) return 0;
    char name[32] = "";
    struct filch__task_extra *extra = load_acquire(&task->extra);
    if (extra != NULL) {
        filch__latch_take(&extra->latch);
        if (extra->task == task) memcpy(name, extra->name, sizeof name);
        filch__latch_leave(&extra->latch);
    }

    for (char *letter = name; *letter != '\0'; letter++) {
        if ((unsigned char)*letter < ' ' || *letter == '"') *letter = '?'; /* a line stays a line */
    }

    char place[PLACE_SIZE], line[PLACE_SIZE + 128];
    filch__place_write(load_relaxed(&task->spawned_at), place);
    int length =
        snprintf(line, sizeof line, "task %p \"%s\" %s, spawned at %s\n", record, name, state_name(state), place);
    if (write(report->fd, line, (size_t)length) < 0) return -errno;
    report->tasks++;
    return 0;
}

int filch_runtime_report(filch_runtime *runtime, int fd) {
    if (runtime == NULL) return -EINVAL;
    struct report report = {.runtime = runtime, .fd = fd};
    int answer = filch__slab_each(&runtime->tasks, report_record, &report);
    return answer < 0 ? answer : report.tasks;
}
