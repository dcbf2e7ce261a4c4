/* SPDX-License-Identifier: MIT */
/*
 * Debug mode: that each check tells what it is for, once and with names, and nothing of programs that do no wrong; how its
 * words are read; and where reports go.
 */
#include <errno.h>
#include <filch/filch.h>
#include <pthread.h>
#include <stdatomic.h>

#include "tests/debug/child.h"

static const filch_options two_workers = {.workers = 2};

static int nothing(void *arg) {
    (void)arg;
    return 0;
}

static int fail(void *arg) {
    (void)arg;
    return -EIO;
}

/* ------------------------------------------------------------------------------------------------------------- words */

static void run_nothing(void) {
    must(filch_run(nothing, NULL, &two_workers) == 0);
    must(filch_run(nothing, NULL, &two_workers) == 0);
}

TEST(debug, words_that_are_unknown_are_told_of_once) {
    tells(run_nothing, "hog,nonsense", "filch: FILCH_DEBUG: there is no \"nonsense\"; there are 1, all, deadlock, hog",
          1);
    tells(run_nothing, "hog=x", "there is no \"hog=x\"", 1);
    tells(run_nothing, "hog=", "there is no \"hog=\"", 1);
    tells(run_nothing, "hog=-1", "there is no \"hog=-1\"", 1);
    tells(run_nothing, "hog=0", "there is no \"hog=0\"", 1);
    tells(run_nothing, "mutex-cycle=never", "there is no \"mutex-cycle=never\"", 1);
    tells(run_nothing, "held=1", "there is no \"held=1\"", 1);
    tells(run_nothing, "noquite", "there is no \"noquite\"", 1);
}

TEST(debug, words_that_are_known_are_read_in_silence) {
    tells_nothing(run_nothing, NULL);
    tells_nothing(run_nothing, "");
    tells_nothing(run_nothing, "0");
    tells_nothing(run_nothing, "hog=50 held,,channels");
    tells_nothing(run_nothing, "mutex-cycle=abort,noquit");
    tells_nothing(run_nothing, "io, errno");
}

TEST(debug, help_tells_the_words) {
    tells(run_nothing, "help", "filch: FILCH_DEBUG=never-awaited ", 1);
    tells(run_nothing, "help", "filch: FILCH_DEBUG=", 13);
}

static void run_with_bad_options(void) {
    must(filch_run(nothing, NULL, &(filch_options){.debug = "held,bad"}) == -EINVAL);
}

TEST(debug, options_with_unknown_words_are_refused_with_a_line) {
    tells(run_with_bad_options, NULL, "filch: filch_options.debug: there is no \"bad\"", 1);
}

/* ------------------------------------------------------------------------------------------------------ never awaited */

static int forget_tasks(void *arg) {
    filch_task *task;
    (void)arg;
    for (int i = 0; i < 12; i++) {
        must(filch_spawn(&task, i % 3 == 0 ? fail : nothing, NULL, &(filch_task_options){.name = "forgotten"}) == 0);
    }
    must(filch_spawn(&task, nothing, NULL, NULL) == 0);
    must(filch_await(task, NULL, FILCH_NEVER) == 0);
    must(filch_spawn(&task, nothing, NULL, NULL) == 0);
    filch_task_detach(task);
    must(filch_spawn(NULL, nothing, NULL, NULL) == 0);
    return 0;
}

static void run_forgetful(void) {
    must(filch_run(forget_tasks, NULL, &two_workers) == 0);
}

TEST(debug, results_that_nobody_asks_for_are_told_of_by_kind) {
    tells(run_forgetful, "never-awaited", "filch: never-awaited: ", 2);
    tells(run_forgetful, "never-awaited",
          "never-awaited: 8 tasks \"forgotten\" ended, neither awaited nor detached; spawned at ", 1);
    tells(run_forgetful, "never-awaited", "4 tasks \"forgotten\" ended, neither awaited nor detached; ", 1);
    tells(run_forgetful, "never-awaited", "; 4 failed, the last with -5\n", 1);
    tells_nothing(run_forgetful, "held,channels");
}

