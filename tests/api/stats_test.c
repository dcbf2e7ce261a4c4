/* SPDX-License-Identifier: MIT */
/*
 * Proves that each number of filch/stats.h moves when what it counts happens, and by as much where that is certain; that
 * the workers' numbers add up to the runtime's; that counters never go back while workers count and others read; and that
 * they can be read while a runtime shuts down, and in a simulation.
 */
#include <errno.h>
#include <filch/filch.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "tests/api/workers.h"

static const unsigned sizes[] = {1, 2, 8, 64};
enum { SIZES = sizeof sizes / sizeof sizes[0] };

static filch_stats stats_of(filch_runtime *runtime) {
    filch_stats stats;
    check_int(filch_runtime_stats(runtime, &stats), 0);
    return stats;
}

static filch_stats stats_here(void) {
    return stats_of(filch_runtime_current());
}

static filch_worker_stats worker_of(filch_runtime *runtime, unsigned index) {
    filch_worker_stats stats;
    check_int(filch_runtime_worker_stats(runtime, index, &stats), 0);
    check_int(stats.index, index);
    return stats;
}

/* The counters, in the order of both structures: names for their places there. */
#define COUNTER(field)                                                                                                 \
    { #field, offsetof(filch_stats, field), offsetof(filch_worker_stats, field) }
static const struct {
    const char *name;
    size_t of_all, of_worker;
} counters[] = {
    COUNTER(spawned), COUNTER(completed), COUNTER(steals),        COUNTER(steal_tries),
    COUNTER(parks),   COUNTER(yields),    COUNTER(switches),      COUNTER(sleeps),
    COUNTER(wakes),   COUNTER(polls),     COUNTER(poll_events),   COUNTER(timers_set),
    COUNTER(cpu_ns),  COUNTER(hogs),      COUNTER(stack_refills), COUNTER(stack_spills),
};
enum { COUNTERS = sizeof counters / sizeof counters[0] };

static uint64_t counter_of_all(const filch_stats *stats, int i) {
    uint64_t value = *(const uint64_t *)(const void *)((const char *)stats + counters[i].of_all);
    return i == 0 ? value - stats->spawned_outside : value;
}

static uint64_t counter_of_worker(const filch_worker_stats *stats, int i) {
    return *(const uint64_t *)(const void *)((const char *)stats + counters[i].of_worker);
}

/* ------------------------------------------------------------------------------------------------------- sums */

static int nothing(void *arg) {
    (void)arg;
    return 0;
}

static int mixed(void *event) {
    filch_yield();
    check_int(filch_event_wait(event, filch_after(FILCH_SEC(1000))), 0);
    filch_frame frame;
    filch_fork(&frame, nothing, NULL);
    return filch_join(&frame);
}

enum { TASKS = 300 };

/* Each of the tasks waits once, with a timer. */
static int spawn_mixed(void *arg) {
    filch_task *tasks[TASKS];
    filch_event event;
    (void)arg;
    filch_event_init(&event);
    uint64_t before = stats_here().parks;
    for (int i = 0; i < TASKS; i++) tasks[i] = start(mixed, &event);
    while (stats_here().parks < before + TASKS) filch_yield();
    filch_event_set(&event);
    for (int i = 0; i < TASKS; i++) check_int(result_of(tasks[i]), 0);
    filch_event_fini(&event);
    return 0;
}

/* What the workers' counters add up to lies between what the runtime's were before and after. */
static void check_sums(filch_runtime *runtime) {
    uint64_t sums[COUNTERS] = {0};
    filch_worker_stats worker;
    filch_stats before = stats_of(runtime);
    unsigned count = 0;
    int answer;
    while ((answer = filch_runtime_worker_stats(runtime, count, &worker)) == 0) {
        for (int i = 0; i < COUNTERS; i++) sums[i] += counter_of_worker(&worker, i);
        count++;
    }
    check_int(answer, -ENOENT);
    filch_stats after = stats_of(runtime);
    check(count >= before.workers + before.spares_made && count <= after.workers + after.spares_made);
    for (int i = 0; i < COUNTERS; i++) {
        check(sums[i] >= counter_of_all(&before, i));
        check(sums[i] <= counter_of_all(&after, i));
    }
}

TEST(stats, every_task_is_counted_once_and_workers_add_up) {
    for (int i = 0; i < SIZES; i++) {
        filch_runtime *runtime;
        filch_task *task;
        check_int(filch_runtime_create(&runtime, &(filch_options){.workers = sizes[i]}), 0);
        check_int(filch_runtime_spawn(runtime, &task, spawn_mixed, NULL, NULL), 0);
        check_int(result_of(task), 0);
        check_int(filch_runtime_shutdown(runtime, FILCH_NEVER), 0);
        filch_stats stats = stats_of(runtime);
        check_int(stats.workers, sizes[i]);
        check_int(stats.spawned, TASKS + 1);
        check_int(stats.spawned_outside, 1);
        check_int(stats.completed, TASKS + 1);
        check_int(stats.tasks, 0);
        check(stats.parks >= TASKS && stats.timers_set >= TASKS && stats.switches >= TASKS);
        check(stats.steal_tries >= stats.steals);
        check_int(stats.timers, 0);
        check_int(stats.deque_depth + stats.run_queue_depth + stats.inject_depth, 0);
        check_sums(runtime);
        check_int(filch_runtime_destroy(runtime), 0);
    }
}

/* ---------------------------------------------------------------------------------------------------- concurrency */

struct reader {
    filch_runtime *runtime;
    atomic_bool over;
    atomic_uint rounds;
};

/* Reads until it is over: no counter ever goes back. */
static void *read_all(void *arg) {
    struct reader *reader = arg;
    filch_stats before = stats_of(reader->runtime);
    filch_worker_stats first = worker_of(reader->runtime, 0);
    while (!atomic_load(&reader->over)) {
        filch_stats now = stats_of(reader->runtime);
        filch_worker_stats one = worker_of(reader->runtime, 0);
        for (int i = 0; i < COUNTERS; i++) {
            check(counter_of_all(&now, i) >= counter_of_all(&before, i));
            check(counter_of_worker(&one, i) >= counter_of_worker(&first, i));
        }
        check(now.injected >= before.injected && now.spare_starts >= before.spare_starts);
        check(now.workers_asleep <= now.workers + now.spares_made);
        before = now;
        first = one;
        atomic_fetch_add(&reader->rounds, 1);
    }
    return NULL;
}

TEST(stats, counters_never_go_back_while_all_count_and_others_read) {
    for (int i = 0; i < SIZES; i++) {
        struct reader reader = {0};
        pthread_t threads[2];
        check_int(filch_runtime_create(&reader.runtime, &(filch_options){.workers = sizes[i]}), 0);
        for (int t = 0; t < 2; t++) check_int(pthread_create(&threads[t], NULL, read_all, &reader), 0);
        for (unsigned round = 0; round < 5 || atomic_load(&reader.rounds) < 20; round++) {
            filch_task *task;
            check_int(filch_runtime_spawn(reader.runtime, &task, spawn_mixed, NULL, NULL), 0);
            check_int(result_of(task), 0);
        }
        check_int(filch_runtime_shutdown(reader.runtime, FILCH_NEVER), 0); /* they go on to read */
        unsigned rounds = atomic_load(&reader.rounds);
        while (atomic_load(&reader.rounds) < rounds + 4) usleep(100);
        atomic_store(&reader.over, true);
        for (int t = 0; t < 2; t++) pthread_join(threads[t], NULL);
        check_int(filch_runtime_destroy(reader.runtime), 0);
    }
}

/* ----------------------------------------------------------------------------------------------- each by itself */

static int set(void *arg) {
    atomic_store((atomic_bool *)arg, true);
    return 0;
}

/* Its worker does not get to it, since it is held; so it is stolen. */
static int be_stolen_from(void *arg) {
    atomic_bool ran = false;
    (void)arg;
    filch_stats before = stats_here();
    filch_task *task = start(set, &ran);
    while (!atomic_load(&ran)) usleep(100);
    filch_stats after = stats_here();
    check_int(after.steals, before.steals + 1);
    check(after.steal_tries > before.steal_tries);
    return result_of(task);
}

TEST(stats, a_theft_is_counted_by_the_thief) {
    check_int(filch_run(be_stolen_from, NULL, &(filch_options){.workers = 2, .no_monitor = true}), 0);
}

static int set_event(void *event) {
    filch_event_set(event);
    return 0;
}

/* What is spawned runs when this waits, and not before. */
static int park_and_yield(void *arg) {
    (void)arg;
    filch_stats before = stats_here();
    for (int i = 0; i < 10; i++) {
        filch_event event;
        filch_event_init(&event);
        filch_task *task = start(set_event, &event);
        check_int(filch_event_wait(&event, filch_after(FILCH_SEC(1000))), 0);
        check_int(result_of(task), 0);
        filch_event_fini(&event);
    }
    filch_stats after = stats_here();
    check(after.parks >= before.parks + 10);
    check_int(after.timers_set, before.timers_set + 10);
    check_int(after.yields, before.yields);
    filch_task *task = start(nothing, NULL);
    filch_yield();
    check_int(stats_here().yields, before.yields + 1);
    return result_of(task);
}

TEST(stats, waits_timers_and_yields_are_counted) {
    check_int(filch_run(park_and_yield, NULL, &(filch_options){.workers = 1, .no_monitor = true}), 0);
}

static filch_stats once_all_sleep(filch_runtime *runtime) {
    filch_stats stats;
    while (stats = stats_of(runtime), stats.workers_asleep < stats.workers) usleep(100);
    return stats;
}

TEST(stats, a_worker_that_sleeps_is_woken_from_outside) {
    for (int i = 0; i < SIZES; i++) {
        filch_runtime *runtime;
        check_int(filch_runtime_create(&runtime, &(filch_options){.workers = sizes[i], .no_monitor = true}), 0);
        for (int round = 0; round < 3; round++) {
            filch_stats before = once_all_sleep(runtime);
            check_int(before.workers_searching, 0);
            for (unsigned w = 0; w < sizes[i]; w++) check_int(worker_of(runtime, w).state, FILCH_WORKER_ASLEEP);
            filch_task *task;
            check_int(filch_runtime_spawn(runtime, &task, nothing, NULL, NULL), 0);
            check_int(result_of(task), 0);
            filch_stats after = once_all_sleep(runtime);
            check(after.wakes > before.wakes);
            while (stats_of(runtime).sleeps <= before.sleeps)
                usleep(100); /* counted just after it is seen to lie down */
            check_int(after.injected, before.injected + 1);
        }
        check_int(filch_runtime_destroy(runtime), 0);
    }
}

static int look_at_own_worker(void *arg) {
    (void)arg;
    filch_runtime *runtime = filch_runtime_current();
    check_int(worker_of(runtime, 0).state, FILCH_WORKER_AWAKE);
    check_int(worker_of(runtime, 0).thread, gettid());
    uint64_t before_ns = worker_of(runtime, 0).cpu_ns;
    while (worker_of(runtime, 0).cpu_ns < before_ns + 1000000) continue; /* the time-out is the limit */
    filch_block_begin();
    check_int(worker_of(runtime, 0).state, FILCH_WORKER_BLOCKED);
    filch_block_end();
    return 0;
}

TEST(stats, a_worker_tells_what_it_does_and_what_it_has_used) {
    check_int(filch_run(look_at_own_worker, NULL, &(filch_options){.workers = 1, .no_monitor = true}), 0);
    check_int(filch_run(look_at_own_worker, NULL, &(filch_options){.workers = 1}), 0);
}

/* ---------------------------------------------------------------------------------------------------------- queues */

static int wait_for(void *event) {
    return filch_event_wait(event, FILCH_NEVER);
}

/* The only worker runs this, so that whatever comes stays where it was put. */
static int fill_queues(void *arg) {
    filch_event event;
    filch_task *waiting[5], *spawned[3];
    (void)arg;
    filch_event_init(&event);
    for (int i = 0; i < 5; i++) waiting[i] = start(wait_for, &event);
    while (stats_here().parks < 5) filch_yield();
    check_int(stats_here().run_queue_depth, 0);
    filch_event_set(&event);
    check_int(stats_here().run_queue_depth, 5);
    check_int(worker_of(filch_runtime_current(), 0).run_queue_depth, 5);
    check(!worker_of(filch_runtime_current(), 0).deque_private);
    for (int i = 0; i < 3; i++) spawned[i] = start(nothing, NULL);
    filch_worker_stats worker = worker_of(filch_runtime_current(), 0);
    check(worker.deque_private || worker.deque_depth == 3);
    check_int(stats_here().tasks, 9);
    for (int i = 0; i < 5; i++) check_int(result_of(waiting[i]), 0);
    for (int i = 0; i < 3; i++) check_int(result_of(spawned[i]), 0);
    worker = worker_of(filch_runtime_current(), 0);
    check(!worker.deque_private && worker.deque_depth == 0 && worker.run_queue_depth == 0);
    filch_event_fini(&event);
    return 0;
}

TEST(stats, what_waits_in_a_workers_queues_is_seen) {
    check_int(filch_run(fill_queues, NULL, &(filch_options){.workers = 1, .no_monitor = true}), 0);
}

static int hold(void *arg) {
    atomic_int *step = arg;
    atomic_store(step, 1);
    while (atomic_load(step) != 2) usleep(100);
    return 0;
}

TEST(stats, what_waits_outside_is_seen) {
    filch_runtime *runtime;
    filch_task *held, *tasks[4];
    atomic_int step = 0;
    check_int(filch_runtime_create(&runtime, &(filch_options){.workers = 1, .no_monitor = true}), 0);
    check_int(filch_runtime_spawn(runtime, &held, hold, &step, NULL), 0);
    while (atomic_load(&step) != 1) usleep(100);
    for (int i = 0; i < 4; i++) check_int(filch_runtime_spawn(runtime, &tasks[i], nothing, NULL, NULL), 0);
    filch_stats stats = stats_of(runtime);
    check_int(stats.inject_depth, 4);
    check_int(stats.tasks, 5);
    atomic_store(&step, 2);
    check_int(result_of(held), 0);
    for (int i = 0; i < 4; i++) check_int(result_of(tasks[i]), 0);
    check_int(stats_of(runtime).inject_depth, 0);
    check_int(filch_runtime_destroy(runtime), 0);
}

/* ------------------------------------------------------------------------------------------------- the difference */

enum { STAYING = 10 };

struct churn {
    atomic_bool stop;
    filch_event event;
};

static int spawn_and_end(void *arg) {
    struct churn *churn = arg;
    filch_yield();
    if (atomic_load(&churn->stop)) return 0;
    return filch_spawn(NULL, spawn_and_end, churn, NULL);
}

static int stay_on(void *arg) {
    struct churn *churn = arg;
    return filch_event_wait(&churn->event, FILCH_NEVER);
}

static int churn_till_stopped(void *arg) {
    struct churn *churn = arg;
    for (int i = 0; i < STAYING - 1; i++) check_int(filch_spawn(NULL, stay_on, churn, NULL), 0);
    for (int i = 0; i < 8; i++) check_int(filch_spawn(NULL, spawn_and_end, churn, NULL), 0);
    return filch_event_wait(&churn->event, FILCH_NEVER);
}

TEST(stats, tasks_that_stay_are_never_missed_while_others_begin_and_end) {
    for (int i = 0; i < SIZES; i++) {
        struct churn churn = {.event = FILCH_EVENT_INIT};
        filch_runtime *runtime;
        filch_task *task;
        check_int(filch_runtime_create(&runtime, &(filch_options){.workers = sizes[i]}), 0);
        check_int(filch_runtime_spawn(runtime, &task, churn_till_stopped, &churn, NULL), 0);
        while (stats_of(runtime).spawned < STAYING + 8) usleep(100);
        for (int looks = 0; looks < 20000 / TEST_SCALE; looks++) check(stats_of(runtime).tasks >= STAYING);
        atomic_store(&churn.stop, true);
        filch_event_set(&churn.event);
        check_int(result_of(task), 0);
        check_int(filch_runtime_destroy(runtime), 0);
        filch_event_fini(&churn.event);
    }
}

static int sleep_long(void *arg) {
    return filch_sleep((int64_t)(intptr_t)arg);
}

static int count_timers(void *arg) {
    (void)arg;
    filch_task *tasks[4];
    for (int i = 0; i < 4; i++) tasks[i] = start(sleep_long, (void *)(intptr_t)FILCH_SEC(1000));
    while (stats_here().timers < 4) filch_yield();
    check_int(stats_here().timers, 4);
    for (int i = 0; i < 4; i++) {
        filch_task_cancel(tasks[i]);
        check_int(result_of(tasks[i]), -ECANCELED);
    }
    check_int(stats_here().timers, 0);
    return 0;
}

TEST(stats, timers_that_are_set_are_seen) {
    run_with_all(count_timers, NULL);
}

/* ---------------------------------------------------------------------------------------------------------- stacks */

static int suspend_many(void *arg) {
    enum { SUSPENDED = 300 };
    static filch_task *tasks[SUSPENDED];
    filch_event event;
    (void)arg;
    filch_event_init(&event);
    filch_stats before = stats_here();
    for (int i = 0; i < SUSPENDED; i++) tasks[i] = start(wait_for, &event);
    while (stats_here().parks < before.parks + SUSPENDED) filch_yield();
    filch_stats during = stats_here();
    check(during.stack_refills > before.stack_refills);
    check(during.stacks >= SUSPENDED);
    filch_event_set(&event);
    for (int i = 0; i < SUSPENDED; i++) check_int(result_of(tasks[i]), 0);
    filch_stats after = stats_here();
    check(after.stack_spills > before.stack_spills);
    check(worker_of(filch_runtime_current(), 0).stacks_cached > 0);
    check(after.stacks_cached > 0 && after.stacks_peak >= SUSPENDED);
    filch_event_fini(&event);
    return 0;
}

TEST(stats, a_workers_stock_of_stacks_is_filled_and_spills) {
    check_int(filch_run(suspend_many, NULL, &(filch_options){.workers = 1, .no_monitor = true}), 0);
}

/* ------------------------------------------------------------------------------------------- hogs, spares, helpers */

/* Holds its worker until it has been counted for that. */
static int hog(void *arg) {
    (void)arg;
    while (stats_here().hogs == 0) continue;
    return 0;
}

TEST(stats, a_hog_is_counted_at_its_worker_and_its_spare_is_seen) {
    filch_runtime *runtime;
    filch_task *held, *waiting;
    check_int(filch_runtime_create(&runtime, &(filch_options){.workers = 1}), 0);
    check_int(filch_runtime_spawn(runtime, &held, hog, NULL, NULL), 0);
    check_int(filch_runtime_spawn(runtime, &waiting, nothing, NULL, NULL), 0);
    check_int(result_of(held), 0);
    check_int(result_of(waiting), 0);
    check(worker_of(runtime, 0).hogs >= 1);
    while (stats_of(runtime).spares > 0) usleep(1000);
    filch_stats stats = stats_of(runtime);
    check(stats.hogs >= 1 && stats.hog_ns_max > 0);
    for (unsigned i = 0; i < stats.workers + stats.spares_made; i++) {
        filch_worker_stats worker = worker_of(runtime, i);
        check_int(worker.spare, i >= 1);
        if (worker.spare) check_int(worker.state, FILCH_WORKER_RETIRED);
    }
    check_sums(runtime);
    check_int(filch_runtime_destroy(runtime), 0);
}

struct gate {
    atomic_bool open;
    atomic_int in; /* the number of the call that is made, from 1 */
};

struct call {
    struct gate *gate;
    int number;
};

static int pass(void *arg) {
    struct call *call = arg;
    atomic_store(&call->gate->in, call->number);
    while (!atomic_load(&call->gate->open)) usleep(100);
    return 0;
}

static int make_call(void *arg) {
    return filch_blocking(pass, arg, NULL, FILCH_NEVER);
}

/* One call is made, and three wait for the only helper; of these one is cancelled. */
static int fill_pool(void *arg) {
    struct gate gate = {0};
    struct call calls[4];
    filch_task *tasks[4];
    (void)arg;
    for (int i = 0; i < 4; i++) {
        calls[i] = (struct call){&gate, i + 1};
        tasks[i] = start(make_call, &calls[i]);
    }
    while (stats_here().blocking_queued < 3 || atomic_load(&gate.in) == 0) filch_sleep(FILCH_US(100));
    filch_stats stats = stats_here();
    check_int(stats.blocking_threads, 1);
    check_int(stats.blocking_busy, 1);
    check_int(stats.blocking_queued, 3);
    check_int(stats.blocking_calls, 0);
    int victim = atomic_load(&gate.in) == 4 ? 2 : 3;
    filch_task_cancel(tasks[victim]);
    while (stats_here().blocking_queued > 2) filch_sleep(FILCH_US(100));
    atomic_store(&gate.open, true);
    for (int i = 0; i < 4; i++) check_int(result_of(tasks[i]), i == victim ? -ECANCELED : 0);
    while (stats_here().blocking_busy > 0) filch_sleep(FILCH_US(100));
    stats = stats_here();
    check_int(stats.blocking_queued, 0);
    check_int(stats.blocking_calls, 3);
    check_int(stats.look_ups + stats.look_up_threads + stats.look_up_busy + stats.look_up_queued, 0);
    return 0;
}

TEST(stats, calls_on_helpers_and_those_that_wait_for_one_are_counted) {
    for (int i = 0; i < SIZES; i++) {
        check_int(filch_run(fill_pool, NULL, &(filch_options){.workers = sizes[i], .blocking_threads = 1}), 0);
    }
}

/* ---------------------------------------------------------------------------------------------- misuse, simulation */

TEST(stats, bad_arguments_are_told) {
    filch_runtime *runtime;
    filch_worker_stats worker;
    memset(&worker, 0x5a, sizeof worker);
    check_int(filch_runtime_create(&runtime, &(filch_options){.workers = 2, .no_monitor = true}), 0);
    check_int(filch_runtime_worker_stats(NULL, 0, &worker), -EINVAL);
    check_int(filch_runtime_worker_stats(runtime, 0, NULL), -EINVAL);
    check_int(filch_runtime_worker_stats(runtime, 2, &worker), -ENOENT);
    check_int(filch_runtime_worker_stats(runtime, UINT32_MAX, &worker), -ENOENT);
    check_int(worker.index, 0x5a5a5a5a);
    check_int(filch_runtime_worker_stats(runtime, 1, &worker), 0);
    check_int(worker.index, 1);
    check_int(filch_runtime_destroy(runtime), 0);
}

static int read_simulated(void *arg) {
    check_int(spawn_mixed(NULL), 0);
    filch_stats stats = stats_here();
    check_int(stats.spawned, TASKS + 1);
    check(stats.parks >= TASKS);
    check_int(stats.cpu_ns, 0);
    check_int(stats.polls, 0);
    check_sums(filch_runtime_current());
    check_int(worker_of(filch_runtime_current(), 0).thread, 0);
    *(filch_stats *)arg = stats;
    return 0;
}

TEST(stats, in_a_simulation_they_are_the_seeds) {
    filch_stats stats[2];
    for (int i = 0; i < 2; i++) {
        filch_simulation simulation = {.seed = 7, .quiet = true};
        check_int(filch_run(read_simulated, &stats[i], &(filch_options){.workers = 4, .simulation = &simulation}), 0);
    }
    for (int i = 0; i < COUNTERS; i++) check(counter_of_all(&stats[0], i) == counter_of_all(&stats[1], i));
}
