/* SPDX-License-Identifier: MIT */
/* What a runtime tells about itself: counters, the tasks that are left, the version. */
#include <errno.h>
#include <filch/stats.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/place.h"
#include "sched/runtime.h"
#include "sched/snapshot.h"
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

static void add_monitor(filch_stats *stats, struct filch_runtime *runtime) {
    struct filch__monitor *monitor = &runtime->monitor;
    struct filch__blocking *blocking = &runtime->blocking;
    stats->hogs = load_relaxed(&monitor->hogs); /* relaxed, all, as above */
    stats->hog_ns_max = load_relaxed(&monitor->hog_ns_max);
    filch__monitor_hog_name(runtime, stats->hog_name);
    stats->spare_starts = load_relaxed(&monitor->spare_starts);
    stats->spares = load_relaxed(&monitor->spares);
    stats->blocking_calls = load_relaxed(&blocking->calls.made) + load_relaxed(&blocking->look_ups.made);
    stats->blocking_threads = load_relaxed(&blocking->calls.threads) + load_relaxed(&blocking->look_ups.threads);
}

int filch_runtime_stats(filch_runtime *runtime, filch_stats *stats) {
    if (runtime == NULL || stats == NULL) return -EINVAL;
    if (filch__runtime_is_parents(runtime)) return -ESHUTDOWN; /* its locks may be taken for ever */
    *stats = (filch_stats){.workers = runtime->worker_count, .guard_mprotect = runtime->stacks.guard_mprotect};
    unsigned known = filch__runtime_known(runtime);
    for (unsigned i = 0; i < known; i++) add_worker(stats, filch__runtime_worker(runtime, i));
    add_monitor(stats, runtime);
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

/* -------------------------------------------------------------------------------------------------------- tasks */

struct each {
    struct filch_runtime *runtime;
    int (*visit)(const filch_task_info *info, void *arg);
    void *arg;
};

static int each_record(void *record, void *argument) {
    struct each *each = argument;
    filch_task_info info;
    return filch__task_describe(each->runtime, record, &info, NULL, NULL) ? each->visit(&info, each->arg) : 0;
}

int filch_task_each(filch_runtime *runtime, int (*visit)(const filch_task_info *info, void *arg), void *arg) {
    if (runtime == NULL || visit == NULL) return -EINVAL;
    if (filch__runtime_is_parents(runtime)) return -ESHUTDOWN; /* its locks may be taken for ever */
    struct each each = {runtime, visit, arg};
    return filch__slab_each(&runtime->tasks, each_record, &each);
}

/* ------------------------------------------------------------------------------------------------------- report */

struct report {
    int fd;
    int tasks;
};

static void describe(const filch_task_info *info, char *text, size_t size) {
    switch (info->state) {
    case FILCH_TASK_READY:
        snprintf(text, size, "not begun");
        break;
    case FILCH_TASK_RUNNING:
        snprintf(text, size, "begun, does not wait");
        break;
    case FILCH_TASK_WAITING:
        snprintf(text, size, "waits: %s %p, for %.2f s", info->reason, info->object, (double)info->waiting_ns / 1e9);
        break;
    }
}

static int report_task(const filch_task_info *info, void *argument) {
    struct report *report = argument;
    char name[sizeof info->name], state[96], place[PLACE_SIZE], line[PLACE_SIZE + 256];
    memcpy(name, info->name, sizeof name);
    for (char *letter = name; *letter != '\0'; letter++) {
        if ((unsigned char)*letter < ' ' || *letter == '"') *letter = '?'; /* a line stays a line */
    }
    describe(info, state, sizeof state);
    filch__place_write(info->spawned_at, place);
    int length = snprintf(line, sizeof line, "task %p \"%s\" %s%s, spawned at %s\n", (const void *)info->task, name,
                          state, info->cancelled ? ", cancelled" : "", place);
    if (write(report->fd, line, (size_t)length) < 0) return -errno;
    report->tasks++;
    return 0;
}

int filch_runtime_report(filch_runtime *runtime, int fd) {
    if (runtime == NULL) return -EINVAL;
    struct report report = {.fd = fd};
    int answer = filch_task_each(runtime, report_task, &report);
    return answer < 0 ? answer : report.tasks;
}