static void leave_a_scope_open(void) {
    filch_runtime *runtime;
    static filch_scope scopes[3];
    must(filch_runtime_create(&runtime, &two_workers) == 0);
    for (int i = 0; i < 3; i++) must(filch_scope_open(&scopes[i], &(filch_scope_options){.runtime = runtime}) == 0);
    must(filch_scope_spawn(&scopes[0], NULL, nothing, NULL, NULL) == 0);
    must(filch_scope_close(&scopes[0]) == 0);
    must(filch_runtime_destroy(runtime) == 0);
}

TEST(debug, scopes_that_threads_have_left_open_are_told_of) {
    tells(leave_a_scope_open, "never-awaited", "filch: never-awaited: 2 scopes were never closed; opened by thread ",
          1);
}

/* -------------------------------------------------------------------------------------------------------------- held */

struct locks {
    filch_mutex mutex, other;
    filch_rwlock rwlock;
    filch_cond cond;
    bool set;
};

static struct locks *make_locks(void) {
    struct locks *locks = calloc(1, sizeof *locks);
    must(locks != NULL);
    filch_mutex_init(&locks->mutex);
    filch_mutex_init(&locks->other);
    filch_rwlock_init(&locks->rwlock);
    filch_cond_init(&locks->cond);
    return locks;
}

static int keep_a_mutex(void *arg) {
    struct locks *locks = arg;
    must(filch_mutex_lock(&locks->other, FILCH_NEVER) == 0);
    filch_mutex_unlock(&locks->other);
    return filch_mutex_lock(&locks->mutex, FILCH_NEVER);
}

static int keep_a_rwlock(void *arg) {
    struct locks *locks = arg;
    return filch_rwlock_write(&locks->rwlock, FILCH_NEVER);
}

static int keep_both(void *arg) {
    filch_task *tasks[2];
    must(filch_spawn(&tasks[0], keep_a_mutex, arg, &(filch_task_options){.name = "keeper"}) == 0);
    must(filch_spawn(&tasks[1], keep_a_rwlock, arg, &(filch_task_options){.name = "writer"}) == 0);
    for (int i = 0; i < 2; i++) must(filch_await(tasks[i], NULL, FILCH_NEVER) == 0);
    return 0;
}

static void run_keepers(void) {
    must(filch_run(keep_both, make_locks(), &(filch_options){.workers = 1}) == 0);
    must(filch_run(keep_both, make_locks(), &two_workers) == 0);
}

TEST(debug, tasks_that_end_with_locks_are_told_of) {
    tells(run_keepers, "held", "filch: held: task 0x", 4);
    tells(run_keepers, "held", "\"keeper\" has ended, and holds mutex 0x", 2);
    tells(run_keepers, "held", "\"writer\" has ended, and holds rwlock, to write, 0x", 2);
    tells(run_keepers, "held", "; it was locked at\n      ", 4);
    tells_nothing(run_keepers, "never-awaited");
}

enum { USERS = 8, ROUNDS = 200 };

static int use_locks(void *arg) {
    struct locks *locks = arg;
    for (int i = 0; i < ROUNDS; i++) {
        must(filch_mutex_lock(&locks->mutex, FILCH_NEVER) == 0);
        if (i % 16 == 0) filch_yield();
        if (i % 32 == 0 && !locks->set) (void)!filch_cond_wait(&locks->cond, &locks->mutex, filch_after(FILCH_US(100)));
        filch_mutex_unlock(&locks->mutex);
        must(filch_rwlock_write(&locks->rwlock, FILCH_NEVER) == 0);
        if (i % 16 == 0) filch_yield();
        if (i % 2 == 0) {
            filch_rwlock_write_unlock(&locks->rwlock);
        } else {
            filch_rwlock_downgrade(&locks->rwlock);
            filch_rwlock_read_unlock(&locks->rwlock);
        }
        must(filch_rwlock_read(&locks->rwlock, FILCH_NEVER) == 0);
        if (filch_mutex_lock(&locks->other, filch_after(FILCH_US(10))) == 0) filch_mutex_unlock(&locks->other);
        filch_rwlock_read_unlock(&locks->rwlock);
    }
    return 0;
}

