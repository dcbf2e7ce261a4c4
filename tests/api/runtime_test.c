/* SPDX-License-Identifier: MIT */
/*
 * Proves that runtimes are made, shut down and destroyed as their header says, with tasks left over, with deadlines,
 * and many at once; that reports and counters tell what there is; and that an idle runtime uses no processor.
 */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/api/workers.h"

static int nothing(void *arg) {
    (void)arg;
    return 0;
}

static filch_runtime *make(unsigned workers) {
    filch_runtime *runtime = NULL;
    check_int(filch_runtime_create(&runtime, &(filch_options){.workers = workers}), 0);
    check(runtime != NULL);
    check_int(filch_runtime_workers(runtime), workers);
    return runtime;
}

/* --------------------------------------------------------------------------------------------------- arguments */

TEST(runtime, bad_options_are_answered_and_make_nothing) {
    static const filch_options bad[] = {
        {.workers = FILCH_WORKERS_MAX + 1}, {.workers = UINT32_MAX},  {.stack_size = 1},
        {.stack_size = (16 << 10) - 1},     {.stack_size = SIZE_MAX}, {.stack_size = ((size_t)1 << 30) + 1},
    };
    filch_runtime *const untouched = (filch_runtime *)(uintptr_t)0x40, *runtime = untouched;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        check_int(filch_runtime_create(&runtime, &bad[i]), -EINVAL);
        check_int(filch_run(nothing, NULL, &bad[i]), -EINVAL);
    }
    check_int(filch_runtime_create(NULL, NULL), -EINVAL);
    check(runtime == untouched);
    filch_stats stats;
    check_int(filch_runtime_shutdown(NULL, FILCH_NEVER), -EINVAL);
    check_int(filch_runtime_destroy(NULL), 0);
    check_int(filch_runtime_report(NULL, 1), -EINVAL);
    check_int(filch_runtime_stats(NULL, &stats), -EINVAL);
    runtime = make(1);
    check_int(filch_runtime_stats(runtime, NULL), -EINVAL);
    check_int(filch_runtime_destroy(runtime), 0);
}

TEST(runtime, defaults_make_at_least_one_worker) {
    filch_runtime *runtime;
    check_int(filch_runtime_create(&runtime, NULL), 0);
    check(filch_runtime_workers(runtime) >= 1 && filch_runtime_workers(runtime) <= FILCH_WORKERS_MAX);
    check_int(filch_runtime_destroy(runtime), 0);
    check_int(filch_run(nothing, NULL, &(filch_options){.name = "a name that is longer than a thread's may be"}), 0);
}

static int current_is(void *arg) {
    check(filch_runtime_current() == *(filch_runtime **)arg);
    return 0;
}

TEST(runtime, current_is_the_callers_own) {
    filch_runtime *a = make(2), *b = make(2);
    filch_task *tasks[2];
    check_int(filch_runtime_spawn(a, &tasks[0], current_is, &a, NULL), 0);
    check_int(filch_runtime_spawn(b, &tasks[1], current_is, &b, NULL), 0);
    for (int i = 0; i < 2; i++) check_int(filch_await(tasks[i], NULL, FILCH_NEVER), 0);
    check_int(filch_runtime_destroy(a), 0);
    check_int(filch_runtime_destroy(b), 0);
}

/* ----------------------------------------------------------------------------------------------------- shutdown */

struct held {
    atomic_bool let_go;
    atomic_uint ended;
};

static int hold(void *arg) {
    struct held *held = arg;
    while (!atomic_load(&held->let_go)) filch_sleep(FILCH_US(200));
    atomic_fetch_add(&held->ended, 1);
    return 0;
}

/* What filch_runtime_report writes. */
static int read_report(filch_runtime *runtime, char *text, size_t room) {
    FILE *file = tmpfile();
    check(file != NULL);
    int tasks = filch_runtime_report(runtime, fileno(file));
    rewind(file);
    text[fread(text, 1, room - 1, file)] = '\0';
    fclose(file);
    return tasks;
}

