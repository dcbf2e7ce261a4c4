/* SPDX-License-Identifier: MIT */
/*
 * Mutexes: one owner at a time among tasks and threads, nobody left waiting at a free mutex whatever is cancelled or
 * expires and when, nobody starved, and what is wrong aborts.
 */
#include <string.h>

#include "tests/sync/locks.h"

/* Waits for a mutex, and says how that went; holds it until told. */
struct locker {
    filch_mutex *mutex;
    filch_deadline deadline;
    int order, *orders; /* which of those with the same counter had the mutex */
};

static int lock_and_unlock(void *arg) {
    struct locker *locker = arg;
    int error = filch_mutex_lock(locker->mutex, locker->deadline);
    if (error) return error;
    if (locker->orders != NULL) locker->order = ++*locker->orders;
    filch_mutex_unlock(locker->mutex);
    return 0;
}

/* ---------------------------------------------------------------------------------------------------- one by one */

static int follow_the_model(void *arg) {
    filch_mutex mutexes[3] = {FILCH_MUTEX_INIT};
    bool held[3] = {false};
    uint32_t random = 12345;
    (void)arg;
    for (int i = 0; i < 10000; i++) {
        unsigned which = chance(&random, 3);
        filch_mutex *mutex = &mutexes[which];
        check_int(filch_mutex_locked(mutex), held[which]);
        if (held[which] && chance(&random, 2)) {
            filch_mutex_unlock(mutex);
            held[which] = false;
        } else if (held[which] || chance(&random, 2)) {
            check_int(filch_mutex_try_lock(mutex), held[which] ? -EBUSY : 0);
            held[which] = true;
        } else {
            check_int(filch_mutex_lock(mutex, chance(&random, 2) ? FILCH_NEVER : (filch_deadline){0}), 0);
            held[which] = true;
        }
    }
    for (int i = 0; i < 3; i++) {
        if (held[i]) filch_mutex_unlock(&mutexes[i]);
        filch_mutex_fini(&mutexes[i]);
    }
    return 0;
}

TEST(mutex, lock_try_lock_and_unlock_follow_the_model) {
    run_with(1, follow_the_model, NULL);
    check_int(follow_the_model(NULL), 0); /* a thread that is no worker */
}

TEST(mutex, no_mutex_is_an_invalid_argument) {
    check_int(filch_mutex_lock(NULL, FILCH_NEVER), -EINVAL);
    check_int(filch_mutex_try_lock(NULL), -EINVAL);
}

TEST(mutex, an_initialised_one_is_free_whatever_was_there) {
    filch_mutex mutex;
    memset(&mutex, 0xa5, sizeof mutex);
    filch_mutex_init(&mutex);
    check(!filch_mutex_locked(&mutex));
    check_int(filch_mutex_lock(&mutex, FILCH_NEVER), 0);
    filch_mutex_unlock(&mutex);
    filch_mutex_fini(&mutex);
}

/* ------------------------------------------------------------------------------------------------------- crowds */

struct shared {
    filch_mutex mutex;
    long counter; /* under the mutex */
    bool inside;  /* likewise */
    atomic_long successes;
    int yields_in, out_of;
    bool deadlines;
    int laps;
};

static void lock_often(void *arg, uint32_t *random) {
    struct shared *shared = arg;
    for (int i = 0; i < shared->laps; i++) {
        filch_deadline deadline = FILCH_NEVER;
        if (shared->deadlines && chance(random, 2)) deadline = filch_after(FILCH_US(chance(random, 40)));
        int error =
            chance(random, 8) == 0 ? filch_mutex_try_lock(&shared->mutex) : filch_mutex_lock(&shared->mutex, deadline);
        if (error) {
            check(error == -EBUSY || error == -ECANCELED || (shared->deadlines && error == -ETIMEDOUT));
            if (error == -ECANCELED && chance(random, 4) == 0) return;
            continue;
        }
        check(!shared->inside);
        shared->inside = true;
        shared->counter++;
        if (shared->yields_in && chance(random, (unsigned)shared->out_of) == 0) filch_yield();
        shared->inside = false;
        atomic_fetch_add_explicit(&shared->successes, 1, memory_order_relaxed);
        filch_mutex_unlock(&shared->mutex);
        if (chance(random, 16) == 0) filch_yield();
    }
}

