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

/* ---------------------------------------------------------------------------------------------------------- no circle */

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