TEST(runtime, shutdown_gives_up_at_its_deadline_reports_who_is_left_and_may_be_called_again) {
    for (size_t i = 0; i < TEST_WORKERS; i++) {
        static char text[8192];
        filch_runtime *runtime = make(test_workers[i]);
        struct held held = {0};
        check_int(filch_runtime_spawn(runtime, NULL, hold, &held, &(filch_task_options){.name = "stubborn one"}), 0);
        check_int(filch_runtime_spawn(runtime, NULL, hold, &held, &(filch_task_options){.name = "stubborn two"}), 0);
        check_int(filch_runtime_spawn(runtime, NULL, hold, &held, NULL), 0);
        check_int(filch_runtime_shutdown(runtime, (filch_deadline){0}), -ETIMEDOUT);
        filch_deadline deadline = filch_after(FILCH_MS(3));
        check_int(filch_runtime_shutdown(runtime, deadline), -ETIMEDOUT);
        check(filch_now() >= deadline.at_ns);
        check_int(read_report(runtime, text, sizeof text), 3);
        check(strstr(text, "\"stubborn one\"") != NULL && strstr(text, "\"stubborn two\"") != NULL);
        check_int(filch_runtime_spawn(runtime, NULL, nothing, NULL, NULL), -ESHUTDOWN);
        atomic_store(&held.let_go, true);
        check_int(filch_runtime_shutdown(runtime, filch_after(FILCH_SEC(1000))), 0);
        check_int(held.ended, 3);
        check_int(read_report(runtime, text, sizeof text), 0);
        check_int(text[0], '\0');
        check_int(filch_runtime_shutdown(runtime, FILCH_NEVER), 0);
        check_int(filch_runtime_shutdown(runtime, (filch_deadline){0}), 0);
        check_int(filch_runtime_spawn(runtime, NULL, nothing, NULL, NULL), -ESHUTDOWN);
        check_int(filch_runtime_destroy(runtime), 0);
    }
}

TEST(runtime, report_tells_when_it_cannot_write) {
    filch_runtime *runtime = make(1);
    struct held held = {0};
    check_int(filch_runtime_spawn(runtime, NULL, hold, &held, NULL), 0);
    check_int(filch_runtime_report(runtime, -1), -EBADF);
    atomic_store(&held.let_go, true);
    check_int(filch_runtime_destroy(runtime), 0);
}

static void *shut_down(void *argument) {
    check_int(filch_runtime_shutdown(argument, FILCH_NEVER), 0);
    return NULL;
}

TEST(runtime, several_threads_may_shut_down_at_once) {
    for (size_t i = 0; i < TEST_WORKERS; i++) {
        filch_runtime *runtime = make(test_workers[i]);
        struct held held = {0};
        pthread_t threads[4];
        check_int(filch_runtime_spawn(runtime, NULL, hold, &held, NULL), 0);
        for (int k = 0; k < 4; k++) check_int(pthread_create(&threads[k], NULL, shut_down, runtime), 0);
        atomic_store(&held.let_go, true);
        for (int k = 0; k < 4; k++) pthread_join(threads[k], NULL);
        check_int(held.ended, 1);
        check_int(filch_runtime_destroy(runtime), 0);
    }
}

static int end_oneself(void *arg) {
    (void)arg;
    check_int(filch_runtime_shutdown(filch_runtime_current(), FILCH_NEVER), -EDEADLK);
    check_int(filch_runtime_destroy(filch_runtime_current()), -EDEADLK);
    check_int(filch_run(nothing, NULL, NULL), -EDEADLK);
    return 0;
}

TEST(runtime, a_task_cannot_end_its_own_runtime) {
    run_with_all(end_oneself, NULL);
}

static int end_another(void *arg) {
    check_int(filch_runtime_destroy(arg), 0);
    return 0;
}

TEST(runtime, a_task_may_end_another_runtime) {
    for (size_t i = 0; i < TEST_WORKERS; i++) {
        filch_runtime *runtime = make(3);
        check_int(filch_runtime_spawn(runtime, NULL, nothing, NULL, NULL), 0);
        run_with(test_workers[i], end_another, runtime);
    }
}

/* Tasks of a runtime that has been shut down may go on spawning. */
static int spawn_late(void *arg) {
    struct held *held = arg;
    while (!atomic_load(&held->let_go)) filch_sleep(FILCH_US(100));
    filch_task *task;
    check_int(filch_spawn(&task, hold, held, NULL), 0);
    check_int(filch_await(task, NULL, FILCH_NEVER), 0);
    return filch_runtime_spawn(filch_runtime_current(), NULL, hold, held, NULL);
}

