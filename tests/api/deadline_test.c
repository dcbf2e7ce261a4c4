/* SPDX-License-Identifier: MIT */
/*
 * Proves that time arithmetic saturates, that sleeps are never too short, that a deadline which passes leaves the
 * handle as it was, and that a task which ends just when its awaiter's deadline passes neither loses its result nor
 * breaks anything.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

#include "tests/api/workers.h"

TEST(deadline, after_saturates) {
    check(filch_after(INT64_MAX).at_ns == INT64_MAX);
    check(filch_after(INT64_MAX - 1).at_ns == INT64_MAX);
    check(filch_after(-1).at_ns <= filch_now());
    check(filch_after(INT64_MIN).at_ns <= filch_now());
    int64_t before = filch_now();
    filch_deadline deadline = filch_after(FILCH_SEC(3));
    check(deadline.at_ns >= before + FILCH_SEC(3) && deadline.at_ns <= filch_now() + FILCH_SEC(3));
    check(FILCH_US(5) == 5000 && FILCH_MS(5) == 5000000 && FILCH_NEVER.at_ns == INT64_MAX);
}

/* ------------------------------------------------------------------------------------------------------- sleep */

static int sleeps_are_long_enough(void *arg) {
    (void)arg;
    static const int64_t durations[] = {1, 1000, 50000, 300000, 2000000};
    for (int i = 0; i < 15; i++) {
        int64_t duration = durations[i % 5], before = filch_now();
        check_int(filch_sleep(duration), 0);
        check(filch_now() >= before + duration);
        filch_deadline deadline = filch_after(duration);
        check_int(filch_sleep_until(deadline), 0);
        check(filch_now() >= deadline.at_ns);
    }
    check_int(filch_sleep(0), 0);
    check_int(filch_sleep(-5), 0);
    check_int(filch_sleep(INT64_MIN), 0);
    check_int(filch_sleep_until((filch_deadline){0}), 0);
    check_int(filch_sleep_until((filch_deadline){-1}), 0);
    return 0;
}

TEST(deadline, sleeps_are_never_too_short) {
    run_with_all(sleeps_are_long_enough, NULL);
    check_int(sleeps_are_long_enough(NULL), 0); /* and on a thread that is no worker */
}

/* Sleepers wake in the order of their deadlines where one worker runs them. */
struct sleeper {
    filch_deadline deadline;
    atomic_uint *turn;
    unsigned woken;
};

static int sleep_and_count(void *arg) {
    struct sleeper *sleeper = arg;
    filch_sleep_until(sleeper->deadline);
    sleeper->woken = atomic_fetch_add(sleeper->turn, 1);
    return 0;
}

static int many_sleepers(void *arg) {
    enum { COUNT = 200 };
    (void)arg;
    struct sleeper sleepers[COUNT];
    filch_task *tasks[COUNT];
    atomic_uint turn = 0;
    int64_t base = filch_now() + FILCH_MS(5);
    for (unsigned i = 0; i < COUNT; i++) {
        unsigned place = i * 73 % COUNT; /* each of 0 to COUNT - 1 once */
        sleepers[i] = (struct sleeper){{base + FILCH_US(20) * place}, &turn, 0};
        check_int(filch_spawn(&tasks[i], sleep_and_count, &sleepers[i], NULL), 0);
    }
    for (unsigned i = 0; i < COUNT; i++) check_int(filch_await(tasks[i], NULL, FILCH_NEVER), 0);
    check_int(turn, COUNT);
    return 0;
}

TEST(deadline, many_sleepers_all_wake) {
    run_with_all(many_sleepers, NULL);
}

/* ------------------------------------------------------------------------------------------- await with a deadline */

static int wait_for_flag(void *arg) {
    while (!atomic_load((atomic_bool *)arg)) filch_sleep(FILCH_US(100));
    return 42;
}

static int timeout_keeps_handle(void *arg) {
    (void)arg;
    atomic_bool flag = false;
    filch_task *task;
    int result = 4711;
    check_int(filch_spawn(&task, wait_for_flag, &flag, &(filch_task_options){.name = "kept"}), 0);
    for (int i = 0; i < 20; i++) {
        filch_deadline deadline = i % 4 == 0 ? (filch_deadline){0} : filch_after(FILCH_US(40 * i));
        check_int(filch_await(task, &result, deadline), -ETIMEDOUT);
        check(filch_now() >= deadline.at_ns);
        check_int(result, 4711);
        check(filch_task_name(task)[0] == 'k');
        check(!filch_task_done(task));
    }
    atomic_store(&flag, true);
    check_int(filch_await(task, &result, filch_after(FILCH_SEC(1000))), 0);
    check_int(result, 42);
    return 0;
}

TEST(deadline, a_timeout_keeps_the_handle_and_writes_nothing) {
    run_with_all(timeout_keeps_handle, NULL);
}

/* A task that is not to be run in place: the awaiter has a deadline, and must come back at it. */
static int busy_until_flag(void *arg) {
    while (!atomic_load((atomic_bool *)arg)) continue;
    return 0;
}

