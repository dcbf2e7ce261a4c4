/* SPDX-License-Identifier: MIT */
/*
 * Proves that a task that does not wait holds nobody up: not what waits in its worker's next slot, run queue or deque, not
 * its worker's timers, not what comes from outside, though it stands on every worker there is; whether it computes or is
 * blocked in the kernel. Each hog goes on until others have run, so that the verdict is progress and not time. Then that
 * spares retire, that hogs are counted and told of, and that an idle runtime uses no processor.
 */
#include <errno.h>
#include <filch/filch.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/api/workers.h"
#include "tests/test.h"

static const unsigned counts[] = {1, 2, 4};

static void run_on(filch_fn *fn, void *arg) {
    for (int i = 0; i < 3; i++) check_int(filch_run(fn, arg, &(filch_options){.workers = counts[i]}), 0);
}

static void nap(void) {
    nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
}

static void await(filch_task *task) {
    check_int(result_of(task), 0);
}

static filch_stats stats_of(filch_runtime *runtime) {
    filch_stats stats;
    check_int(filch_runtime_stats(runtime, &stats), 0);
    return stats;
}

/* ---------------------------------------------------------------------------------------------------------- hogs */

struct hold {
    atomic_bool over;
    atomic_uint held; /* workers */
    bool in_kernel;
};

/* Keeps its worker until it is over. */
static int hog(void *arg) {
    struct hold *hold = arg;
    atomic_fetch_add(&hold->held, 1);
    while (!atomic_load(&hold->over)) {
        if (hold->in_kernel) nap();
    }
    return 0;
}

static int end_hold(void *arg) {
    atomic_store(&((struct hold *)arg)->over, true);
    return 0;
}

/* Every worker is held; then the end of it is spawned from outside. */
static void hold_all_workers(unsigned workers, bool in_kernel) {
    struct hold hold = {.in_kernel = in_kernel};
    filch_runtime *runtime;
    check_int(filch_runtime_create(&runtime, &(filch_options){.workers = workers}), 0);
    for (int round = 0; round < 3; round++) {
        atomic_store(&hold.over, false);
        atomic_store(&hold.held, 0);
        filch_task *hogs[4], *task;
        for (unsigned i = 0; i < workers; i++) check_int(filch_runtime_spawn(runtime, &hogs[i], hog, &hold, NULL), 0);
        while (atomic_load(&hold.held) < workers) nap();
        check_int(filch_runtime_spawn(runtime, &task, end_hold, &hold, NULL), 0);
        check_int(filch_await(task, NULL, FILCH_NEVER), 0);
        for (unsigned i = 0; i < workers; i++) check_int(filch_await(hogs[i], NULL, FILCH_NEVER), 0);
    }
    check_int(filch_runtime_shutdown(runtime, FILCH_NEVER), 0);
    filch_stats stats = stats_of(runtime);
    check(stats.spare_starts > 0);
    check(stats.hogs > 0 && stats.hog_ns_max > 0);
    check_int(filch_runtime_destroy(runtime), 0);
}

TEST(monitor, tasks_that_compute_on_every_worker_hold_nothing_from_outside_up) {
    for (int i = 0; i < 3; i++) hold_all_workers(counts[i], false);
}

TEST(monitor, tasks_that_are_blocked_in_the_kernel_on_every_worker_hold_nothing_up) {
    for (int i = 0; i < 3; i++) hold_all_workers(counts[i], true);
}

static int hold_and_spawn(void *arg) {
    struct hold hold = {.in_kernel = arg != NULL};
    filch_task *tasks[8];
    unsigned workers = filch_runtime_workers(filch_runtime_current());
    for (unsigned i = 0; i + 1 < workers; i++) tasks[i] = start(hog, &hold);
    while (atomic_load(&hold.held) + 1 < workers) filch_yield();
    tasks[workers - 1] = start(end_hold, &hold); /* it stays in this worker's deque, and this worker is held now */
    hog(&hold);
    for (unsigned i = 0; i < workers; i++) await(tasks[i]);
    return 0;
}

TEST(monitor, what_a_hog_has_spawned_runs_beside_it) {
    run_on(hold_and_spawn, NULL);
    run_on(hold_and_spawn, "in the kernel");
}

/* ------------------------------------------------------------------------------------- next slot, queue, timers */

struct woken {
    struct hold hold;
    filch_event event;
    atomic_uint waiting;
};

static int wait_and_end(void *arg) {
    struct woken *woken = arg;
    atomic_fetch_add(&woken->waiting, 1);
    check_int(filch_event_wait(&woken->event, FILCH_NEVER), 0);
    return end_hold(&woken->hold);
}

