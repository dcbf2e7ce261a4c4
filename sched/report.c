/* SPDX-License-Identifier: MIT */
/* What a runtime tells about itself in words: the tasks that are left, the version. Numbers: sched/stats.c. */
#include <errno.h>
#include <filch/runtime.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/place.h"
#include "base/utf8.h"
#include "sched/runtime.h"
#include "sched/snapshot.h"
#include "sched/task.h"

#define TEXT_OF(number) #number
#define VERSION_OF(major, minor, patch) TEXT_OF(major) "." TEXT_OF(minor) "." TEXT_OF(patch)

const char *filch_version(void) {
    return VERSION_OF(FILCH_VERSION_MAJOR, FILCH_VERSION_MINOR, FILCH_VERSION_PATCH);
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
    return filch__slab_each(&runtime->stock.tasks, each_record, &each);
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
    filch__utf8_clean(name, sizeof name, info->name); /* a line stays a line */
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