static int exclude(void *arg) {
    for (int round = 0; round < 8; round++) {
        struct shared shared = {.laps = *(int *)arg / TEST_SCALE, .yields_in = round & 1, .deadlines = round & 2};
        shared.out_of = 3;
        crowd(lock_often, &shared, round & 4);
        check_int(shared.counter, shared.successes);
        check(!filch_mutex_locked(&shared.mutex));
        filch_mutex_fini(&shared.mutex);
    }
    return 0;
}

TEST(mutex, one_owner_at_a_time_among_tasks_and_threads) {
    int laps = 1000;
    run_with_each(exclude, &laps);
}

/* The last one out gives the memory away: nobody who has unlocked may touch it after that. */
struct counted {
    filch_mutex mutex;
    int users;
};

static int use_and_perhaps_free(void *arg) {
    struct counted *counted = arg;
    for (int i = 0; i < 3; i++) {
        check_int(filch_mutex_lock(&counted->mutex, FILCH_NEVER), 0);
        if (i == 1) filch_yield();
        if (i == 2 && --counted->users == 0) {
            filch_mutex_unlock(&counted->mutex);
            filch_mutex_fini(&counted->mutex);
            memset(counted, 0xff, sizeof *counted);
            free(counted);
            return 0;
        }
        filch_mutex_unlock(&counted->mutex);
    }
    return 0;
}

static int free_after_last_unlock(void *arg) {
    (void)arg;
    for (int round = 0; round < 1000 / TEST_SCALE; round++) {
        filch_task *tasks[4];
        struct counted *counted = calloc(1, sizeof *counted);
        counted->users = 4;
        for (int i = 0; i < 4; i++) tasks[i] = start(use_and_perhaps_free, counted);
        for (int i = 0; i < 4; i++) check_int(result_of(tasks[i]), 0);
    }
    return 0;
}

TEST(mutex, the_last_to_unlock_may_give_the_memory_away) {
    run_with_each(free_after_last_unlock, NULL);
}

/* ----------------------------------------------------------------------------------------------- forked children */

struct forked {
    filch_mutex mutex;
    atomic_bool begun;
    long counter;
};

static int lock_in_child(void *arg) {
    struct forked *forked = arg;
    atomic_store(&forked->begun, true);
    check_int(filch_mutex_lock(&forked->mutex, FILCH_NEVER), 0);
    forked->counter++;
    filch_mutex_unlock(&forked->mutex);
    return 0;
}

static int fork_while_locked(void *arg) {
    (void)arg;
    struct forked forked = {.counter = 0};
    filch_frame first, second;
    check_int(filch_mutex_lock(&forked.mutex, FILCH_NEVER), 0);
    filch_fork(&first, lock_in_child, &forked);
    filch_fork(&second, lock_in_child, &forked);
    while (!atomic_load(&forked.begun)) filch_yield(); /* somebody has taken one of them, or both */
    while (waiting_in(&forked.mutex.filch__latch, &forked.mutex.filch__waiters) == 0) filch_yield();
    filch_mutex_unlock(&forked.mutex);
    check_int(filch_join(&second), 0);
    check_int(filch_join(&first), 0);
    check_int(forked.counter, 2);
    return 0;
}

TEST(mutex, a_forked_call_taken_by_another_worker_is_an_owner_of_its_own) {
    for (int i = 0; i < 20; i++) run_with(2, fork_while_locked, NULL);
}

static int add_under_lock(int64_t first, int64_t last, void *arg) {
    struct forked *forked = arg;
    for (int64_t i = first; i < last; i++) {
        check_int(filch_mutex_lock(&forked->mutex, FILCH_NEVER), 0);
        forked->counter++;
        if (i % 64 == 0) filch_yield();
        filch_mutex_unlock(&forked->mutex);
    }
    return 0;
}

static int lock_in_parallel(void *arg) {
    (void)arg;
    struct forked forked = {.counter = 0};
    check_int(filch_parallel_for(0, 20000 / TEST_SCALE, 16, add_under_lock, &forked), 0);
    check_int(forked.counter, 20000 / TEST_SCALE);
    return 0;
}

TEST(mutex, parallel_calls_of_one_task_exclude_each_other) {
    run_with_each(lock_in_parallel, NULL);
}

/* ------------------------------------------------------------------------------------------------------- fairness */

struct hog {
    filch_mutex mutex;
    atomic_bool served;
    atomic_int laps;
};