static int use_all(void *arg) {
    struct locks *locks = make_locks();
    filch_scope scope;
    filch_task *task;
    (void)arg;
    must(filch_scope_open(&scope, NULL) == 0);
    for (int i = 0; i < USERS; i++) must(filch_scope_spawn(&scope, NULL, use_locks, locks, NULL) == 0);
    must(filch_scope_close(&scope) == 0);
    must(filch_spawn(&task, use_locks, locks, NULL) == 0);
    use_locks(locks);
    must(filch_await(task, NULL, FILCH_NEVER) == 0);
    filch_mutex_fini(&locks->mutex);
    filch_rwlock_fini(&locks->rwlock);
    free(locks);
    return 0;
}

static void run_correctly(void) {
    for (unsigned workers = 1; workers <= 3; workers++) {
        must(filch_run(use_all, NULL, &(filch_options){.workers = workers}) == 0);
    }
}

TEST(debug, a_program_that_does_no_wrong_is_told_nothing) {
    tells_nothing(run_correctly, "deadlock,mutex-cycle,held,never-awaited,channels,wrong-thread,errno");
}

/* ----------------------------------------------------------------------------------------------------------- channels */

static int leave_channels(void *arg) {
    int value = 7;
    filch_chan *chan;
    (void)arg;
    volatile int i; /* each loop is one place: it is not unrolled */
    for (i = 0; i < 3; i++) must(filch_chan_create(&chan, sizeof value, 4) == 0);
    must(filch_chan_send(chan, &value, FILCH_NEVER) == 0);
    for (i = 0; i < 2; i++) {
        must(filch_chan_create(&chan, sizeof value, 4) == 0);
        must(filch_chan_send(chan, &value, FILCH_NEVER) == 0);
        filch_chan_destroy(chan);
    }
    must(filch_chan_create(&chan, sizeof value, 4) == 0);
    must(filch_chan_send(chan, &value, FILCH_NEVER) == 0);
    must(filch_chan_recv(chan, &value, FILCH_NEVER) == 0);
    filch_chan_destroy(chan);
    return 0;
}

static void run_with_channels(void) {
    filch_chan *outside;
    must(filch_chan_create(&outside, 4, 4) == 0); /* none of a task's */
    must(filch_run(leave_channels, NULL, &two_workers) == 0);
    filch_chan_destroy(outside);
}

TEST(debug, channels_that_are_left_and_lost_values_are_told_of) {
    tells(run_with_channels, "channels", "filch: channels: ", 2);
    tells(run_with_channels, "channels", "of 4 values of 4 bytes inside; and 2 more like it; made by task 0x", 1);
    tells(run_with_channels, "channels", "2 channels were destroyed with 2 values inside in all; made by task 0x", 1);
    tells_nothing(run_with_channels, "held");
}

/* ------------------------------------------------------------------------------------------------------ wrong threads */

static void *close_it(void *scope) {
    must(filch_scope_close(scope) == 0);
    return NULL;
}

static void call_from_threads(void) {
    filch_task *task;
    filch_scope scope;
    filch_runtime *runtime;
    pthread_t thread;
    must(filch_spawn(&task, nothing, NULL, NULL) == -EPERM);
    must(filch_scope_open(&scope, NULL) == -EPERM);
    must(filch_runtime_create(&runtime, &two_workers) == 0);
    must(filch_scope_open(&scope, &(filch_scope_options){.runtime = runtime}) == 0);
    must(pthread_create(&thread, NULL, close_it, &scope) == 0);
    must(pthread_join(thread, NULL) == 0);
    must(filch_runtime_destroy(runtime) == 0);
}

