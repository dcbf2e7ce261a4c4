/* SPDX-License-Identifier: MIT */
/*
 * Circles of tasks that wait for one another: told at once, by the call that closes them, whatever they wait by; and none
 * where there is none, however many wait crosswise with deadlines.
 */
#include <errno.h>
#include <filch/filch.h>
#include <pthread.h>
#include <stdatomic.h>

#include "tests/debug/child.h"

#define CIRCLE "filch: mutex-cycle: "

struct pair {
    filch_mutex one, other;
    filch_rwlock rwlock;
    filch_barrier both;
};

static struct pair *make_pair(void) {
    struct pair *pair = calloc(1, sizeof *pair);
    must(pair != NULL);
    filch_mutex_init(&pair->one);
    filch_mutex_init(&pair->other);
    filch_rwlock_init(&pair->rwlock);
    must(filch_barrier_init(&pair->both, 2) == 0);
    return pair;
}

/* Each has its first before either asks for its second. What it answers is what the second says. */
static int lock_two(struct pair *pair, filch_mutex *first, filch_mutex *second, filch_deadline deadline) {
    must(filch_mutex_lock(first, FILCH_NEVER) == 0);
    must(filch_barrier_wait(&pair->both, FILCH_NEVER) >= 0);
    int error = filch_mutex_lock(second, deadline);
    if (error == 0) filch_mutex_unlock(second);
    filch_mutex_unlock(first);
    return error;
}

static int lock_forwards(void *arg) {
    struct pair *pair = arg;
    return lock_two(pair, &pair->one, &pair->other, FILCH_NEVER);
}

static int lock_backwards(void *arg) {
    struct pair *pair = arg;
    return lock_two(pair, &pair->other, &pair->one, FILCH_NEVER);
}

/* With fail, the one that closes the circle is told, gives way, and the other has both. */
static int cross(void *arg) {
    struct pair *pair = make_pair();
    filch_task *tasks[2];
    int results[2];
    (void)arg;
    must(filch_spawn(&tasks[0], lock_forwards, pair, &(filch_task_options){.name = "forwards"}) == 0);
    must(filch_spawn(&tasks[1], lock_backwards, pair, &(filch_task_options){.name = "backwards"}) == 0);
    for (int i = 0; i < 2; i++) must(filch_await(tasks[i], &results[i], filch_after(FILCH_SEC(40))) == 0);
    must((results[0] == 0 && results[1] == -EDEADLK) || (results[0] == -EDEADLK && results[1] == 0));
    return 0;
}

static void run_cross(void) {
    must(filch_run(cross, NULL, &(filch_options){.workers = 1}) == 0);
    must(filch_run(cross, NULL, &(filch_options){.workers = 3}) == 0);
}

TEST(circle, of_two_mutexes_is_told_at_once_and_fails) {
    tells(run_cross, "mutex-cycle=fail", CIRCLE "task 0x", 2);
    tells(run_cross, "mutex-cycle=fail", " closes a circle of 2 by waiting for mutex 0x", 2);
    tells(run_cross, "mutex-cycle=fail", "\"forwards\", spawned at ", 2);
    tells(run_cross, "mutex-cycle=fail", ": waits for mutex 0x", 4);
}

static void run_cross_to_abort(void) {
    (void)filch_run(cross, NULL, &(filch_options){.workers = 2});
}