/* The one that is woken comes to the next slot of the worker that is held. */
static int hold_and_wake(void *arg) {
    for (unsigned count = 1; count <= 5; count += 4) {
        struct woken woken = {.hold = {.in_kernel = arg != NULL}};
        unsigned workers = filch_runtime_workers(filch_runtime_current());
        filch_task *waiters[5], *hogs[8];
        for (unsigned i = 0; i < count; i++) waiters[i] = start(wait_and_end, &woken);
        while (atomic_load(&woken.waiting) < count) filch_yield();
        for (int i = 0; i < 10; i++) filch_yield();
        for (unsigned i = 0; i + 1 < workers; i++) hogs[i] = start(hog, &woken.hold);
        while (atomic_load(&woken.hold.held) + 1 < workers) filch_yield();
        filch_event_set(&woken.event);
        hog(&woken.hold);
        for (unsigned i = 0; i < count; i++) await(waiters[i]);
        for (unsigned i = 0; i + 1 < workers; i++) await(hogs[i]);
    }
    return 0;
}

TEST(monitor, what_a_hog_has_woken_runs_beside_it) {
    run_on(hold_and_wake, NULL);
    run_on(hold_and_wake, "in the kernel");
}

static int sleep_and_end(void *arg) {
    struct woken *woken = arg;
    atomic_fetch_add(&woken->waiting, 1);
    check_int(filch_sleep(FILCH_MS(5)), 0);
    return end_hold(&woken->hold);
}

static int hold_over_timer(void *arg) {
    struct woken woken = {.hold = {.in_kernel = arg != NULL}};
    unsigned workers = filch_runtime_workers(filch_runtime_current());
    filch_task *sleeper = start(sleep_and_end, &woken), *hogs[8];
    while (atomic_load(&woken.waiting) < 1) filch_yield();
    for (unsigned i = 0; i + 1 < workers; i++) hogs[i] = start(hog, &woken.hold);
    while (atomic_load(&woken.hold.held) + 1 < workers && !atomic_load(&woken.hold.over)) filch_yield();
    hog(&woken.hold);
    await(sleeper);
    for (unsigned i = 0; i + 1 < workers; i++) await(hogs[i]);
    return 0;
}

TEST(monitor, timers_of_a_worker_that_is_held_fire) {
    run_on(hold_over_timer, NULL);
    run_on(hold_over_timer, "in the kernel");
}

/* ------------------------------------------------------------------------------------- more hogs than workers */

struct crowd {
    atomic_uint arrived;
    unsigned size;
};

/* Goes on until all are there: each on a thread of its own. */
static int meet(void *arg) {
    struct crowd *crowd = arg;
    atomic_fetch_add(&crowd->arrived, 1);
    while (atomic_load(&crowd->arrived) < crowd->size) continue;
    return 0;
}

static int meet_all(void *arg) {
    (void)arg;
    struct crowd crowd = {.size = 9};
    filch_task *tasks[9];
    for (unsigned i = 0; i < 9; i++) tasks[i] = start(meet, &crowd);
    for (unsigned i = 0; i < 9; i++) await(tasks[i]);
    return 0;
}

TEST(monitor, each_of_more_hogs_than_workers_gets_a_thread) {
    run_on(meet_all, NULL);
}

/* ------------------------------------------------------------------------------------------------- retirement */

static void wait_until_retired(filch_runtime *runtime) {
    while (stats_of(runtime).spares > 0) nap(); /* the test's time-out is the limit */
}

static int yield_for_long(void *arg) {
    atomic_bool *over = arg;
    while (!atomic_load(over)) filch_yield();
    return 0;
}

TEST(monitor, spares_retire_and_come_again_idle_or_not) {
    for (int i = 0; i < 3; i++) {
        filch_runtime *runtime;
        check_int(filch_runtime_create(&runtime, &(filch_options){.workers = counts[i]}), 0);
        atomic_bool over = false;
        for (int round = 0; round < 4; round++) {
            filch_task *busy[8]; /* more than there are workers, so that spares have to give way while they are busy */
            atomic_store(&over, false);
            for (int k = 0; k < 8 && round % 2 == 1; k++) {
                check_int(filch_runtime_spawn(runtime, &busy[k], yield_for_long, &over, NULL), 0);
            }
            filch_task *task;
            check_int(filch_runtime_spawn(runtime, &task, meet_all, NULL, NULL), 0);
            check_int(filch_await(task, NULL, FILCH_NEVER), 0);
            check(stats_of(runtime).spare_starts > 0);
            wait_until_retired(runtime);
            atomic_store(&over, true);
            for (int k = 0; k < 8 && round % 2 == 1; k++) check_int(filch_await(busy[k], NULL, FILCH_NEVER), 0);
        }
        check_int(filch_runtime_destroy(runtime), 0);
    }
}