TEST(runtime, after_shutdown_its_tasks_may_still_spawn_and_others_may_not) {
    filch_runtime *runtime = make(2);
    struct held held = {0};
    filch_task *task;
    int result;
    check_int(filch_runtime_spawn(runtime, &task, spawn_late, &held, NULL), 0);
    check_int(filch_runtime_shutdown(runtime, (filch_deadline){0}), -ETIMEDOUT);
    check_int(filch_runtime_spawn(runtime, NULL, nothing, NULL, NULL), -ESHUTDOWN);
    atomic_store(&held.let_go, true);
    check_int(filch_await(task, &result, FILCH_NEVER), 0);
    check_int(result, 0);
    check_int(filch_runtime_destroy(runtime), 0);
    check_int(held.ended, 2);
}

/*
 * The spawner is still in filch_runtime_spawn when its task, which has begun already, has the runtime destroyed. For
 * the sanitizers to see whether it touches the runtime afterwards.
 */
struct hasty {
    filch_runtime *runtime;
    sem_t begun;
};

static int tell(void *arg) {
    sem_post(&((struct hasty *)arg)->begun);
    return 0;
}

static void *spawn_and_go(void *argument) {
    struct hasty *hasty = argument;
    check_int(filch_runtime_spawn(hasty->runtime, NULL, tell, hasty, NULL), 0);
    return NULL;
}

TEST(runtime, may_be_destroyed_as_soon_as_the_last_task_says_so) {
    struct hasty hasty;
    sem_init(&hasty.begun, 0, 0);
    for (int i = 0; i < 300 / TEST_SCALE; i++) {
        pthread_t thread;
        hasty.runtime = make(2);
        check_int(pthread_create(&thread, NULL, spawn_and_go, &hasty), 0);
        while (sem_wait(&hasty.begun) != 0) continue;
        check_int(filch_runtime_destroy(hasty.runtime), 0);
        pthread_join(thread, NULL);
    }
}

/* Likewise, a task awaits one of another runtime, whose worker wakes it while its own runtime ends. */
static int await_other(void *arg) {
    filch_task *task;
    check_int(filch_runtime_spawn(arg, &task, nothing, NULL, NULL), 0);
    return filch_await(task, NULL, filch_after(FILCH_SEC(1000)));
}

TEST(runtime, may_be_destroyed_while_another_runtimes_worker_wakes_its_last_task) {
    filch_runtime *other = make(2);
    for (int i = 0; i < 300 / TEST_SCALE; i++) run_with(2, await_other, other);
    check_int(filch_runtime_destroy(other), 0);
}

/* -------------------------------------------------------------------------------------------------------- counters */

static int spawn_and_wait(void *arg) {
    (void)arg;
    filch_task *tasks[100];
    for (int i = 0; i < 100; i++) check_int(filch_spawn(&tasks[i], nothing, NULL, NULL), 0);
    for (int i = 0; i < 100; i++) check_int(filch_await(tasks[i], NULL, FILCH_NEVER), 0);
    filch_sleep(1000);
    filch_yield();
    return 0;
}

TEST(runtime, counters_add_up_at_the_end) {
    for (size_t i = 0; i < TEST_WORKERS; i++) {
        filch_runtime *runtime = make(test_workers[i]);
        filch_stats stats;
        for (int k = 0; k < 20; k++) check_int(filch_runtime_spawn(runtime, NULL, spawn_and_wait, NULL, NULL), 0);
        check_int(filch_runtime_shutdown(runtime, FILCH_NEVER), 0);
        check_int(filch_runtime_stats(runtime, &stats), 0);
        check_int(stats.spawned, 20 * 101);
        check_int(stats.completed, 20 * 101);
        check_int(stats.tasks, 0);
        check_int(stats.workers, test_workers[i]);
        check(stats.injected >= 20);
        check(stats.parks >= 20);
        check(stats.switches >= stats.parks);
        check(stats.steals <= stats.steal_tries + stats.injected);
        check(stats.wakes <= stats.sleeps + test_workers[i]);
        check(stats.stacks >= test_workers[i] && stats.stacks_peak >= stats.stacks);
        check(stats.stacks_cached <= stats.stacks);
        check(stats.stack_bytes >= stats.stacks * (64 << 10));
        check_int(filch_runtime_destroy(runtime), 0);
    }
}

