/* SPDX-License-Identifier: MIT */
/*
 * Locks of pthread's that a task holds while it waits: told of with both places, once each, and only of the task that has
 * taken it.
 */
#include <filch/filch.h>
#include <pthread.h>
#include <threads.h>

#include "tests/debug/child.h"

#ifdef FILCH_DEBUG_LINKED

static const filch_options one_worker = {.workers = 1}; /* so that who locks unlocks on the same thread */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_spinlock_t spin;
static mtx_t plain;

static int sleep_with_a_mutex(void *arg) {
    (void)arg;
    must(pthread_mutex_lock(&mutex) == 0);
    filch_sleep(FILCH_US(100));
    filch_sleep(FILCH_US(100)); /* told once */
    must(pthread_mutex_unlock(&mutex) == 0);
    filch_sleep(FILCH_US(100));
    return 0;
}

static int sleep_bare(void *arg) {
    (void)arg;
    for (int i = 0; i < 20; i++) filch_sleep(FILCH_US(100));
    return 0;
}

static int sleep_both(void *arg) {
    filch_scope scope;
    (void)arg;
    must(filch_scope_open(&scope, NULL) == 0);
    must(filch_scope_spawn(&scope, NULL, sleep_bare, NULL, &(filch_task_options){.name = "bare"}) == 0);
    must(filch_scope_spawn(&scope, NULL, sleep_with_a_mutex, NULL, &(filch_task_options){.name = "holder"}) == 0);
    return filch_scope_close(&scope);
}

static void run_sleepers(void) {
    must(filch_run(sleep_both, NULL, &one_worker) == 0);
}

TEST(foreign, a_mutex_that_is_held_across_a_wait_is_told_of_once) {
    tells(run_sleepers, "foreign-lock", "filch: foreign-lock: ", 1);
    tells(run_sleepers, "foreign-lock", "\"holder\" holds pthread mutex 0x", 1);
    tells(run_sleepers, "foreign-lock", " and waits (sleep ", 1);
    tells(run_sleepers, "foreign-lock", "    and has locked it at\n      ", 1);
    tells_nothing(run_sleepers, "held");
    tells_nothing(run_sleepers, NULL);
}

static int wait_with_each(void *arg) {
    filch_task *task;
    (void)arg;
    must(pthread_rwlock_wrlock(&rwlock) == 0);
    must(filch_spawn(&task, sleep_bare, NULL, NULL) == 0);
    filch_yield();
    must(pthread_rwlock_unlock(&rwlock) == 0);
    must(pthread_spin_init(&spin, 0) == 0 && pthread_spin_trylock(&spin) == 0);
    filch_sleep(FILCH_US(100));
    must(pthread_spin_unlock(&spin) == 0);
    must(mtx_init(&plain, mtx_plain) == thrd_success && mtx_lock(&plain) == thrd_success);
    filch_sleep(FILCH_US(100));
    must(mtx_unlock(&plain) == thrd_success);
    filch_sleep(FILCH_US(100));
    return filch_await(task, NULL, FILCH_NEVER);
}

static void run_each(void) {
    must(filch_run(wait_with_each, NULL, &one_worker) == 0);
}

TEST(foreign, all_kinds_are_told_of) {
    tells(run_each, "foreign-lock", "filch: foreign-lock: ", 3);
    tells(run_each, "foreign-lock", "holds pthread rwlock 0x", 1);
    tells(run_each, "foreign-lock", "holds pthread spin lock 0x", 1);
    tells(run_each, "foreign-lock", "holds mutex of <threads.h> 0x", 1);
}

/* Another thread unlocks: what was noted is forgotten all the same. */
static void *unlock_it(void *arg) {
    must(pthread_mutex_unlock(arg) == 0);
    return NULL;
}

static int have_it_unlocked(void *arg) {
    pthread_t thread;
    (void)arg;
    must(pthread_mutex_lock(&mutex) == 0);
    must(pthread_create(&thread, NULL, unlock_it, &mutex) == 0);
    must(pthread_join(thread, NULL) == 0);
    filch_sleep(FILCH_US(100));
    for (int i = 0; i < 1000; i++) {
        must(pthread_mutex_trylock(&mutex) == 0 && pthread_mutex_trylock(&mutex) != 0);
        must(pthread_mutex_unlock(&mutex) == 0);
    }
    filch_sleep(FILCH_US(100));
    return 0;
}

static void run_unlocked(void) {
    must(filch_run(have_it_unlocked, NULL, &one_worker) == 0);
}

TEST(foreign, what_another_thread_unlocks_is_forgotten) {
    tells_nothing(run_unlocked, "foreign-lock");
}

/* A condition gives the mutex back before it returns; and none of the library's own locks is told of. */
static int wait_at_a_condition(void *arg) {
    pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
    struct timespec soon = {0, 1000};
    (void)arg;
    must(pthread_mutex_lock(&mutex) == 0);
    must(pthread_cond_timedwait(&cond, &mutex, &soon) != 0);
    must(pthread_mutex_unlock(&mutex) == 0);
    filch_sleep(FILCH_US(100));
    must(filch_blocking(sleep_bare, NULL, NULL, FILCH_NEVER) == 0);
    return 0;
}

static void run_at_a_condition(void) {
    must(filch_run(wait_at_a_condition, NULL, &(filch_options){.workers = 3}) == 0);
}

TEST(foreign, a_wait_without_a_lock_is_told_nothing) {
    tells_nothing(run_at_a_condition, "1");
}

#else

static int nothing(void *arg) {
    (void)arg;
    return 0;
}

static void run_nothing(void) {
    must(filch_run(nothing, NULL, NULL) == 0);
}

TEST(foreign, without_its_library_a_line_says_so) {
    tells(run_nothing, "foreign-lock", "filch: foreign-lock: libfilch-debug.so is not there", 1);
    tells_nothing(run_nothing, "1");
}

#endif