TEST(debug, calls_from_the_wrong_thread_are_told_of) {
    tells(call_from_threads, "wrong-thread", "filch: wrong-thread: filch_spawn is for tasks, and was called by thread ",
          1);
    tells(call_from_threads, "wrong-thread", "filch: wrong-thread: filch_scope_open is for tasks", 1);
    tells(call_from_threads, "wrong-thread", ", which thread ", 1);
    tells(call_from_threads, "wrong-thread", "filch: wrong-thread: ", 3);
    tells_nothing(call_from_threads, "held,never-awaited");
}

/* -------------------------------------------------------------------------------------------------------------- errno */

/* Not to be kept from before a switch: see base.h. */
__attribute__((noinline)) static int errno_now(void) {
    return errno;
}

__attribute__((noinline)) static void set_errno(int value) {
    errno = value;
}

static int look_at_errno(void *arg) {
    int expected = *(int *)arg;
    for (int i = 0; i < 20; i++) {
        set_errno(EDOM);
        must(filch_sleep(FILCH_US(100)) == 0);
        must(expected == 0 || errno_now() == expected);
    }
    return 0;
}

static int yield_and_look(void *arg) {
    int expected = *(int *)arg;
    filch_task *task;
    must(filch_spawn(&task, nothing, NULL, NULL) == 0);
    must(filch_await(task, NULL, FILCH_NEVER) == 0);
    set_errno(EDOM);
    must(filch_spawn(&task, look_at_errno, arg, NULL) == 0);
    must(filch_await(task, NULL, filch_after(FILCH_SEC(50))) == 0); /* not in place */
    must(expected == 0 || errno_now() == expected);
    return 0;
}

static void run_with_errno(void) {
    int expected = FILCH_DEBUG_ERRNO;
    for (unsigned workers = 1; workers <= 3; workers++) {
        must(filch_run(yield_and_look, &expected, &(filch_options){.workers = workers}) == 0);
    }
}

static int look_without_a_wait(void *arg) {
    filch_mutex mutex = FILCH_MUTEX_INIT;
    (void)arg;
    set_errno(EDOM);
    must(filch_mutex_lock(&mutex, FILCH_NEVER) == 0);
    filch_mutex_unlock(&mutex);
    must(errno_now() == EDOM); /* nobody else ran */
    return 0;
}

static void run_without_a_wait(void) {
    must(filch_run(look_without_a_wait, NULL, &two_workers) == 0);
}

static void run_without_errno(void) {
    int expected = 0;
    must(filch_run(yield_and_look, &expected, &two_workers) == 0);
}

TEST(debug, errno_is_spoilt_by_waits_and_by_nothing_else) {
    tells_nothing(run_with_errno, "errno");
    tells_nothing(run_without_a_wait, "errno");
    tells_nothing(run_without_errno, NULL);
}

/* --------------------------------------------------------------------------------------------------------------- hogs */

static atomic_bool hog_is_told;

static void note_hog(const filch_report *report, void *arg) {
    (void)arg;
    if (strcmp(report->check, "hog") == 0) atomic_store(&hog_is_told, true);
    must(write(STDERR_FILENO, report->text, report->length) == (ssize_t)report->length);
}

/* Until it is told of: how long that takes, depends on the machine. */
static int hold_the_worker(void *arg) {
    (void)arg;
    while (!atomic_load(&hog_is_told)) usleep(1000);
    return 0;
}

static int be_a_hog(void *arg) {
    filch_task *task;
    (void)arg;
    must(filch_spawn(&task, hold_the_worker, NULL, &(filch_task_options){.name = "piglet"}) == 0);
    return filch_await(task, NULL, FILCH_NEVER);
}