TEST(circle, aborts_where_that_is_asked_for) {
    int status;
    char *text = told_by(run_cross_to_abort, "mutex-cycle=abort", &status);
    check(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    check_int(times_in(text, CIRCLE), 1);
    free(text);
}

static int lock_forwards_for_a_while(void *arg) {
    struct pair *pair = arg;
    int error = lock_two(pair, &pair->one, &pair->other, filch_after(FILCH_SEC(1)));
    must(error == 0 || error == -ETIMEDOUT);
    return 0;
}

/* By default it is told, and all goes on as it would have. */
static int cross_for_a_while(void *arg) {
    struct pair *pair = make_pair();
    filch_task *tasks[2];
    (void)arg;
    must(filch_spawn(&tasks[0], lock_forwards_for_a_while, pair, NULL) == 0);
    must(filch_spawn(&tasks[1], lock_backwards, pair, NULL) == 0);
    for (int i = 0; i < 2; i++) must(filch_await(tasks[i], NULL, FILCH_NEVER) == 0);
    return 0;
}

static void run_cross_for_a_while(void) {
    must(filch_run(cross_for_a_while, NULL, &(filch_options){.workers = 2}) == 0);
}

TEST(circle, is_told_and_waited_in_by_default) {
    tells(run_cross_for_a_while, "mutex-cycle", ", up to a deadline, at\n", 1);
    tells(run_cross_for_a_while, "held", CIRCLE, 0);
}

/* ------------------------------------------------------------------------------------------------------- other waits */

static int lock_one(void *arg) {
    struct pair *pair = arg;
    int error = filch_mutex_lock(&pair->one, FILCH_NEVER);
    if (error == 0) filch_mutex_unlock(&pair->one);
    return error;
}

/* Awaits, with the lock held that the task awaited wants: called in place, or not. */
static int await_with_the_lock(void *arg) {
    struct pair *pair = make_pair();
    filch_task *task;
    int result = 0, error;
    must(filch_mutex_lock(&pair->one, FILCH_NEVER) == 0);
    must(filch_spawn(&task, lock_one, pair, &(filch_task_options){.name = "locker"}) == 0);
    if (*(int *)arg) filch_sleep(FILCH_MS(20));
    error = filch_await(task, &result, FILCH_NEVER);
    must(error == -EDEADLK || (error == 0 && result == -EDEADLK)); /* the one or the other closes it */
    filch_mutex_unlock(&pair->one);
    if (error != 0) must(filch_await(task, &result, FILCH_NEVER) == 0);
    return 0;
}

static void run_awaits(void) {
    for (int late = 0; late < 2; late++) {
        for (unsigned workers = 1; workers <= 3; workers++) {
            must(filch_run(await_with_the_lock, &late, &(filch_options){.workers = workers}) == 0);
        }
    }
}

TEST(circle, of_an_await_is_told) {
    tells(run_awaits, "mutex-cycle=fail", CIRCLE, 6);
}

/* Closes a scope, with the lock held that a task in it wants. */
static int close_with_the_lock(void *arg) {
    struct pair *pair = make_pair();
    filch_scope scope;
    int late = *(int *)arg;
    must(filch_scope_open(&scope, NULL) == 0);
    must(filch_mutex_lock(&pair->one, FILCH_NEVER) == 0);
    must(filch_scope_spawn(&scope, NULL, lock_one, pair, &(filch_task_options){.name = "member"}) == 0);
    if (late) {
        filch_sleep(FILCH_MS(20));
        filch_scope_cancel(&scope); /* told is told only where nothing else ends it: see the other */
    }
    int error = filch_scope_close(&scope);
    must(error == (late ? -ECANCELED : -EDEADLK));
    filch_mutex_unlock(&pair->one);
    return 0;
}

static void run_close(void) {
    int late = 0;
    must(filch_run(close_with_the_lock, &late, &(filch_options){.workers = 1}) == 0);
}

static void run_close_cancelled(void) {
    int late = 1;
    for (unsigned workers = 1; workers <= 2; workers++) {
        must(filch_run(close_with_the_lock, &late, &(filch_options){.workers = workers}) == 0);
    }
}

TEST(circle, of_a_scope_that_is_closed_is_told_unless_that_is_cancelled) {
    tells(run_close, "mutex-cycle=fail", "waits for scope_close 0x", 1);
    tells_nothing(run_close_cancelled, "mutex-cycle=fail");
}

/* The member waits already when the scope is closed. */
static int close_late(void *arg) {
    struct pair *pair = make_pair();
    filch_scope scope;
    (void)arg;
    must(filch_scope_open(&scope, &(filch_scope_options){.deadline = filch_after(FILCH_MS(300))}) == 0);
    must(filch_mutex_lock(&pair->one, FILCH_NEVER) == 0);
    must(filch_scope_spawn(&scope, NULL, lock_one, pair, &(filch_task_options){.name = "member"}) == 0);
    filch_sleep(FILCH_MS(20));
    must(filch_scope_close(&scope) == -ETIMEDOUT);
    filch_mutex_unlock(&pair->one);
    return 0;
}

static void run_close_late(void) {
    must(filch_run(close_late, NULL, &(filch_options){.workers = 2}) == 0);
}

TEST(circle, that_the_closing_of_a_scope_closes_is_told) {
    tells(run_close_late, "mutex-cycle", " closes a circle of 2 by waiting for scope_close 0x", 1);
}

static int write_then_lock(void *arg) {
    struct pair *pair = arg;
    must(filch_rwlock_write(&pair->rwlock, FILCH_NEVER) == 0);
    must(filch_barrier_wait(&pair->both, FILCH_NEVER) >= 0);
    int error = filch_mutex_lock(&pair->one, FILCH_NEVER);
    if (error == 0) filch_mutex_unlock(&pair->one);
    filch_rwlock_write_unlock(&pair->rwlock);
    return error;
}

static int lock_then_read(void *arg) {
    struct pair *pair = arg;
    must(filch_mutex_lock(&pair->one, FILCH_NEVER) == 0);
    must(filch_barrier_wait(&pair->both, FILCH_NEVER) >= 0);
    int error = filch_rwlock_read(&pair->rwlock, FILCH_NEVER);
    if (error == 0) filch_rwlock_read_unlock(&pair->rwlock);
    filch_mutex_unlock(&pair->one);
    return error;
}

static int cross_kinds(void *arg) {
    struct pair *pair = make_pair();
    filch_task *tasks[2];
    int results[2];
    (void)arg;
    must(filch_spawn(&tasks[0], write_then_lock, pair, NULL) == 0);
    must(filch_spawn(&tasks[1], lock_then_read, pair, NULL) == 0);
    for (int i = 0; i < 2; i++) must(filch_await(tasks[i], &results[i], filch_after(FILCH_SEC(40))) == 0);
    must((results[0] == 0) != (results[1] == 0));
    return 0;
}

static void run_cross_kinds(void) {
    must(filch_run(cross_kinds, NULL, &(filch_options){.workers = 2}) == 0);
}

TEST(circle, of_a_mutex_and_a_writers_lock_is_told) {
    tells(run_cross_kinds, "mutex-cycle=fail", CIRCLE, 1);
}

/* ------------------------------------------------------------------------------------------------------------- threads */

static void *lock_as_a_thread(void *arg) {
    struct pair *pair = arg;
    int error = lock_two(pair, &pair->other, &pair->one, FILCH_NEVER);
    must(error == 0 || error == -EDEADLK);
    return NULL;
}

static void run_with_a_thread(void) {
    struct pair *pair = make_pair();
    filch_runtime *runtime;
    filch_task *task;
    pthread_t thread;
    int result;
    must(filch_runtime_create(&runtime, &(filch_options){.workers = 1}) == 0);
    must(filch_runtime_spawn(runtime, &task, lock_forwards, pair, NULL) == 0);
    must(pthread_create(&thread, NULL, lock_as_a_thread, pair) == 0);
    must(filch_await(task, &result, FILCH_NEVER) == 0);
    must(result == 0 || result == -EDEADLK);
    must(pthread_join(thread, NULL) == 0);
    must(filch_runtime_destroy(runtime) == 0);
}

TEST(circle, of_a_task_and_a_thread_is_told) {
    tells(run_with_a_thread, "mutex-cycle=fail", CIRCLE, 1);
    tells(run_with_a_thread, "mutex-cycle=fail", "    thread ", 1);
}

/* While it is told of a circle, in the name of the runtime of a task in it, that task goes on and the runtime ends. */
struct late {
    struct pair *pair;
    atomic_bool telling, destroyed;
};

static void tell_for_long(const filch_report *report, void *arg) {
    struct late *late = arg;
    atomic_store(&late->telling, true);
    for (int i = 0; i < 100; i++) { /* it is seen here, if it is, however long the machine takes for the rest */
        usleep(1000);
        must(!atomic_load(&late->destroyed));
    }
    must(strcmp(report->runtime, "brief") == 0 && strstr(report->text, " closes a circle of 2 ") != NULL);
}

static int lock_until_cancelled(void *arg) {
    struct late *late = arg;
    must(lock_two(late->pair, &late->pair->one, &late->pair->other, FILCH_NEVER) == -ECANCELED);
    return 0;
}

/* The thread is the one that closes the circle: the task waits already. */
static void *lock_when_the_task_waits(void *arg) {
    struct late *late = arg;
    must(filch_mutex_lock(&late->pair->other, FILCH_NEVER) == 0);
    must(filch_barrier_wait(&late->pair->both, FILCH_NEVER) >= 0);
    usleep(20000);
    must(filch_mutex_lock(&late->pair->one, FILCH_NEVER) == 0);
    filch_mutex_unlock(&late->pair->one);
    filch_mutex_unlock(&late->pair->other);
    return NULL;
}

static void run_a_brief_runtime(void) {
    struct late late = {.pair = make_pair()};
    filch_runtime *runtime;
    filch_task *task;
    pthread_t thread;
    const filch_options options = {
        .workers = 1, .name = "brief", .debug = "mutex-cycle", .on_report = tell_for_long, .on_report_arg = &late};
    must(filch_runtime_create(&runtime, &options) == 0);
    must(filch_runtime_spawn(runtime, &task, lock_until_cancelled, &late, NULL) == 0);
    must(pthread_create(&thread, NULL, lock_when_the_task_waits, &late) == 0);
    while (!atomic_load(&late.telling)) usleep(1000);
    filch_task_cancel(task);
    must(filch_await(task, NULL, FILCH_NEVER) == 0);
    must(filch_runtime_destroy(runtime) == 0);
    atomic_store(&late.destroyed, true);
    must(pthread_join(thread, NULL) == 0);
}

TEST(circle, is_told_by_a_thread_before_the_runtime_ends_whose_it_is) {
    tells_nothing(run_a_brief_runtime, NULL);
}

enum { BRIEF_RUNTIMES = 30 };

static void count_report(const filch_report *report, void *arg) {
    must(strcmp(report->runtime, "brief") == 0);
    atomic_fetch_add((atomic_uint *)arg, 1);
}

struct race {
    struct pair *pair;
    atomic_bool over;
};

static int lock_both_for_a_while(void *arg) {
    struct race *race = arg;
    must(filch_mutex_lock(&race->pair->one, FILCH_NEVER) == 0);
    int error = filch_mutex_lock(&race->pair->other, filch_after(FILCH_MS(1)));
    must(error == 0 || error == -ETIMEDOUT);
    if (error == 0) filch_mutex_unlock(&race->pair->other);
    filch_mutex_unlock(&race->pair->one);
    return 0;
}

static void *lock_both_backwards(void *arg) {
    struct race *race = arg;
    while (!atomic_load(&race->over)) {
        must(filch_mutex_lock(&race->pair->other, FILCH_NEVER) == 0);
        usleep(100);
        int error = filch_mutex_lock(&race->pair->one, filch_after(FILCH_MS(1)));
        must(error == 0 || error == -ETIMEDOUT);
        if (error == 0) filch_mutex_unlock(&race->pair->one);
        filch_mutex_unlock(&race->pair->other);
    }
    return NULL;
}

/* Threads close circles, or do not, with tasks of runtimes that are no more a moment later. */
static void run_many_brief_runtimes(void) {
    struct race race = {.pair = make_pair()};
    pthread_t thread;
    must(pthread_create(&thread, NULL, lock_both_backwards, &race) == 0);
    for (int i = 0; i < BRIEF_RUNTIMES; i++) {
        atomic_uint *told = calloc(1, sizeof *told);
        const filch_options options = {
            .workers = 1, .name = "brief", .debug = "mutex-cycle", .on_report = count_report, .on_report_arg = told};
        must(told != NULL && filch_run(lock_both_for_a_while, &race, &options) == 0);
        free(told);
    }
    atomic_store(&race.over, true);
    must(pthread_join(thread, NULL) == 0);
    free(race.pair);
}

TEST(circle, is_looked_for_while_runtimes_come_and_go) {
    tells_nothing(run_many_brief_runtimes, NULL);
}

/* ---------------------------------------------------------------------------------------------------------- no circle */

enum { ROUNDS = 8 };

struct reuse {
    filch_mutex mutex;
    atomic_bool over;
};

static int end_at_once(void *arg) {
    (void)arg;
    return 0;
}

/* By a waiter, and in place. */
static int await_under_the_lock(void *arg) {
    struct reuse *reuse = arg;
    for (int round = 0; round < ROUNDS; round++) {
        filch_task *task;
        must(filch_mutex_lock(&reuse->mutex, FILCH_NEVER) == 0);
        must(filch_spawn(&task, end_at_once, NULL, NULL) == 0);
        must(filch_await(task, NULL, round % 2 == 0 ? filch_after(FILCH_SEC(40)) : FILCH_NEVER) == 0);
        filch_mutex_unlock(&reuse->mutex);
    }
    atomic_store(&reuse->over, true);
    return 0;
}

static int lock_what_is_held(void *arg) {
    struct reuse *reuse = arg;
    must(filch_mutex_lock(&reuse->mutex, FILCH_NEVER) == 0);
    filch_mutex_unlock(&reuse->mutex);
    return 0;
}

/*
 * Tasks that lock get the records of those that have been awaited, before the awaiter, who holds the lock, has gone on: they
 * wait for it, and it for no such task.
 */
static int use_records_again(void *arg) {
    struct reuse reuse = {.over = false};
    filch_task *awaiter, *locker;
    (void)arg;
    filch_mutex_init(&reuse.mutex);
    must(filch_spawn(&awaiter, await_under_the_lock, &reuse, NULL) == 0);
    while (!atomic_load(&reuse.over)) {
        must(filch_spawn(&locker, lock_what_is_held, &reuse, NULL) == 0);
        must(filch_await(locker, NULL, FILCH_NEVER) == 0);
        filch_yield();
    }
    must(filch_await(awaiter, NULL, FILCH_NEVER) == 0);
    return 0;
}

static void simulate_records_used_again(void) {
    for (unsigned workers = 1; workers <= 3; workers++) {
        const filch_explore_options options = {.seeds = 100, .workers = workers};
        must(filch_explore(use_records_again, NULL, &options, NULL) == 0);
    }
}

static void run_records_used_again(void) {
    for (unsigned workers = 1; workers <= 4; workers++) {
        for (int i = 0; i < 50; i++) {
            must(filch_run(use_records_again, NULL, &(filch_options){.workers = workers}) == 0);
        }
    }
}

TEST(circle, is_not_told_where_the_record_of_an_awaited_task_is_used_again) {
    tells_nothing(simulate_records_used_again, "mutex-cycle");
    tells_nothing(run_records_used_again, "mutex-cycle");
}

enum { PHILOSOPHERS = 5, MEALS = 100 };

struct table {
    filch_mutex forks[PHILOSOPHERS];
    atomic_int seats;
};

/* All take the lower fork first. */
static int dine(void *arg) {
    struct table *table = arg;
    int seat = atomic_fetch_add(&table->seats, 1), next = (seat + 1) % PHILOSOPHERS;
    filch_mutex *low = &table->forks[seat < next ? seat : next], *high = &table->forks[seat < next ? next : seat];
    for (int meal = 0; meal < MEALS; meal++) {
        must(filch_mutex_lock(low, FILCH_NEVER) == 0);
        filch_yield();
        must(filch_mutex_lock(high, FILCH_NEVER) == 0);
        filch_yield();
        filch_mutex_unlock(high);
        filch_mutex_unlock(low);
    }
    return 0;
}

static int dine_in_order(void *arg) {
    struct table *table = calloc(1, sizeof *table);
    filch_scope scope;
    (void)arg;
    must(table != NULL && filch_scope_open(&scope, NULL) == 0);
    for (int i = 0; i < PHILOSOPHERS; i++) must(filch_scope_spawn(&scope, NULL, dine, table, NULL) == 0);
    must(filch_scope_close(&scope) == 0);
    free(table);
    return 0;
}

static void run_dinner(void) {
    for (unsigned workers = 1; workers <= 4; workers++) {
        must(filch_run(dine_in_order, NULL, &(filch_options){.workers = workers}) == 0);
    }
}

TEST(circle, is_not_told_where_all_lock_in_one_order) {
    tells_nothing(run_dinner, "mutex-cycle,held");
}

static void simulate_dinner(void) {
    must(filch_explore(dine_in_order, NULL, &(filch_explore_options){.seeds = 30, .workers = 3}, NULL) == 0);
    must(filch_run(cross, NULL, &(filch_options){.simulation = &(filch_simulation){.seed = 3, .quiet = true}}) == 0);
}

TEST(circle, is_told_in_a_simulation_and_none_where_there_is_none) {
    tells(simulate_dinner, "mutex-cycle=fail", CIRCLE, 1);
}
