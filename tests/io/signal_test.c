/* SPDX-License-Identifier: MIT */
/*
 * Signals: every handle gets every one of its own, none is lost or told twice, what was there before is back afterwards; and
 * Ctrl-C ends a run, at once where somebody insists.
 */
#include <filch/signal.h>

#include "tests/io/files.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "alloc/alloc.h"
#include "base/put_off.h"
#include "base/signals.h"

static filch_signals *open_signals(int number) {
    filch_signals *signals;
    check_int(filch_signal_open(&signals, &number, 1, NULL), 0);
    return signals;
}

static void run_with_both(filch_fn *fn, void *arg) {
    check(filch__signals_event() >= 0); /* it stays */
    for (unsigned workers = 1; workers <= 4; workers += 3) {
        int before = open_descriptors();
        run_with(workers, fn, arg);
        check_int(open_descriptors(), before);
    }
}

/* ------------------------------------------------------------------------------------------------------------- handles */

static int each_gets_all(void *arg) {
    (void)arg;
    filch_signals *both, *one = open_signals(SIGUSR1);
    filch_signal_info info;
    check_int(filch_signal_open(&both, (int[]){SIGUSR1, SIGUSR2}, 2, NULL), 0);
    check_int(filch_signal_wait(one, &info, (filch_deadline){0}), -ETIMEDOUT);
    raise(SIGUSR1);
    raise(SIGUSR1);
    raise(SIGUSR2);
    check_int(filch_signal_wait(one, &info, FILCH_NEVER), 0);
    check_int(info.number, SIGUSR1);
    check_int(info.count, 2);
    check_int(info.sender, getpid());
    check_int(filch_signal_wait(one, &info, (filch_deadline){0}), -ETIMEDOUT);
    int seen[2] = {0};
    for (int i = 0; i < 2; i++) {
        check_int(filch_signal_wait(both, &info, FILCH_NEVER), 0);
        seen[info.number == SIGUSR2] += (int)info.count;
    }
    check(seen[0] == 2 && seen[1] == 1);
    check_int(filch_signal_wait(both, &info, filch_after(FILCH_MS(2))), -ETIMEDOUT);
    filch_signals *late = open_signals(SIGUSR1); /* what has come before is not for it */
    check_int(filch_signal_wait(late, &info, (filch_deadline){0}), -ETIMEDOUT);
    filch_signal_close(one);
    raise(SIGUSR1);
    check_int(filch_signal_wait(late, &info, FILCH_NEVER), 0);
    check_int(filch_signal_wait(both, &info, FILCH_NEVER), 0);
    filch_signal_close(both);
    filch_signal_close(late);
    filch_signal_close(NULL);
    return 0;
}

TEST(signal, every_handle_gets_every_signal_of_its_own) {
    run_with_both(each_gets_all, NULL);
}

static int wait_for_one(void *arg) {
    filch_signal_info info = {0};
    int error = filch_signal_wait(arg, &info, FILCH_NEVER);
    return error != 0 ? error : (int)info.count;
}

static void *wait_in_thread(void *arg) {
    check_int(wait_for_one(arg), 1);
    return NULL;
}

static int wake_many(void *arg) {
    (void)arg;
    enum { WAITERS = 10 };
    filch_signals *handles[WAITERS + 1], *shared = open_signals(SIGUSR1);
    filch_task *tasks[WAITERS], *sharing[2];
    pthread_t thread;
    for (int i = 0; i <= WAITERS; i++) handles[i] = open_signals(SIGUSR1);
    for (int i = 0; i < WAITERS; i++) tasks[i] = start(wait_for_one, handles[i]);
    for (int i = 0; i < 2; i++) sharing[i] = start(wait_for_one, shared);
    check_int(pthread_create(&thread, NULL, wait_in_thread, handles[WAITERS]), 0);
    filch_sleep(FILCH_MS(20)); /* most of them wait by now */
    kill(getpid(), SIGUSR1);
    for (int i = 0; i < WAITERS; i++) check_int(result_of(tasks[i]), 1);
    filch_block_begin();
    pthread_join(thread, NULL);
    filch_block_end();
    size_t first;
    check_int(filch_await_n(sharing, 2, 1, &first, FILCH_NEVER), 1); /* of two at one handle, one */
    filch_sleep(FILCH_MS(5));
    kill(getpid(), SIGUSR1);
    for (int i = 0; i < 2; i++) check_int(result_of(sharing[i]), 1);
    for (int i = 0; i <= WAITERS; i++) filch_signal_close(handles[i]);
    filch_signal_close(shared);
    return 0;
}

