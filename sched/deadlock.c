/* SPDX-License-Identifier: MIT */
/*
 * Deadlocks, found by the monitor when all workers have slept for a while: tasks of which each waits for what the next one
 * holds (a mutex, the writer's side of a lock, or its end), in a circle. That is certain, whatever else goes on. That all tasks wait, and there is no
 * timer, no descriptor and no helper thread, is not, since a thread from outside may come; it is told on demand.
 *
 * A look takes some 100 ns a task, so it is not made too often: after one that has found nothing, not for a second, then
 * for two, and so on up to a minute. A look that is not due when all have come to rest is made later, unless somebody has
 * got up by then; once it has been made, it is not made again before somebody has.
 */
#include "sched/monitor.h"

#include <filch/dump.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "sched/runtime.h"
#include "sched/snapshot.h"

enum { TASKS_LOOKED_AT = 20000 };

#define PAUSE_NS_MIN FILCH_SEC(1)
#define PAUSE_NS_MAX FILCH_SEC(60)

static void write_all(struct filch_runtime *runtime, int fd, const char *what) {
    char line[256];
    int length = snprintf(line, sizeof line, "filch: deadlock: %s\n", what);
    ssize_t ignored = write(fd, line, (size_t)length);
    (void)ignored;
    (void)filch_dump(fd, runtime, &(filch_dump_options){.no_running = true});
}

/* For the program's function: what is written to a descriptor, as text. False: that is not to be had. */
static bool hand_over(struct filch_runtime *runtime, const char *what) {
    int fd = memfd_create("filch-report", MFD_CLOEXEC);
    if (fd < 0) return false;
    write_all(runtime, fd, what);
    off_t length = lseek(fd, 0, SEEK_END);
    size_t bytes = (size_t)length + 1;
    char *text = length < 0 || ftruncate(fd, length + 1) != 0
                     ? MAP_FAILED
                     : mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    close(fd);
    if (text == MAP_FAILED) return false;
    filch_report report = {"deadlock", text, (size_t)length, runtime->name};
    runtime->debug.on_report(&report, runtime->debug.on_report_arg);
    munmap(text, bytes);
    return true;
}

static void tell(struct filch_runtime *runtime, const char *what) {
    if (runtime->debug.on_report == NULL || !hand_over(runtime, what)) write_all(runtime, STDERR_FILENO, what);
    runtime->monitor.deadlock_told = true;
    if (runtime->on_deadlock == FILCH_DEADLOCK_ABORT) abort();
}

/* relaxed: a glance; who is idle among them ends in a while */
static bool has_helpers(struct filch_runtime *runtime) {
    struct filch__blocking *blocking = &runtime->blocking;
    return load_relaxed(&blocking->calls.threads) > 0 || load_relaxed(&blocking->look_ups.threads) > 0;
}

/* Nothing of the runtime's own will ever wake anybody. */
static bool nothing_will_come(struct filch_runtime *runtime) {
    if (load_acquire(&runtime->poller) != NULL || has_helpers(runtime)) return false;
    unsigned known = filch__runtime_known(runtime);
    for (unsigned i = 0; i < known; i++) {
        if (filch__timers_earliest(&filch__runtime_worker(runtime, i)->timers) != INT64_MAX) return false;
    }
    return true;
}

int64_t filch__deadlock_look(struct filch_runtime *runtime) {
    struct filch__monitor *monitor = &runtime->monitor;
    int64_t now_ns = filch__clock_now();
    if (runtime->on_deadlock == FILCH_DEADLOCK_IGNORE || monitor->deadlock_told) return INT64_MAX;
    if (monitor->deadlock_looked) return INT64_MAX;
    if (now_ns < monitor->deadlock_next_ns) return monitor->deadlock_next_ns;
    struct filch__snapshot snapshot;
    if (filch__snapshot_take(&snapshot, runtime, TASKS_LOOKED_AT, false) != 0) return INT64_MAX;
    monitor->deadlock_looked = true;
    uint32_t first, length = filch__snapshot_cycle(&snapshot, &first), count = snapshot.count;
    filch__snapshot_drop(&snapshot);
    if (length > 0) {
        tell(runtime, "tasks wait for one another in a circle");
    } else if (count > 0 && monitor->tells_rest && nothing_will_come(runtime)) {
        tell(runtime, "all tasks wait, for no timer and no descriptor: for ever, unless another thread wakes one");
    }
    monitor->deadlock_pause_ns = monitor->deadlock_pause_ns == 0 ? PAUSE_NS_MIN : 2 * monitor->deadlock_pause_ns;
    if (monitor->deadlock_pause_ns > PAUSE_NS_MAX) monitor->deadlock_pause_ns = PAUSE_NS_MAX;
    monitor->deadlock_next_ns = now_ns + monitor->deadlock_pause_ns;
    if (!monitor->tells_rest || !has_helpers(runtime)) return INT64_MAX;
    monitor->deadlock_looked = false; /* when they have ended, it may be one */
    return monitor->deadlock_next_ns;
}
