/* SPDX-License-Identifier: MIT */
/*
 * Mutexes, conditions, read-write locks, once and events, between virtual threads that are no workers, some of whose
 * deadlines pass, and between tasks of which one is cancelled. Verdict: what is excluded is excluded, nothing that was
 * granted is lost, nobody is left waiting, and nobody touches what was given away.
 */
#include <errno.h>
#include <filch/filch.h>

#include "alloc/heap.h"
#include "base/atomic.h"
#include "tests/explore/explore.h"

static filch_mutex mutex;
static filch_cond cond;
static filch_rwlock lock;
static filch_once once;
static filch_event *event;
static unsigned inside, done, tokens;
static ATOMIC(uint32_t) there;

static void begin(void) {
    filch_mutex_init(&mutex);
    filch_cond_init(&cond);
    filch_rwlock_init(&lock);
    filch_once_init(&once);
    inside = done = tokens = 0;
    there = 0;
}

/* A deadline that is far away, or passes soon. */
static filch_deadline some_deadline(void) {
    return explore_choose(2) == 0 ? FILCH_NEVER : filch_after(20000);
}

static void run_three(void (*fn)(void *arg)) {
    unsigned second = explore_start(fn, (void *)1), third = explore_start(fn, (void *)2);
    fn((void *)0);
    explore_join(second);
    explore_join(third);
}

/* Others may run while the caller is inside. */
static void stay_inside(void) {
    explore_check(inside++ == 0);
    load_seq_cst(&there);
    explore_check(inside-- == 1);
}

/* --------------------------------------------------------------------------------------------------------- mutex */

static void lock_twice(void *arg) {
    (void)arg;
    for (int i = 0; i < 2; i++) {
        if (filch_mutex_lock(&mutex, FILCH_NEVER) != 0) explore_fail("a lock without a deadline failed");
        stay_inside();
        filch_mutex_unlock(&mutex);
    }
}

SCENARIO(mutex_passes, "three threads lock a mutex twice each") {
    begin();
    run_three(lock_twice);
    filch_mutex_fini(&mutex);
}

static void lock_or_expire(void *arg) {
    (void)arg;
    for (int i = 0; i < 2; i++) {
        if (filch_mutex_lock(&mutex, some_deadline()) != 0) continue;
        stay_inside();
        filch_mutex_unlock(&mutex);
    }
}

SCENARIO(mutex_expires, "three threads lock a mutex, and their deadlines pass meanwhile, or not") {
    begin();
    run_three(lock_or_expire);
    filch_mutex_fini(&mutex);
}

static filch_mutex *counted;
static unsigned users;

static void use_and_perhaps_free(void *arg) {
    (void)arg;
    filch_mutex *own = counted;
    if (filch_mutex_lock(own, some_deadline()) != 0 && filch_mutex_lock(own, FILCH_NEVER) != 0) {
        explore_fail("a lock without a deadline failed");
    }
    bool last = --users == 0;
    filch_mutex_unlock(own);
    if (!last) return;
    filch_mutex_fini(own);
    filch__heap_put(own, sizeof *own, 8);
}

SCENARIO(mutex_last_out, "the last of three to unlock a mutex gives its memory away") {
    begin();
    counted = filch__heap_get(sizeof *counted, 8);
    filch_mutex_init(counted);
    users = 3;
    run_three(use_and_perhaps_free);
}

/* ---------------------------------------------------------------------------------------------------- conditions */

/* Takes a token, or gives up when its deadline passes; the third thread brings one token for each, one signal each. */
static void take_or_bring(void *arg) {
    bool brings = arg == (void *)2;
    if (filch_mutex_lock(&mutex, FILCH_NEVER) != 0) explore_fail("a lock without a deadline failed");
    if (brings) {
        for (int i = 0; i < 2; i++) {
            tokens++;
            filch_cond_signal(&cond);
            filch_mutex_unlock(&mutex);
            if (filch_mutex_lock(&mutex, FILCH_NEVER) != 0) explore_fail("a lock without a deadline failed");
        }
    } else {
        filch_deadline deadline = some_deadline();
        int answer = 0;
        while (answer == 0 && tokens == 0) {
            answer = filch_cond_wait(&cond, &mutex, deadline);
            explore_check(inside == 0);
        }
        if (answer == 0) tokens--, done++;
    }
    stay_inside();
    filch_mutex_unlock(&mutex);
}

