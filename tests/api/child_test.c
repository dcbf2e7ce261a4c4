/* SPDX-License-Identifier: MIT */
/* Proves what the child of fork(2) is told: calls on its parent's runtime are refused, nothing hangs, its own runs. */
#include <errno.h>
#include <fcntl.h>
#include <filch/filch.h>
#include <pthread.h>
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

/* ------------------------------------------------------------------------------------------- a fork during a dump */

/* Does not come to its end before the pipe is read. */
static void *dump_into_pipe(void *arg) {
    check(filch_dump(*(int *)arg, NULL, &(filch_dump_options){.no_running = true}) >= 0);
    return NULL;
}

static void fill_pipe(int end) {
    static const char bytes[4096];
    check_int(fcntl(end, F_SETFL, O_NONBLOCK), 0);
    while (write(end, bytes, sizeof bytes) > 0) continue;
    check_int(fcntl(end, F_SETFL, 0), 0);
}

/* Whether a thread of this process sleeps in write(2) to a pipe. */
static bool somebody_writes(pthread_t thread) {
    clockid_t clock;
    struct timespec before, after;
    check_int(pthread_getcpuclockid(thread, &clock), 0);
    check_int(clock_gettime(clock, &before), 0);
    usleep(20000);
    check_int(clock_gettime(clock, &after), 0);
    return before.tv_nsec == after.tv_nsec && (after.tv_sec > 0 || after.tv_nsec > 0);
}

TEST(child, of_a_fork_during_a_dump_can_end_its_own_runtime) {
    filch_runtime *runtimes[16]; /* enough that the dump of all does not fit into the buffer before the pipe */
    int ends[2];
    pthread_t thread;
    for (int i = 0; i < 16; i++) check_int(filch_runtime_create(&runtimes[i], &(filch_options){.workers = 8}), 0);
    check_int(pipe(ends), 0);
    fill_pipe(ends[1]);
    check_int(pthread_create(&thread, NULL, dump_into_pipe, &ends[1]), 0);
    while (!somebody_writes(thread)) continue;
    pid_t child = fork();
    if (child == 0) {
        alarm(30); /* else it would look at the dumps that are under way for ever */
        must(run_in_child(1));
        _exit(0);
    }
    check_int(wait_status(child), 0);
    char room[4096];
    check_int(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
    while (pthread_tryjoin_np(thread, NULL) != 0) (void)!read(ends[0], room, sizeof room);
    for (int i = 0; i < 16; i++) check_int(filch_runtime_destroy(runtimes[i]), 0);
    close(ends[0]);
    close(ends[1]);
}