TEST(signal, all_who_wait_are_told_tasks_and_threads) {
    run_with_both(wake_many, NULL);
}

/* One after the other from one thread: each runs the handler, none is merged. */
enum { RAISED = 20000, COUNTERS = 6 };
static atomic_bool raised_all;

static int count_them(void *arg) {
    filch_signals *signals = arg;
    filch_signal_info info;
    int count = 0, error;
    bool all;
    do { /* what is there is taken even when time is up: nothing can be left after a wait that began when all had come */
        all = atomic_load(&raised_all);
        error = filch_signal_wait(signals, &info, filch_after(FILCH_US(200)));
        if (error == 0) count += (int)info.count;
    } while (error == 0 || !all);
    check_int(error, -ETIMEDOUT);
    return count;
}

static void *raise_many(void *arg) {
    int count = *(int *)arg;
    for (int i = 0; i < count; i++) raise(SIGUSR1);
    return NULL;
}

static int count_all(void *arg) {
    (void)arg;
    int raised = RAISED / TEST_SCALE, sum = 0;
    filch_signals *handles[COUNTERS], *shared = open_signals(SIGUSR1);
    filch_task *tasks[COUNTERS], *sharing[COUNTERS];
    pthread_t thread;
    atomic_store(&raised_all, false);
    for (int i = 0; i < COUNTERS; i++) {
        handles[i] = open_signals(SIGUSR1);
        tasks[i] = start(count_them, handles[i]);
        sharing[i] = start(count_them, shared);
    }
    check_int(pthread_create(&thread, NULL, raise_many, &raised), 0);
    filch_block_begin();
    pthread_join(thread, NULL);
    filch_block_end();
    atomic_store(&raised_all, true);
    for (int i = 0; i < COUNTERS; i++) {
        check_int(result_of(tasks[i]), raised);
        sum += result_of(sharing[i]);
        filch_signal_close(handles[i]);
    }
    check_int(sum, raised);
    filch_signal_close(shared);
    return 0;
}

TEST(signal, in_a_storm_none_is_lost_or_told_twice) {
    run_with_both(count_all, NULL);
}

static int told_by_process(void *arg) {
    (void)arg;
    char script[64];
    filch_signal_info info;
    filch_signals *signals = open_signals(SIGUSR2);
    snprintf(script, sizeof script, "kill -USR2 %d; exec sleep 1000", (int)getpid());
    filch_process *process;
    check_int(filch_process_start(&process, (const char *const[]){"sh", "-c", script, NULL}, NULL, FILCH_NEVER), 0);
    check_int(filch_signal_wait(signals, &info, FILCH_NEVER), 0);
    check_int(info.sender, filch_process_pid(process));
    filch_process_destroy(process);
    filch_signal_close(signals);
    return 0;
}

TEST(signal, the_process_that_sent_it_is_told) {
    run_with_both(told_by_process, NULL);
}

static int in_two_runtimes(void *arg) {
    atomic_int *ready = arg;
    filch_signals *signals = open_signals(SIGUSR1);
    atomic_fetch_add(ready, 1);
    int count = wait_for_one(signals);
    filch_signal_close(signals);
    return count;
}

TEST(signal, several_runtimes_get_it) {
    filch_runtime *runtimes[3];
    filch_task *tasks[3];
    atomic_int ready = 0;
    for (int i = 0; i < 3; i++) {
        check_int(filch_runtime_create(&runtimes[i], &(filch_options){.workers = 2}), 0);
        check_int(filch_runtime_spawn(runtimes[i], &tasks[i], in_two_runtimes, &ready, NULL), 0);
    }
    while (atomic_load(&ready) != 3) usleep(1000);
    kill(getpid(), SIGUSR1);
    for (int i = 0; i < 3; i++) {
        check_int(result_of(tasks[i]), 1);
        check_int(filch_runtime_destroy(runtimes[i]), 0);
    }
}

/* --------------------------------------------------------------------------------------------------- cut short, misuse */