static int hog_it(void *arg) {
    struct hog *hog = arg;
    while (!atomic_load(&hog->served)) {
        check_int(filch_mutex_lock(&hog->mutex, FILCH_NEVER), 0);
        atomic_fetch_add(&hog->laps, 1);
        filch_yield(); /* whoever was woken finds the mutex taken */
        filch_mutex_unlock(&hog->mutex);
    }
    return 0;
}

/* How often the other had the mutex while this one waited. */
static int be_served(void *arg) {
    struct hog *hog = arg;
    int before = atomic_load(&hog->laps);
    check_int(filch_mutex_lock(&hog->mutex, FILCH_NEVER), 0);
    int laps = atomic_load(&hog->laps) - before;
    atomic_store(&hog->served, true);
    filch_mutex_unlock(&hog->mutex);
    return laps;
}

static int starve_somebody(void *arg) {
    (void)arg;
    struct hog hog = {.laps = 0};
    filch_task *greedy = start(hog_it, &hog);
    while (atomic_load(&hog.laps) == 0) filch_yield();
    check(result_of(start(be_served, &hog)) <= 16);
    check_int(result_of(greedy), 0);
    return 0;
}

TEST(mutex, one_that_locks_again_and_again_does_not_starve_another) {
    for (int i = 0; i < 20; i++) run_with(1, starve_somebody, NULL);
}

static int serve_in_order(void *arg) {
    (void)arg;
    filch_mutex mutex = FILCH_MUTEX_INIT;
    struct locker lockers[10];
    filch_task *tasks[10];
    int orders = 0;
    check_int(filch_mutex_lock(&mutex, FILCH_NEVER), 0);
    for (int i = 0; i < 10; i++) {
        lockers[i] = (struct locker){.mutex = &mutex, .deadline = FILCH_NEVER, .orders = &orders};
        tasks[i] = start(lock_and_unlock, &lockers[i]);
        until_wait_at(&mutex, i + 1);
    }
    filch_mutex_unlock(&mutex);
    for (int i = 0; i < 10; i++) check_int(result_of(tasks[i]), 0);
    for (int i = 0; i < 10; i++) check_int(lockers[i].order, i + 1);
    return 0;
}

TEST(mutex, those_who_wait_are_served_in_the_order_they_came) {
    run_with_each(serve_in_order, NULL);
}

/* Who is woken, and finds the mutex taken once more, has not lost its place. */
static int lose_and_be_served(void *arg) {
    (void)arg;
    filch_mutex mutex = FILCH_MUTEX_INIT;
    struct locker lockers[3];
    filch_task *tasks[3];
    int orders = 0;
    check_int(filch_mutex_lock(&mutex, FILCH_NEVER), 0);
    for (int i = 0; i < 3; i++) {
        lockers[i] = (struct locker){.mutex = &mutex, .deadline = FILCH_NEVER, .orders = &orders};
        tasks[i] = start(lock_and_unlock, &lockers[i]);
        until_wait_at(&mutex, i + 1);
    }
    filch_mutex_unlock(&mutex);
    check_int(filch_mutex_lock(&mutex, FILCH_NEVER), 0); /* with one worker, before the first of them has run */
    until_wait_at(&mutex, 3);                            /* it has tried, and waits again */
    filch_mutex_unlock(&mutex);
    for (int i = 0; i < 3; i++) check_int(result_of(tasks[i]), 0);
    for (int i = 0; i < 3; i++) check_int(lockers[i].order, i + 1);
    return 0;
}

TEST(mutex, one_that_was_woken_and_lost_is_served_before_those_behind_it) {
    run_with(1, lose_and_be_served, NULL);
}

/* ---------------------------------------------------------------------------------------- deadlines, cancellation */

static int pass_deadlines(void *arg) {
    (void)arg;
    filch_mutex mutex = FILCH_MUTEX_INIT;
    struct locker locker = {.mutex = &mutex};
    check_int(filch_mutex_lock(&mutex, (filch_deadline){0}), 0);
    check_int(result_of(start(lock_and_unlock, &locker)), -ETIMEDOUT);
    locker.deadline = filch_after(FILCH_MS(2));
    filch_task *waits = start(lock_and_unlock, &locker);
    check_int(result_of(waits), -ETIMEDOUT);
    check(filch_now() >= locker.deadline.at_ns);
    check(filch_mutex_locked(&mutex));
    check_int(waiting_in(&mutex.filch__latch, &mutex.filch__waiters), 0);
    filch_mutex_unlock(&mutex);
    check(!filch_mutex_locked(&mutex));
    check_int(result_of(start(lock_and_unlock, &locker)), 0); /* free: the deadline does not matter */
    return 0;
}