/* One that sleeps on a spare which retires meanwhile is woken in time, and everything is counted. */
static int sleep_on_a_spare(void *arg) {
    struct hold *hold = arg;
    atomic_store(&hold->over, true);
    return filch_sleep(FILCH_MS(60));
}

TEST(monitor, timers_of_a_spare_that_has_retired_fire) {
    filch_runtime *runtime;
    struct hold hold = {0};
    check_int(filch_runtime_create(&runtime, &(filch_options){.workers = 1}), 0);
    check_int(filch_runtime_spawn(runtime, NULL, hog, &hold, NULL), 0);
    while (atomic_load(&hold.held) < 1) nap();
    filch_task *sleepers[5];
    for (int i = 0; i < 5; i++) {
        check_int(filch_runtime_spawn(runtime, &sleepers[i], sleep_on_a_spare, &hold, NULL), 0);
    }
    for (int i = 0; i < 5; i++) check_int(filch_await(sleepers[i], NULL, FILCH_NEVER), 0);
    wait_until_retired(runtime);
    check_int(filch_runtime_destroy(runtime), 0);
}

/* Hogs of a millisecond or so come and go in the midst of yields, so that the only worker is alone and is not. */
static int compute_now_and_then(void *arg) {
    int64_t *count = arg;
    for (int i = 0; i < 300; i++) {
        int64_t until = filch_now() + (i % 10 == 0 ? FILCH_MS(5) : FILCH_US(10));
        while (filch_now() < until) continue;
        for (int k = 0; k < 50; k++) filch_yield();
        *count += 50;
    }
    return 0;
}

static int compute_in_turns(void *arg) {
    (void)arg;
    int64_t yields[6] = {0};
    filch_task *tasks[6];
    for (int i = 0; i < 6; i++) tasks[i] = start(compute_now_and_then, &yields[i]);
    for (int i = 0; i < 6; i++) await(tasks[i]);
    for (int i = 0; i < 6; i++) check_int(yields[i], 300 * 50);
    return 0;
}

TEST(monitor, short_hogs_amid_yields_lose_nothing) {
    for (unsigned workers = 1; workers <= 2; workers++) {
        check_int(filch_run(compute_in_turns, NULL, &(filch_options){.workers = workers}), 0);
    }
}

TEST(monitor, runtimes_start_and_stop_amid_hogs) {
    for (int round = 0; round < 60; round++) {
        struct hold hold = {0};
        filch_runtime *runtime;
        check_int(filch_runtime_create(&runtime, &(filch_options){.workers = 1 + (unsigned)round % 2}), 0);
        check_int(filch_runtime_spawn(runtime, NULL, hog, &hold, NULL), 0);
        check_int(filch_runtime_spawn(runtime, NULL, hog, &hold, NULL), 0);
        for (int i = 0; i < round % 5; i++) nap();
        check_int(filch_runtime_spawn(runtime, NULL, end_hold, &hold, NULL), 0);
        check_int(filch_runtime_destroy(runtime), 0);
    }
}

/* ------------------------------------------------------------------------------------------------------ reports */

static int be_a_hog_by_name(void *arg) {
    (void)arg;
    struct hold hold = {0};
    filch_task *task = start(end_hold, &hold);
    hog(&hold);
    await(task);
    return 0;
}

TEST(monitor, a_hog_is_counted_with_its_name) {
    filch_runtime *runtime;
    filch_task *task;
    check_int(filch_runtime_create(&runtime, &(filch_options){.workers = 1}), 0);
    check_int(filch_runtime_spawn(runtime, &task, be_a_hog_by_name, NULL, &(filch_task_options){.name = "glutton"}), 0);
    check_int(filch_await(task, NULL, FILCH_NEVER), 0);
    filch_stats stats = stats_of(runtime);
    check(stats.hogs >= 1);
    check(strcmp(stats.hog_name, "glutton") == 0);
    check_int(filch_runtime_destroy(runtime), 0);
}

static int be_a_hog_in_a_scope(void *arg) {
    filch_scope scope;
    check_int(filch_scope_open(&scope, NULL), 0);
    be_a_hog_by_name(arg);
    return filch_scope_close(&scope);
}