static int cut_short(void *arg) {
    (void)arg;
    filch_signal_info info = {.number = 77};
    filch_scope scope;
    filch_signals *signals = open_signals(SIGUSR1);
    filch_deadline deadline = filch_after(FILCH_MS(2));
    check_int(filch_signal_wait(signals, &info, deadline), -ETIMEDOUT);
    check(filch_now() >= deadline.at_ns);
    filch_task *waits = start(wait_for_one, signals);
    filch_sleep(FILCH_MS(2));
    filch_task_cancel(waits);
    check_int(result_of(waits), -ECANCELED);
    raise(SIGUSR1);
    check_int(filch_scope_open(&scope, NULL), 0);
    filch_scope_cancel(&scope);
    check_int(filch_signal_wait(signals, &info, FILCH_NEVER), -ECANCELED);
    filch_scope_close(&scope);
    check_int(info.number, 77);
    check_int(filch_signal_wait(signals, &info, FILCH_NEVER), 0); /* it was not lost */
    filch_signal_close(signals);
    return 0;
}

TEST(signal, a_deadline_or_a_cancellation_ends_the_wait_and_loses_nothing) {
    run_with_both(cut_short, NULL);
}

static int misuse(void *arg) {
    (void)arg;
    static const int refused[] = {0,      -1,     NSIG,   1000,    SIGKILL, SIGSTOP, SIGSEGV,
                                  SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS,  SIGABRT, SIGURG};
    filch_signals *signals = NULL;
    filch_signal_info info;
    int usr1 = SIGUSR1;
    struct sigaction before, after;
    sigaction(SIGUSR1, NULL, &before);
    check_int(filch_signal_open(NULL, &usr1, 1, NULL), -EINVAL);
    check_int(filch_signal_open(&signals, NULL, 1, NULL), -EINVAL);
    check_int(filch_signal_open(&signals, &usr1, 0, NULL), -EINVAL);
    check_int(filch_signal_open(&signals, &usr1, FILCH_SIGNALS_MAX + 1, NULL), -EINVAL);
    check_int(filch_signal_open(&signals, (int[]){SIGUSR1, SIGUSR2, SIGUSR1}, 3, NULL), -EINVAL);
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        check_int(filch_signal_open(&signals, (int[]){SIGUSR1, refused[i]}, 2, NULL), -EINVAL);
    }
    check(signals == NULL);
    sigaction(SIGUSR1, NULL, &after);
    check(before.sa_handler == after.sa_handler);
    check_int(filch_signal_wait(NULL, &info, FILCH_NEVER), -EINVAL);
    signals = open_signals(SIGUSR1);
    check_int(filch_signal_wait(signals, NULL, FILCH_NEVER), -EINVAL);
    filch_signal_close(signals);
    return 0;
}

TEST(signal, bad_arguments_are_refused) {
    run_with_both(misuse, NULL);
    filch_signals *signals;
    check_int(filch_signal_open(&signals, (int[]){SIGUSR1}, 1, NULL), -EPERM); /* no task */
}

static int close_while_waited_for(void *arg) {
    (void)arg;
    filch_signals *signals = open_signals(SIGUSR1);
    filch_task *waits = start(wait_for_one, signals);
    filch_task_detach(waits);
    for (;;) {
        filch_sleep(FILCH_MS(1));
        filch_fd fd = *(filch_fd *)(void *)signals; /* its first field */
        int number = filch_fd_release(fd);
        if (number == -EBUSY) break;
        check(number < 0);
    }
    filch_signal_close(signals);
    return 0;
}

/* Handles of descriptors lead to records, which are used again: who has one that was closed long ago waits at nothing. */
struct knocking {
    filch_fd closed;
    atomic_bool over;
};

static void *knock(void *arg) {
    struct knocking *knocking = arg;
    while (!atomic_load(&knocking->over)) check_int(filch_fd_number(knocking->closed), -EBADF);
    return NULL;
}

static int close_while_others_knock(void *arg) {
    (void)arg;
    int number = eventfd(0, EFD_CLOEXEC);
    struct knocking knocking = {0};
    pthread_t thread;
    check_int(filch_fd_adopt(&knocking.closed, number, NULL), 0);
    check_int(filch_fd_close(knocking.closed), 0);
    check_int(pthread_create(&thread, NULL, knock, &knocking), 0);
    for (int i = 0; i < 4000 / TEST_SCALE; i++) {
        filch_signals *signals = open_signals(SIGUSR1);
        filch_signal_close(signals);
    }
    atomic_store(&knocking.over, true);
    check_int(pthread_join(thread, NULL), 0);
    return 0;
}