TEST(mutex, a_deadline_that_passes_leaves_the_mutex_to_its_owner) {
    run_with_each(pass_deadlines, NULL);
}

static int lock_when_cancelled(void *arg) {
    (void)arg;
    filch_mutex mutex = FILCH_MUTEX_INIT;
    filch_scope scope;
    filch_shield shield;
    check_int(filch_scope_open(&scope, NULL), 0);
    filch_scope_cancel(&scope);
    check_int(filch_mutex_lock(&mutex, FILCH_NEVER), -ECANCELED);
    check(!filch_mutex_locked(&mutex));
    check_int(filch_mutex_try_lock(&mutex), 0);
    filch_mutex_unlock(&mutex);
    filch_shield_begin(&shield);
    check_int(filch_mutex_lock(&mutex, FILCH_NEVER), 0);
    filch_shield_end(&shield);
    filch_mutex_unlock(&mutex);
    filch_scope_close(&scope);
    check_int(filch_mutex_lock(&mutex, FILCH_NEVER), 0);
    filch_mutex_unlock(&mutex);
    return 0;
}

TEST(mutex, a_free_mutex_is_not_locked_in_a_cancelled_scope_but_in_a_shield) {
    run_with_each(lock_when_cancelled, NULL);
}

static int cancel_one_that_waits(void *arg) {
    (void)arg;
    filch_mutex mutex = FILCH_MUTEX_INIT;
    struct locker locker = {.mutex = &mutex, .deadline = FILCH_NEVER};
    check_int(filch_mutex_lock(&mutex, FILCH_NEVER), 0);
    filch_task *waits = start(lock_and_unlock, &locker);
    until_wait_at(&mutex, 1);
    filch_task_cancel(waits);
    check_int(result_of(waits), -ECANCELED);
    check(filch_mutex_locked(&mutex));
    filch_mutex_unlock(&mutex);
    filch_mutex_fini(&mutex);
    return 0;
}

TEST(mutex, one_that_waits_is_cancelled) {
    run_with_each(cancel_one_that_waits, NULL);
}

/* Two wait; the first is woken, and cancelled before it has run. */
static int cancel_one_that_was_woken(void *arg) {
    bool taken_again = *(bool *)arg;
    filch_mutex mutex = FILCH_MUTEX_INIT;
    struct locker locker = {.mutex = &mutex, .deadline = FILCH_NEVER};
    check_int(filch_mutex_lock(&mutex, FILCH_NEVER), 0);
    filch_task *first = start(lock_and_unlock, &locker);
    until_wait_at(&mutex, 1);
    filch_task *second = start(lock_and_unlock, &locker);
    until_wait_at(&mutex, 2);
    filch_mutex_unlock(&mutex);
    filch_task_cancel(first);
    if (taken_again) {
        int error = filch_mutex_try_lock(&mutex);
        for (int i = 0; i < 10; i++) filch_yield();
        if (error == 0) filch_mutex_unlock(&mutex);
    }
    int result = result_of(first);
    check(result == 0 || result == -ECANCELED);
    check_int(result_of(second), 0);
    check(!filch_mutex_locked(&mutex));
    return 0;
}

TEST(mutex, one_cancelled_when_it_was_woken_does_not_keep_the_next_from_the_mutex) {
    for (int i = 0; i < 50; i++) {
        run_with_each(cancel_one_that_was_woken, &(bool){false});
        run_with_each(cancel_one_that_was_woken, &(bool){true});
    }
}

/* All who wait are cancelled, the mutex is unlocked before they have run, and somebody comes. */
static int come_after_cancelled_ones(void *arg) {
    (void)arg;
    filch_mutex mutex = FILCH_MUTEX_INIT;
    struct locker locker = {.mutex = &mutex, .deadline = FILCH_NEVER};
    filch_task *waiting[3];
    check_int(filch_mutex_lock(&mutex, FILCH_NEVER), 0);
    for (int i = 0; i < 3; i++) waiting[i] = start(lock_and_unlock, &locker);
    until_wait_at(&mutex, 3);
    for (int i = 0; i < 3; i++) filch_task_cancel(waiting[i]);
    filch_mutex_unlock(&mutex);
    check_int(filch_mutex_lock(&mutex, FILCH_NEVER), 0);
    filch_yield();
    filch_mutex_unlock(&mutex);
    check_int(result_of(start(lock_and_unlock, &locker)), 0);
    for (int i = 0; i < 3; i++) {
        int result = result_of(waiting[i]);
        check(result == 0 || result == -ECANCELED);
    }
    check(!filch_mutex_locked(&mutex));
    filch_mutex_fini(&mutex);
    return 0;
}