SCENARIO(cond_signals, "two threads wait for a token each, with a deadline or without, a third brings two") {
    begin();
    run_three(take_or_bring);
    explore_check(tokens + done == 2);
    filch_cond_fini(&cond);
    filch_mutex_fini(&mutex);
}

static void wait_for_signal(void *own) {
    if (filch_mutex_lock(&mutex, FILCH_NEVER) != 0) explore_fail("a lock without a deadline failed");
    store_seq_cst(&there, 1);
    explore_check(filch_cond_wait(own, &mutex, FILCH_NEVER) == 0);
    filch_mutex_unlock(&mutex);
}

SCENARIO(cond_is_freed, "a condition's memory is given away as soon as the one who waited has its signal") {
    begin();
    filch_cond *own = filch__heap_get(sizeof *own, 8);
    filch_cond_init(own);
    unsigned waiter = explore_start(wait_for_signal, own);
    while (load_seq_cst(&there) == 0) spin_pause();
    if (filch_mutex_lock(&mutex, FILCH_NEVER) != 0) explore_fail("a lock without a deadline failed");
    filch_cond_signal(own);
    filch_mutex_unlock(&mutex);
    filch_cond_fini(own);
    filch__heap_put(own, sizeof *own, 8);
    explore_join(waiter);
    filch_mutex_fini(&mutex);
}

/* ---------------------------------------------------------------------------------------------- read-write locks */

static unsigned readers;

static void read_or_write(void *arg) {
    for (uintptr_t i = 0; i < 2; i++) {
        if (((uintptr_t)arg + i) % 2 == 0) {
            if (filch_rwlock_read(&lock, FILCH_NEVER) != 0) explore_fail("a lock without a deadline failed");
            readers++;
            load_seq_cst(&there);
            explore_check(inside == 0);
            readers--;
            filch_rwlock_read_unlock(&lock);
        } else if (filch_rwlock_write(&lock, some_deadline()) == 0) {
            explore_check(readers == 0);
            stay_inside();
            filch_rwlock_write_unlock(&lock);
        }
    }
}

SCENARIO(rwlock_turns, "three threads read and write, and the deadlines of writers pass, or not") {
    begin();
    readers = 0;
    run_three(read_or_write);
    filch_rwlock_fini(&lock);
}

/* The first reader stays until there is a second, and in between somebody wants to write for a while. */
static filch_event second_reads;

static void read_with_another(void *arg) {
    if (arg == (void *)1) {
        if (filch_rwlock_write(&lock, filch_after(20000)) == 0) filch_rwlock_write_unlock(&lock);
        return;
    }
    if (filch_rwlock_read(&lock, FILCH_NEVER) != 0) explore_fail("a lock without a deadline failed");
    if (++readers == 2) filch_event_set(&second_reads);
    if (filch_event_wait(&second_reads, FILCH_NEVER) != 0) explore_fail("a wait without a deadline failed");
    filch_rwlock_read_unlock(&lock);
}

SCENARIO(rwlock_withdraws, "a writer that waits between two readers expires; the first stays until the second is in") {
    begin();
    readers = 0;
    filch_event_init(&second_reads);
    run_three(read_with_another);
    filch_rwlock_fini(&lock);
}

/* ---------------------------------------------------------------------------------------------------------- once */

static int fail_at_first(void *arg) {
    (void)arg;
    stay_inside();
    return done++ == 0 ? -EIO : 1;
}

static void run_once(void *arg) {
    (void)arg;
    int answer = filch_once_run(&once, fail_at_first, NULL, FILCH_NEVER);
    explore_check(answer == 1 || answer == -EIO);
}

SCENARIO(once_fails, "three threads come to a once whose first call fails") {
    begin();
    run_three(run_once);
    explore_check(done == 2);
    explore_check(filch_once_done(&once));
    filch_once_fini(&once);
}

/* --------------------------------------------------------------------------------------------------------- events */