static int deadline_of_unstarted(void *arg) {
    (void)arg;
    atomic_bool flag = false;
    filch_task *task;
    check_int(filch_spawn(&task, busy_until_flag, &flag, NULL), 0);
    /* It has passed, so that nobody needs to wait: were the task called in place, this would never return. */
    check_int(filch_await(task, NULL, (filch_deadline){1}), -ETIMEDOUT);
    atomic_store(&flag, true);
    check_int(filch_await(task, NULL, FILCH_NEVER), 0);
    return 0;
}

TEST(deadline, an_await_with_a_deadline_does_not_call_the_task_in_place) {
    run_with_all(deadline_of_unstarted, NULL);
}

/* -------------------------------------------------------------------------------------------------------- races */

struct ends_at {
    filch_deadline deadline;
    bool sleeps;
    int result;
};

static int end_at(void *arg) {
    struct ends_at *ends = arg;
    if (ends->sleeps) {
        filch_sleep_until(ends->deadline);
    } else {
        while (filch_now() < ends->deadline.at_ns) filch_yield();
    }
    return ends->result;
}

struct outcomes {
    unsigned in_time, late;
};

/* One task that ends at about the time that its awaiter's deadline passes, awaited until it has ended. */
static void race_once(filch_runtime *runtime, int round, struct outcomes *outcomes) {
    filch_deadline meeting = filch_after(FILCH_US(5 + round % 20));
    struct ends_at ends = {{meeting.at_ns + round % 7 * 300}, round % 2 == 0, round};
    filch_task *task;
    int result = -1;
    check_int(filch_runtime_spawn(runtime, &task, end_at, &ends, NULL), 0);
    int answer = filch_await(task, &result, meeting);
    if (answer == -ETIMEDOUT) {
        check_int(result, -1);
        answer = filch_await(task, &result, round % 3 == 0 ? FILCH_NEVER : filch_after(FILCH_SEC(1000)));
        outcomes->late++;
    } else {
        outcomes->in_time++;
    }
    check_int(answer, 0);
    check_int(result, round);
}

enum { RACES = 2500 / TEST_SCALE }; /* with four awaiters at once: 10,000 */

static int race_in_task(void *arg) {
    for (int round = 0; round < RACES; round++) race_once(filch_runtime_current(), round, arg);
    return 0;
}

static int race_in_tasks(void *arg) {
    (void)arg;
    filch_task *tasks[4];
    struct outcomes outcomes[4] = {{0}};
    for (int i = 0; i < 4; i++) check_int(filch_spawn(&tasks[i], race_in_task, &outcomes[i], NULL), 0);
    unsigned all = 0;
    for (int i = 0; i < 4; i++) {
        check_int(filch_await(tasks[i], NULL, FILCH_NEVER), 0);
        all += outcomes[i].in_time + outcomes[i].late;
    }
    check_int(all, 4 * RACES);
    return 0;
}

TEST(deadline, a_task_that_ends_at_the_deadline_loses_nothing) {
    run_with(1, race_in_tasks, NULL);
    run_with(2, race_in_tasks, NULL);
    run_with(8, race_in_tasks, NULL);
}

static void *race_in_thread(void *argument) {
    struct outcomes outcomes = {0};
    for (int round = 0; round < RACES; round++) race_once(argument, round, &outcomes);
    return NULL;
}

TEST(deadline, nor_where_threads_that_are_no_workers_await_it) {
    filch_runtime *runtime;
    pthread_t threads[4];
    check_int(filch_runtime_create(&runtime, &(filch_options){.workers = 2}), 0);
    for (int i = 0; i < 4; i++) check_int(pthread_create(&threads[i], NULL, race_in_thread, runtime), 0);
    for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
    check_int(filch_runtime_destroy(runtime), 0);
}

/* ------------------------------------------------------------------------------------------- waits that are over at once */

static int wait_for_event(void *arg) {
    return filch_event_wait(arg, FILCH_NEVER);
}

static int set_flag(void *arg) {
    atomic_store((atomic_bool *)arg, true);
    return 0;
}

/* By each kind of wait, until another task of the only worker has had its turn; for ever, if it never has. */
static int wait_in_vain(void *arg) {
    (void)arg;
    filch_event event = FILCH_EVENT_INIT;
    filch_task *never;
    check_int(filch_spawn(&never, wait_for_event, &event, NULL), 0);
    for (int kind = 0; kind < 3; kind++) {
        atomic_bool flag = false;
        check_int(filch_spawn(NULL, set_flag, &flag, NULL), 0);
        while (!atomic_load(&flag)) {
            if (kind == 0) check_int(filch_sleep(1), 0);
            if (kind == 1) check_int(filch_event_wait(&event, (filch_deadline){0}), -ETIMEDOUT);
            if (kind == 2) check_int(filch_await(never, NULL, (filch_deadline){0}), -ETIMEDOUT);
        }
    }
    filch_event_set(&event);
    return filch_await(never, NULL, FILCH_NEVER);
}

TEST(deadline, a_loop_of_waits_that_are_over_at_once_lets_others_run) {
    check_int(filch_run(wait_in_vain, NULL, &(filch_options){.workers = 1, .no_monitor = true}), 0);
}