TEST(mutex, a_queue_of_cancelled_ones_does_not_strand_who_comes_after_them) {
    for (int i = 0; i < 50; i++) run_with_each(come_after_cancelled_ones, NULL);
}

/* One that starves is given the mutex, and is cancelled, or its deadline passes, at that time. */
static int cancel_one_that_was_handed_it(void *arg) {
    (void)arg;
    filch_mutex mutex = FILCH_MUTEX_INIT;
    struct locker locker = {.mutex = &mutex, .deadline = FILCH_NEVER};
    check_int(filch_mutex_lock(&mutex, FILCH_NEVER), 0);
    filch_task *waits = start(lock_and_unlock, &locker);
    until_wait_at(&mutex, 1);
    int handed = 0;
    for (int i = 0; i < 100 && !handed; i++) {
        filch_mutex_unlock(&mutex);
        handed = filch_mutex_try_lock(&mutex) != 0; /* it is held, though the other has not run */
        if (!handed) until_wait_at(&mutex, 1);      /* it has run, and lost */
    }
    check(handed);
    filch_task_cancel(waits);
    check_int(result_of(waits), 0);
    check(!filch_mutex_locked(&mutex));
    return 0;
}

TEST(mutex, one_that_is_given_the_mutex_and_cancelled_then_has_it) {
    run_with(1, cancel_one_that_was_handed_it, NULL);
}

/* --------------------------------------------------------------------------------------------------------- misuse */

static int relock(void *arg) {
    filch_mutex mutex = FILCH_MUTEX_INIT;
    filch_scope scope;
    if (arg != NULL) check_int(filch_scope_open(&scope, NULL), 0);
    check_int(filch_mutex_lock(&mutex, FILCH_NEVER), 0);
    return filch_mutex_lock(&mutex, FILCH_NEVER);
}

TEST_DIES(mutex, locking_what_one_holds_aborts, "is held already by its caller, task") {
    run_with(1, relock, NULL);
}

TEST_DIES(mutex, locking_what_one_holds_in_a_scope_aborts, "is held already by its caller, task") {
    run_with(1, relock, &(int){1});
}

TEST_DIES(mutex, locking_what_a_thread_holds_aborts, "is held already by its caller, thread") {
    relock(NULL);
}

static int unlock_it(void *arg) {
    filch_mutex_unlock(arg);
    return 0;
}

static int let_another_unlock(void *arg) {
    filch_mutex *mutex = arg;
    filch_task *task;
    check_int(filch_mutex_lock(mutex, FILCH_NEVER), 0);
    check_int(filch_spawn(&task, unlock_it, mutex, &(filch_task_options){.name = "intruder"}), 0);
    return result_of(task);
}

TEST_DIES(mutex, unlocking_what_another_holds_aborts, "\"intruder\"") {
    filch_mutex mutex = FILCH_MUTEX_INIT;
    run_with(1, let_another_unlock, &mutex);
}

static void *unlock_in_thread(void *arg) {
    filch_mutex_unlock(arg);
    return NULL;
}

static int let_a_thread_unlock(void *arg) {
    pthread_t thread;
    check_int(filch_mutex_lock(arg, FILCH_NEVER), 0);
    check_int(pthread_create(&thread, NULL, unlock_in_thread, arg), 0);
    return pthread_join(thread, NULL);
}

TEST_DIES(mutex, unlocking_in_a_thread_what_a_task_holds_aborts, "and the caller is thread") {
    filch_mutex mutex = FILCH_MUTEX_INIT;
    run_with(1, let_a_thread_unlock, &mutex);
}

TEST_DIES(mutex, unlocking_what_nobody_holds_aborts, "is held by nobody") {
    filch_mutex mutex = FILCH_MUTEX_INIT;
    run_with(1, unlock_it, &mutex);
}

TEST_DIES(mutex, ending_the_use_of_one_that_is_held_aborts, "mutex_fini: mutex") {
    filch_mutex mutex = FILCH_MUTEX_INIT;
    check_int(filch_mutex_lock(&mutex, FILCH_NEVER), 0);
    filch_mutex_fini(&mutex);
}