TEST(signal, a_handle_is_closed_whoever_has_an_old_one_of_its_descriptor) {
    run_with_both(close_while_others_knock, NULL);
}

TEST_DIES(signal, closing_a_handle_that_is_waited_for_aborts, "are waited for") {
    run_with(1, close_while_waited_for, NULL);
}

/* -------------------------------------------------------------------------------------------------------- what was there */

static atomic_int handled;

static void handler(int number) {
    (void)number;
    atomic_fetch_add(&handled, 1);
}

static int replace_handler(void *arg) {
    (void)arg;
    struct sigaction now;
    filch_signal_info info;
    filch_signals *one = open_signals(SIGUSR1), *two = open_signals(SIGUSR1), *ignored = open_signals(SIGUSR2);
    raise(SIGUSR1);
    check_int(handled, 0);
    check_int(filch_signal_wait(one, &info, FILCH_NEVER), 0);
    filch_signal_close(one);
    raise(SIGUSR1);
    check_int(handled, 0);
    filch_signal_close(two);
    raise(SIGUSR1);
    check_int(handled, 1);
    atomic_store(&handled, 0);
    filch_signal_close(ignored);
    sigaction(SIGUSR2, NULL, &now);
    check(now.sa_handler == SIG_IGN);
    one = open_signals(SIGUSR2);
    signal(SIGUSR2, handler); /* the program takes it over: that is not undone */
    filch_signal_close(one);
    raise(SIGUSR2);
    check_int(handled, 1);
    atomic_store(&handled, 0);
    signal(SIGUSR2, SIG_IGN);
    return 0;
}

TEST(signal, what_was_there_before_is_back_after_the_last_handle) {
    signal(SIGUSR1, handler);
    signal(SIGUSR2, SIG_IGN);
    run_with_both(replace_handler, NULL);
}

static int leave_open(void *arg) {
    (void)arg;
    filch_signals *kept[3];
    for (int i = 0; i < 3; i++) kept[i] = open_signals(i == 0 ? SIGUSR1 : SIGUSR2);
    filch_signal_close(kept[1]);
    return 0;
}

TEST(signal, what_was_there_before_is_back_when_the_runtime_of_a_handle_ends) {
    struct sigaction now;
    signal(SIGUSR1, handler);
    signal(SIGUSR2, SIG_IGN);
    size_t objects = filch__heap_objects();
    for (int i = 0; i < 3; i++) {
        run_with_both(leave_open, NULL);
        raise(SIGUSR1);
        check_int(handled, i + 1);
        sigaction(SIGUSR2, NULL, &now);
        check(now.sa_handler == SIG_IGN);
    }
    check_int(filch__heap_objects(), objects);
}

static void *read_in_thread(void *arg) {
    char byte;
    check_int(read(*(int *)arg, &byte, 1), 1); /* never -1, EINTR */
    return NULL;
}

static int interrupt_reads(void *arg) {
    (void)arg;
    int numbers[2];
    filch_signal_info info;
    filch_signals *signals = open_signals(SIGUSR1);
    pthread_t thread;
    check_int(pipe(numbers), 0);
    check_int(pthread_create(&thread, NULL, read_in_thread, &numbers[0]), 0);
    for (int i = 0; i < 50; i++) {
        check_int(pthread_kill(thread, SIGUSR1), 0);
        check_int(filch_signal_wait(signals, &info, FILCH_NEVER), 0);
        filch_sleep(FILCH_US(100));
    }
    check_int(write(numbers[1], "x", 1), 1);
    filch_block_begin();
    pthread_join(thread, NULL);
    filch_block_end();
    close(numbers[0]);
    close(numbers[1]);
    filch_signal_close(signals);
    return 0;
}

TEST(signal, system_calls_of_other_threads_go_on) {
    if (HANDLERS_ARE_PUT_OFF) return; /* there, they do not */
    run_with_both(interrupt_reads, NULL);
}

static int open_and_close(void *arg) {
    (void)arg;
    for (int i = 0; i < 100 / (TEST_SCALE == 1 ? 1 : 3); i++) {
        filch_signals *signals = open_signals(SIGUSR1);
        filch_signal_info info;
        kill(getpid(), SIGUSR1);
        check_int(filch_signal_wait(signals, &info, FILCH_NEVER), 0);
        check(info.number == SIGUSR1 && info.count >= 1);
        filch_signal_close(signals);
    }
    return 0;
}