static void set_event(void *arg) {
    filch_event_set(arg);
}

SCENARIO(event_is_freed, "a thread waits for an event that another sets, and gives its memory away") {
    begin();
    event = filch__heap_get(sizeof *event, 8);
    filch_event_init(event);
    unsigned setter = explore_start(set_event, event);
    filch_deadline deadline = some_deadline();
    while (filch_event_wait(event, deadline) == -ETIMEDOUT) deadline = FILCH_NEVER;
    filch_event_fini(event);
    filch__heap_put(event, sizeof *event, 8);
    explore_join(setter);
}

/* -------------------------------------------------------------------------------------------------- cancellation */

static int lock_in_task(void *arg) {
    (void)arg;
    add_seq_cst(&there, 1);
    int error = filch_mutex_lock(&mutex, FILCH_NEVER);
    if (error) return error;
    stay_inside();
    done++;
    filch_mutex_unlock(&mutex);
    return 0;
}

static int cancel_one_of_two(void *arg) {
    (void)arg;
    filch_task *tasks[2];
    int results[2];
    if (filch_mutex_lock(&mutex, FILCH_NEVER) != 0) explore_fail("a lock without a deadline failed");
    for (int i = 0; i < 2; i++) explore_check(filch_spawn(&tasks[i], lock_in_task, NULL, NULL) == 0);
    while (load_seq_cst(&there) < 2) filch_yield();
    if (explore_choose(2) == 0) filch_task_cancel(tasks[0]);
    filch_mutex_unlock(&mutex);
    filch_task_cancel(tasks[0]);
    for (int i = 0; i < 2; i++) explore_check(filch_await(tasks[i], &results[i], FILCH_NEVER) == 0);
    explore_check(results[0] == 0 || results[0] == -ECANCELED);
    explore_check(results[1] == 0);
    explore_check(done == 1 + (results[0] == 0));
    return 0;
}

SCENARIO(mutex_cancelled, "two tasks wait for a mutex; one is cancelled when the mutex is unlocked") {
    begin();
    filch_options options = {.workers = 1 + explore_choose(2), .seed = 1 + explore_choose(1000)};
    explore_check(filch_run(cancel_one_of_two, NULL, &options) == 0);
    filch_mutex_fini(&mutex);
}

static int wait_in_task(void *arg) {
    (void)arg;
    int error = filch_mutex_lock(&mutex, FILCH_NEVER);
    if (error) return error;
    add_seq_cst(&there, 1);
    error = filch_cond_wait(&cond, &mutex, FILCH_NEVER);
    stay_inside();
    done += error == 0;
    filch_mutex_unlock(&mutex);
    return error;
}

static int signal_one_of_two(void *arg) {
    (void)arg;
    filch_task *tasks[2];
    int results[2];
    for (int i = 0; i < 2; i++) {
        explore_check(filch_spawn(&tasks[i], wait_in_task, NULL, NULL) == 0);
        while (load_seq_cst(&there) < (unsigned)i + 1) filch_yield();
    }
    if (filch_mutex_lock(&mutex, FILCH_NEVER) != 0) explore_fail("a lock without a deadline failed");
    if (explore_choose(2) == 0) filch_task_cancel(tasks[0]);
    filch_cond_signal(&cond);
    filch_task_cancel(tasks[0]);
    filch_mutex_unlock(&mutex);
    explore_check(filch_await(tasks[0], &results[0], FILCH_NEVER) == 0);
    explore_check(results[0] == 0 || results[0] == -ECANCELED);
    if (results[0] == 0) filch_cond_signal(&cond); /* the first signal was received: the other waits on */
    explore_check(filch_await(tasks[1], &results[1], FILCH_NEVER) == 0);
    explore_check(results[1] == 0);
    return 0;
}

SCENARIO(cond_cancelled, "two tasks wait for a signal; the one that it is for is cancelled") {
    begin();
    filch_options options = {.workers = 1 + explore_choose(2), .seed = 1 + explore_choose(1000)};
    explore_check(filch_run(signal_one_of_two, NULL, &options) == 0);
    filch_cond_fini(&cond);
    filch_mutex_fini(&mutex);
}