TEST(monitor, a_hog_within_a_scope_is_counted_with_its_name) {
    filch_runtime *runtime;
    filch_task *task;
    check_int(filch_runtime_create(&runtime, &(filch_options){.workers = 1}), 0);
    check_int(filch_runtime_spawn(runtime, &task, be_a_hog_in_a_scope, NULL, &(filch_task_options){.name = "inner"}),
              0);
    check_int(filch_await(task, NULL, FILCH_NEVER), 0);
    char name[32];
    memcpy(name, stats_of(runtime).hog_name, sizeof name);
    check(strcmp(name, "inner") == 0 || name[0] == '\0'); /* "" where reading at a distance is forbidden */
    check_int(filch_runtime_destroy(runtime), 0);
}

/* The line is written by the monitor at some time: it is waited for, and the process ends by abort. */
static int be_a_hog_for_good(void *arg) {
    (void)arg;
    for (int64_t until = filch_now() + FILCH_MS(300); filch_now() < until;) continue;
    return 0;
}

static int end_after_report(void *arg) {
    (void)arg;
    filch_task *hog_task, *waits;
    check_int(filch_spawn(&hog_task, be_a_hog_for_good, NULL, &(filch_task_options){.name = "swine"}), 0);
    waits = start(be_a_hog_for_good, NULL);
    check_int(filch_await(waits, NULL, FILCH_NEVER), 0);
    check_int(filch_await(hog_task, NULL, FILCH_NEVER), 0);
    abort();
}

TEST_DIES(monitor, a_hog_is_told_of_where_that_was_asked_for, ", and others wait for that; spawned at ") {
    filch_run(end_after_report, NULL, &(filch_options){.workers = 1, .report_hogs = true});
}

/* ---------------------------------------------------------------------------------------------------- switched off */

static int stand_still_alone(void *arg) {
    atomic_bool *flag = arg;
    filch_task *task;
    check_int(filch_spawn(&task, be_a_hog_for_good, NULL, NULL), 0);
    for (int64_t until = filch_now() + FILCH_MS(30); filch_now() < until;) check(!atomic_load(flag));
    atomic_store(flag, true);
    check_int(filch_await(task, NULL, FILCH_NEVER), 0);
    return 0;
}

TEST(monitor, without_it_one_worker_runs_one_task_at_a_time) {
    atomic_bool flag = false;
    filch_runtime *runtime;
    filch_task *task;
    check_int(filch_runtime_create(&runtime, &(filch_options){.workers = 1, .no_monitor = true}), 0);
    check_int(filch_runtime_spawn(runtime, &task, stand_still_alone, &flag, NULL), 0);
    check_int(filch_await(task, NULL, FILCH_NEVER), 0);
    check_int(stats_of(runtime).spare_starts, 0);
    check_int(stats_of(runtime).hogs, 0);
    check_int(filch_runtime_destroy(runtime), 0);
}

/* -------------------------------------------------------------------------------------------------------- idle */

static int64_t processor_ns(void) {
    struct timespec used;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return FILCH_SEC(used.tv_sec) + used.tv_nsec;
}

static int sleep_long(void *arg) {
    (void)arg;
    return filch_sleep(FILCH_SEC(4));
}

/* Until nobody has gone to sleep for a tenth of a second; how often they had by then. */
static uint64_t wait_until_all_sleep(filch_runtime *runtime) {
    uint64_t before, sleeps = stats_of(runtime).sleeps;
    do {
        before = sleeps;
        nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
        sleeps = stats_of(runtime).sleeps;
    } while (sleeps != before);
    return sleeps;
}

TEST(monitor, an_idle_runtime_uses_no_processor) {
    int result;
    filch_runtime *runtime;
    check_int(filch_runtime_create(&runtime, &(filch_options){.workers = 64}), 0);
    filch_task *task;
    check_int(filch_runtime_spawn(runtime, &task, meet_all, NULL, NULL), 0);
    check_int(filch_await(task, NULL, FILCH_NEVER), 0);
    wait_until_retired(runtime);
    check_int(filch_runtime_spawn(runtime, &task, sleep_long, NULL, NULL), 0);
    uint64_t sleeps = wait_until_all_sleep(runtime);
    int64_t before = processor_ns();
    nanosleep(&(struct timespec){.tv_nsec = 700000000}, NULL);
    int64_t used = processor_ns() - before;
    check_int(stats_of(runtime).sleeps, sleeps);
    check(used < 2000000); /* 700 looks take more; asleep it is some 50 us, for this thread */
    filch_task_cancel(task);
    check_int(filch_await(task, &result, FILCH_NEVER), 0);
    check_int(result, -ECANCELED);
    check_int(filch_runtime_destroy(runtime), 0);
}