/* Reports are made while named tasks come and go: for the sanitizers. */
struct naming {
    atomic_bool stop;
};

static int name_many(void *arg) {
    struct naming *naming = arg;
    for (int i = 0; !atomic_load(&naming->stop); i++) {
        filch_task *task;
        char name[32];
        snprintf(name, sizeof name, "named %d", i);
        check_int(filch_spawn(&task, nothing, NULL, &(filch_task_options){.name = name}), 0);
        if (i % 2 == 0) filch_yield();
        check_int(filch_await(task, NULL, FILCH_NEVER), 0);
    }
    return 0;
}

TEST(runtime, a_report_may_be_made_while_named_tasks_come_and_go) {
    filch_runtime *runtime = make(2);
    struct naming naming = {false};
    static char text[1 << 16];
    for (int i = 0; i < 3; i++) {
        check_int(filch_runtime_spawn(runtime, NULL, name_many, &naming, &(filch_task_options){.name = "namer"}), 0);
    }
    for (int i = 0; i < 300 / TEST_SCALE; i++) {
        int tasks = read_report(runtime, text, sizeof text);
        check(tasks >= 3);
        int lines = 0;
        for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n"), lines++) {
            check(strstr(line, "task 0x") == line && strstr(line, "spawned at ") != NULL);
        }
        check_int(lines, tasks);
    }
    atomic_store(&naming.stop, true);
    check_int(filch_runtime_destroy(runtime), 0);
}

/* ----------------------------------------------------------------------------------------------------------- idle */

static int64_t processor_time_ns(void) {
    struct timespec time;
    check_int(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time), 0);
    return time.tv_sec * INT64_C(1000000000) + time.tv_nsec;
}

TEST(runtime, idle_uses_no_processor) {
    filch_runtime *runtime = make(64);
    check_int(filch_runtime_spawn(runtime, NULL, spawn_and_wait, NULL, NULL), 0);
    filch_stats stats;
    uint64_t sleeps = 0, same = 0;
    while (same < 20) { /* until nobody goes to sleep any more */
        usleep(2000);
        check_int(filch_runtime_stats(runtime, &stats), 0);
        same = stats.sleeps == sleeps && stats.tasks == 0 ? same + 1 : 0;
        sleeps = stats.sleeps;
    }
    int64_t before = processor_time_ns();
    sleep(1);
    check(processor_time_ns() - before < 10000000);
    check_int(filch_runtime_destroy(runtime), 0);
}

/* ----------------------------------------------------------------------------------------------------------- many */

static int count_up(void *arg) {
    atomic_fetch_add((atomic_uint *)arg, 1);
    filch_yield();
    return 0;
}

TEST(runtime, many_live_in_one_process) {
    enum { COUNT = 40 };
    filch_runtime *runtimes[COUNT];
    atomic_uint counts[COUNT];
    for (int i = 0; i < COUNT; i++) {
        atomic_init(&counts[i], 0);
        runtimes[i] = make(1 + (unsigned)i % 4);
    }
    for (int k = 0; k < 50; k++) {
        for (int i = 0; i < COUNT; i++)
            check_int(filch_runtime_spawn(runtimes[i], NULL, count_up, &counts[i], NULL), 0);
    }
    for (int i = COUNT - 1; i >= 0; i--) check_int(filch_runtime_destroy(runtimes[i]), 0);
    for (int i = 0; i < COUNT; i++) check_int(counts[i], 50);
}

TEST(runtime, made_and_destroyed_over_and_over) {
    for (int i = 0; i < 300 / TEST_SCALE; i++) {
        filch_runtime *runtime = make(1 + (unsigned)i % 5);
        atomic_uint count = 0;
        for (int k = 0; k < i % 4; k++) check_int(filch_runtime_spawn(runtime, NULL, count_up, &count, NULL), 0);
        check_int(filch_runtime_destroy(runtime), 0);
        check_int(count, i % 4);
    }
}
