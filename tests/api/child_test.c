/* SPDX-License-Identifier: MIT */
/* Proves what the child of fork(2) is told: calls on its parent's runtime are refused, nothing hangs, its own runs. */
#include <errno.h>
#include <filch/filch.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "context/context.h"
#include "sched/runtime.h"
#include "tests/test.h"

static int nothing(void *arg) {
    (void)arg;
    return 7;
}

/*
 * ThreadSanitizer allows no threads in the child of a process with several, and AddressSanitizer (of gcc 12) no memory: its
 * allocator's locks stay as another thread held them.
 */
static bool run_in_child(unsigned workers) {
#if defined(FILCH_TSAN) || defined(FILCH_ASAN)
    (void)workers, (void)nothing;
    return true;
#else
    return filch_run(nothing, NULL, &(filch_options){.workers = workers}) == 7;
#endif
}

static int wait_status(pid_t child) {
    int status = -1;
    check(waitpid(child, &status, 0) == child);
    return status;
}

/* The child's verdict is its exit status: the number of the first line that does not hold. */
#define must(condition)                                                                                                \
    do {                                                                                                               \
        if (!(condition)) _exit(__LINE__ % 200 + 1);                                                                   \
    } while (0)

static int sleeper(void *arg) {
    return filch_event_wait(arg, filch_after(FILCH_SEC(1000)));
}

static int see(const filch_task_info *info, void *arg) {
    (void)info, (void)arg;
    return 1;
}

static int is_waiting(const filch_task_info *info, void *arg) {
    (void)arg;
    return info->state == FILCH_TASK_WAITING;
}

TEST(child, calls_on_the_parents_runtime_are_refused_and_its_own_works) {
    filch_runtime *runtime;
    filch_task *task;
    check_int(filch_runtime_create(&runtime, &(filch_options){.workers = 2}), 0);
    filch_event the_event = FILCH_EVENT_INIT, *event = &the_event;
    check_int(filch_runtime_spawn(runtime, &task, sleeper, event, NULL), 0);
    while (filch_task_each(runtime, is_waiting, NULL) == 0) filch_yield();
    pid_t child = fork();
    if (child == 0) {
        filch_task *other;
        must(filch_runtime_spawn(runtime, &other, nothing, NULL, NULL) == -ESHUTDOWN);
        must(filch_runtime_shutdown(runtime, FILCH_NEVER) == -ESHUTDOWN);
        must(filch_runtime_destroy(runtime) == -ESHUTDOWN);
        must(filch_await(task, NULL, FILCH_NEVER) == -ESHUTDOWN);
        filch_scope scope;
        must(filch_scope_open(&scope, &(filch_scope_options){.runtime = runtime}) == -ESHUTDOWN);
        filch_stats stats;
        must(filch_runtime_stats(runtime, &stats) == -ESHUTDOWN);
        filch_worker_stats worker;
        must(filch_runtime_worker_stats(runtime, 0, &worker) == -ESHUTDOWN);
        must(filch_metrics_text(runtime, NULL, 0) == -ESHUTDOWN);
        must(filch_metrics_write(runtime, STDERR_FILENO) == -ESHUTDOWN);
        must(filch_task_each(runtime, see, NULL) == -ESHUTDOWN);
        must(filch_runtime_report(runtime, STDERR_FILENO) == -ESHUTDOWN);
        uint64_t pushed = load_relaxed(&runtime->inject.pushed); /* what is woken from outside comes there */
        filch_runtime_cancel(runtime);
        filch_task_cancel(task);
        filch_task_detach(task);
        filch_event_set(event); /* that a task of the parent's waits for */
        must(load_relaxed(&runtime->inject.pushed) == pushed);
        must(!load_relaxed(&runtime->cancelled));
        must(run_in_child(2));
        _exit(0);
    }
    check_int(wait_status(child), 0);
    filch_task_cancel(task);
    int result = 0;
    check_int(filch_await(task, &result, FILCH_NEVER), 0);
    check_int(result, -ECANCELED);
    check_int(filch_runtime_destroy(runtime), 0);
}

static int fork_in_task(void *arg) {
    pid_t child = fork();
    if (child == 0) {
        must(filch_self() == NULL);
        must(filch_runtime_current() == NULL);
        must(filch_spawn(NULL, nothing, NULL, NULL) == -EPERM);
        filch_yield();
        must(run_in_child(0));
        _exit(0);
    }
    *(int *)arg = wait_status(child);
    return 0;
}

TEST(child, of_a_task_is_no_task) {
    int status = -1;
    check_int(filch_run(fork_in_task, &status, &(filch_options){.workers = 2}), 0);
    check_int(status, 0);
}

static int return_in_child(void *arg) {
    pid_t child = fork();
    if (child == 0) return 0; /* into a loop that has no worker */
    *(int *)arg = wait_status(child);
    return 0;
}

TEST(child, whose_task_returns_aborts) {
    int status = -1;
    check_int(filch_run(return_in_child, &status, &(filch_options){.workers = 1}), 0);
    check(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static int sleep_in_child(void *arg) {
    pid_t child = fork();
    if (child == 0) {
        must(filch_sleep(FILCH_MS(1)) == 0);
        (void)!filch_sleep_until(FILCH_NEVER);
        _exit(0);
    }
    *(int *)arg = wait_status(child);
    return 0;
}

TEST(child, that_waits_for_ever_without_a_runtime_aborts) {
    int status = -1;
    check_int(filch_run(sleep_in_child, &status, &(filch_options){.workers = 1}), 0);
    check(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}