static int come_and_go(void *arg) {
    (void)arg;
    filch_task *tasks[10];
    filch_signals *keeps = open_signals(SIGUSR1); /* else one that is on its way would be the end of all */
    for (int i = 0; i < 10; i++) tasks[i] = start(open_and_close, NULL);
    for (int i = 0; i < 10; i++) check_int(result_of(tasks[i]), 0);
    filch_signal_close(keeps);
    return 0;
}

TEST(signal, handles_come_and_go_while_signals_arrive) {
    signal(SIGUSR1, SIG_IGN); /* one may be left when the last handle is closed */
    run_with_both(come_and_go, NULL);
}

static int open_in_want(void *arg) {
    (void)arg;
    filch_signals *signals;
    filch_signal_info info;
    int error = filch_signal_open(&signals, (int[]){SIGUSR1}, 1, NULL);
    check(error == 0 || error == -ENOMEM);
    if (error != 0) return 17;
    raise(SIGUSR1);
    check_int(filch_signal_wait(signals, &info, FILCH_NEVER), 0);
    filch_signal_close(signals);
    return 17;
}

TEST(signal, any_request_for_memory_may_fail) {
    check(filch__signals_event() >= 0);
    int before = open_descriptors();
    for (uint64_t nth = 1, past = 0; past < 5; nth++) {
        size_t objects = filch__heap_objects();
        filch__alloc_fail(nth, false);
        int answer = filch_run(open_in_want, NULL, &(filch_options){.workers = 2, .interrupt = true});
        bool failed = filch__alloc_requests() >= nth;
        filch__alloc_fail(0, false);
        check(answer == 17 || (answer == -ENOMEM && failed));
        check_int(filch__heap_objects(), objects);
        check_int(open_descriptors(), before);
        if (!failed) past++;
    }
}

/* -------------------------------------------------------------------------------------------------------------- Ctrl-C */

static int ready_to; /* where a child says that it runs */

static void say_ready(void) {
    check_int(write(ready_to, "r", 1), 1);
}

/* Runs `fn` in a child, with its standard input as it is; sends it `signals` SIGINTs, each when it says that it is ready. */
static int status_of_child(int (*fn)(void), int signals) {
    int numbers[2];
    char byte;
    check_int(pipe(numbers), 0);
    pid_t pid = fork();
    check(pid >= 0);
    if (pid == 0) {
        signal(SIGINT, SIG_DFL);
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* with a test that fails it ends as well */
        ready_to = numbers[1];
        close(numbers[0]);
        _exit(fn());
    }
    close(numbers[1]);
    for (int i = 0; i < signals; i++) {
        check_int(read(numbers[0], &byte, 1), 1);
        check_int(kill(pid, SIGINT), 0);
    }
    int status;
    check_int(waitpid(pid, &status, 0), pid);
    close(numbers[0]);
    return status;
}

static int sleep_for_ever(void *arg) {
    (void)arg;
    return filch_sleep_until(FILCH_NEVER);
}

/* Waits for ever, with others. */
static int wait_for_ever(void *arg) {
    filch_task *tasks[10];
    for (int i = 0; i < 10; i++) tasks[i] = start(sleep_for_ever, arg);
    say_ready();
    int error = filch_sleep_until(FILCH_NEVER);
    for (int i = 0; i < 10; i++) filch_task_detach(tasks[i]);
    return error;
}

static int run_interrupted(void) {
    return filch_run(wait_for_ever, NULL, &(filch_options){.workers = 2, .interrupt = true}) == -ECANCELED ? 21 : 1;
}

static int run_uninterrupted(void) {
    (void)!filch_run(wait_for_ever, NULL, &(filch_options){.workers = 2});
    return 1;
}

TEST(signal, ctrl_c_ends_a_run_where_that_was_asked_for) {
    int status = status_of_child(run_interrupted, 1);
    check(WIFEXITED(status));
    check_int(WEXITSTATUS(status), 21);
    status = status_of_child(run_uninterrupted, 1);
    check(WIFSIGNALED(status));
    check_int(WTERMSIG(status), SIGINT);
}