static void run_a_hog(void) {
    must(filch_run(be_a_hog, NULL, &(filch_options){.workers = 2, .on_report = note_hog}) == 0);
}

TEST(debug, a_task_that_holds_its_worker_for_long_is_told_of_with_its_place) {
    tells(run_a_hog, "hog=20", "filch: hog: task 0x", 2);
    tells(run_a_hog, "hog=20", "\"piglet\" has held worker ", 1);
    tells(run_a_hog, "hog=20", " ms; spawned at ", 1);
    tells(run_a_hog, "hog=20", "\"piglet\" has gone on, after ", 1);
}

/* ------------------------------------------------------------------------------------------------- where reports go to */

static atomic_int reports;

static void count_report(const filch_report *report, void *arg) {
    must(arg == &reports);
    must(strcmp(report->check, "never-awaited") == 0 && strcmp(report->runtime, "mine") == 0);
    must(strncmp(report->text, "filch: never-awaited: ", 22) == 0);
    must(report->length == strlen(report->text) && report->text[report->length - 1] == '\n');
    atomic_fetch_add(&reports, 1);
}

static void run_with_a_callback(void) {
    filch_options options = {
        .name = "mine", .workers = 2, .debug = "never-awaited", .on_report = count_report, .on_report_arg = &reports};
    must(filch_run(forget_tasks, NULL, &options) == 0);
    must(atomic_load(&reports) == 2);
}

TEST(debug, reports_go_to_a_function_of_the_programs) {
    tells_nothing(run_with_a_callback, NULL);
}

static int wait_in_vain(void *arg) {
    return filch_event_wait(arg, FILCH_NEVER) == -ECANCELED ? 0 : 1;
}

static atomic_bool deadlock_is_told;

static void note_deadlock(const filch_report *report, void *arg) {
    must(strcmp(report->check, "deadlock") == 0 && report->length == strlen(report->text));
    must(strstr(report->text, "filch: deadlock: all tasks wait") == report->text);
    must(strstr(report->text, "\"vain\": waits for event ") != NULL);
    (void)arg;
    atomic_store(&deadlock_is_told, true);
}

static void run_in_vain(void) {
    filch_runtime *runtime;
    filch_event event = FILCH_EVENT_INIT;
    filch_options options = {.workers = 2, .debug = "deadlock", .on_report = note_deadlock};
    must(filch_runtime_create(&runtime, &options) == 0);
    must(filch_runtime_spawn(runtime, NULL, wait_in_vain, &event, &(filch_task_options){.name = "vain"}) == 0);
    while (!atomic_load(&deadlock_is_told)) usleep(1000);
    filch_runtime_cancel(runtime);
    must(filch_runtime_destroy(runtime) == 0);
}

TEST(debug, a_deadlock_goes_there_as_well) {
    tells_nothing(run_in_vain, NULL);
}

/* ---------------------------------------------------------------------------------------------------------- simulated */

static int do_wrong(void *arg) {
    must(forget_tasks(arg) == 0);
    must(leave_channels(arg) == 0);
    must(keep_both(make_locks()) == 0);
    return 0;
}

static uint64_t hash_of_simulation(const char *debug) {
    uint64_t hash = 0;
    filch_simulation simulation = {.seed = 5, .quiet = true, .hash = &hash};
    must(filch_run(do_wrong, NULL, &(filch_options){.simulation = &simulation, .debug = debug}) == 0);
    return hash;
}

static void simulate(void) {
    must(hash_of_simulation("deadlock,hog,mutex-cycle,held,never-awaited,channels,errno") == hash_of_simulation(NULL));
}

TEST(debug, a_simulation_tells_the_same_and_runs_the_same_schedule) {
    tells(simulate, NULL, "filch: never-awaited: ", 2);
    tells(simulate, NULL, "filch: channels: ", 2);
    tells(simulate, NULL, "filch: held: ", 2);
}