/* It is cancelled, and does not end. */
static int linger(void *arg) {
    filch_shield shield;
    (void)wait_for_ever(arg);
    filch_shield_begin(&shield);
    say_ready();
    filch_sleep(FILCH_SEC(1000));
    filch_shield_end(&shield);
    return 0;
}

static int run_lingering(void) {
    (void)!filch_run(linger, NULL, &(filch_options){.workers = 2, .interrupt = true});
    return 1;
}

TEST(signal, the_second_ctrl_c_ends_the_process) {
    int status = status_of_child(run_lingering, 2);
    check(WIFSIGNALED(status));
    check_int(WTERMSIG(status), SIGINT);
}

/* One that never waits is not reached by cancelling; by then it has been told. */
static int compute_on(void *arg) {
    (void)arg;
    say_ready();
    while (!filch_cancelled()) continue;
    return -ECANCELED;
}

static int run_computing(void) {
    return filch_run(compute_on, NULL, &(filch_options){.workers = 1, .interrupt = true}) == -ECANCELED ? 21 : 1;
}

TEST(signal, ctrl_c_reaches_one_that_computes) {
    int status = status_of_child(run_computing, 1);
    check(WIFEXITED(status));
    check_int(WEXITSTATUS(status), 21);
}

static int run_two(void) {
    filch_runtime *runtimes[2];
    filch_task *tasks[2];
    struct sigaction now;
    for (int i = 0; i < 2; i++) {
        check_int(filch_runtime_create(&runtimes[i], &(filch_options){.workers = 2, .interrupt = true}), 0);
        check_int(filch_runtime_spawn(runtimes[i], &tasks[i], sleep_for_ever, NULL, NULL), 0);
    }
    say_ready();
    for (int i = 0; i < 2; i++) {
        check_int(result_of(tasks[i]), -ECANCELED);
        check_int(filch_runtime_destroy(runtimes[i]), 0);
    }
    sigaction(SIGINT, NULL, &now);
    check(now.sa_handler == SIG_DFL);
    return 21;
}

TEST(signal, ctrl_c_ends_several_runtimes) {
    int status = status_of_child(run_two, 1);
    check(WIFEXITED(status));
    check_int(WEXITSTATUS(status), 21);
}

static int see_both(void *arg) {
    (void)arg;
    filch_signal_info info = {0};
    filch_signals *signals = open_signals(SIGINT);
    say_ready();
    check_int(filch_sleep_until(FILCH_NEVER), -ECANCELED);
    filch_shield shield;
    filch_shield_begin(&shield);
    check_int(filch_signal_wait(signals, &info, FILCH_NEVER), 0);
    check_int(info.number, SIGINT);
    filch_signal_close(signals);
    filch_shield_end(&shield);
    return -ECANCELED;
}

static int run_with_handle(void) {
    return filch_run(see_both, NULL, &(filch_options){.workers = 2, .interrupt = true}) == -ECANCELED ? 21 : 1;
}

TEST(signal, ctrl_c_reaches_the_run_and_the_handles) {
    int status = status_of_child(run_with_handle, 1);
    check(WIFEXITED(status));
    check_int(WEXITSTATUS(status), 21);
}

/* As a shell starts what a script has in the background: the Ctrl-C is not for that. */
static int sleep_a_little(void *arg) {
    (void)arg;
    say_ready();
    say_ready(); /* by the second one the first signal has come */
    return filch_sleep(FILCH_MS(5)) == 0 && raise(SIGINT) == 0 && !filch_cancelled() ? 22 : 1;
}

static int run_in_background(void) {
    signal(SIGINT, SIG_IGN);
    return filch_run(sleep_a_little, NULL, &(filch_options){.workers = 2, .interrupt = true});
}

TEST(signal, ctrl_c_that_is_ignored_stays_so) {
    int status = status_of_child(run_in_background, 2);
    check(WIFEXITED(status));
    check_int(WEXITSTATUS(status), 22);
}

static int nothing(void *arg) {
    (void)arg;
    return 5;
}

TEST(signal, a_run_that_nobody_interrupts_leaves_all_as_it_was) {
    struct sigaction before, after;
    sigaction(SIGINT, NULL, &before);
    for (int i = 0; i < 50; i++) {
        check_int(filch_run(nothing, NULL, &(filch_options){.workers = 2, .interrupt = true}), 5);
    }
    sigaction(SIGINT, NULL, &after);
    check(before.sa_handler == after.sa_handler);
}
