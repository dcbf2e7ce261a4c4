/* SPDX-License-Identifier: MIT */
/*
 * Condition variables: each signal that finds somebody waiting ends one wait, whatever is cancelled or expires
 * meanwhile; no wait ends by itself; and the mutex is held after every one.
 */
#include <string.h>

#include "tests/sync/locks.h"

/* One who waits for one signal. */
struct listener {
    filch_cond *cond;
    filch_mutex *mutex;
    filch_deadline deadline;
    int order, *orders; /* under the mutex */
    bool held;
};

static int listen_once(void *arg) {
    struct listener *listener = arg;
    int error = filch_mutex_lock(listener->mutex, FILCH_NEVER);
    if (error) return error;
    error = filch_cond_wait(listener->cond, listener->mutex, listener->deadline);
    listener->order = ++*listener->orders;
    filch_mutex_unlock(listener->mutex); /* aborts if it is not held */
    return error;
}

struct stage {
    filch_cond cond;
    filch_mutex mutex;
    int orders;
    struct listener listeners[10];
    filch_task *tasks[10];
};

/* Starts `count` listeners, one after the other. */
static void start_listeners(struct stage *stage, int count, filch_deadline deadline) {
    *stage = (struct stage){.orders = 0};
    for (int i = 0; i < count; i++) {
        stage->listeners[i] = (struct listener){&stage->cond, &stage->mutex, deadline, 0, &stage->orders, false};
        stage->tasks[i] = start(listen_once, &stage->listeners[i]);
        until_wait_at(&stage->cond, i + 1);
    }
}

static void end_stage(struct stage *stage) {
    filch_cond_fini(&stage->cond);
    check(!filch_mutex_locked(&stage->mutex));
    filch_mutex_fini(&stage->mutex);
}

/* ---------------------------------------------------------------------------------------------------- one by one */

static int signal_in_order(void *arg) {
    (void)arg;
    struct stage stage;
    start_listeners(&stage, 10, FILCH_NEVER);
    for (int i = 0; i < 10; i++) {
        filch_cond_signal(&stage.cond);
        check_int(result_of(stage.tasks[i]), 0);
        check_int(stage.listeners[i].order, i + 1);
        check_int(waiting_in(&stage.cond.filch__latch, &stage.cond.filch__waiters), 9 - i);
    }
    end_stage(&stage);
    return 0;
}

TEST(cond, a_signal_ends_the_longest_wait_and_no_other) {
    run_with_each(signal_in_order, NULL);
}

static int broadcast_to_all(void *arg) {
    (void)arg;
    struct stage stage;
    start_listeners(&stage, 10, FILCH_NEVER);
    filch_cond_broadcast(&stage.cond);
    for (int i = 0; i < 10; i++) check_int(result_of(stage.tasks[i]), 0);
    check_int(stage.orders, 10);
    end_stage(&stage);
    return 0;
}

TEST(cond, a_broadcast_ends_all_waits) {
    run_with_each(broadcast_to_all, NULL);
}

TEST(cond, a_signal_that_finds_nobody_is_forgotten) {
    filch_cond cond = FILCH_COND_INIT;
    filch_mutex mutex = FILCH_MUTEX_INIT;
    filch_cond_signal(&cond);
    filch_cond_broadcast(&cond);
    check_int(filch_mutex_lock(&mutex, FILCH_NEVER), 0);
    check_int(filch_cond_wait(&cond, &mutex, filch_after(FILCH_MS(1))), -ETIMEDOUT);
    filch_mutex_unlock(&mutex);
    filch_mutex_fini(&mutex);
    filch_cond_fini(&cond);
}

TEST(cond, no_condition_or_no_mutex_is_an_invalid_argument) {
    filch_cond cond;
    filch_mutex mutex = FILCH_MUTEX_INIT;
    memset(&cond, 0xa5, sizeof cond);
    filch_cond_init(&cond);
    check_int(filch_cond_wait(&cond, NULL, FILCH_NEVER), -EINVAL);
    check_int(filch_cond_wait(NULL, &mutex, FILCH_NEVER), -EINVAL);
    filch_cond_fini(&cond);
}

/* As many waits end as there were signals; the others last until their deadline. */
static int count_wake_ups(void *arg) {
    (void)arg;
    struct stage stage;
    int signalled = 0, expired = 0;
    start_listeners(&stage, 10, filch_after(FILCH_MS(30 * TEST_SCALE)));
    for (int i = 0; i < 4; i++) filch_cond_signal(&stage.cond);
    for (int i = 0; i < 10; i++) {
        int result = result_of(stage.tasks[i]);
        check(result == 0 || result == -ETIMEDOUT);
        signalled += result == 0;
        expired += result == -ETIMEDOUT;
    }
    check_int(signalled, 4);
    check_int(expired, 6);
    end_stage(&stage);
    return 0;
}

TEST(cond, no_wait_ends_without_a_signal) {
    for (size_t i = 0; i < 3; i++) run_with(lock_workers[i], count_wake_ups, NULL);
}

/* -------------------------------------------------------------------------------------- a buffer between a crowd */

struct buffer {
    filch_mutex mutex;
    filch_cond filled, emptied;
    int used, size, turns;
    long put, got, sum_put, sum_got; /* under the mutex, as `used` */
    long values[8];
    bool deadlines;
    atomic_int numbers;
};

static void put(struct buffer *buffer, uint32_t *random) {
    long value = (long)chance(random, 1000);
    int error = filch_mutex_lock(&buffer->mutex, FILCH_NEVER);
    if (error) return;
    while (!error && buffer->used == buffer->size) {
        filch_deadline deadline = buffer->deadlines ? filch_after(FILCH_US(chance(random, 50))) : FILCH_NEVER;
        error = filch_cond_wait(&buffer->emptied, &buffer->mutex, deadline);
        if (error == -ETIMEDOUT) error = 0;
    }
    if (!error) {
        buffer->values[buffer->used++] = value;
        buffer->put++;
        buffer->sum_put += value;
        filch_cond_signal(&buffer->filled);
    }
    filch_mutex_unlock(&buffer->mutex);
}

static void get(struct buffer *buffer, uint32_t *random) {
    int error = filch_mutex_lock(&buffer->mutex, FILCH_NEVER);
    if (error) return;
    while (!error && buffer->used == 0) {
        filch_deadline deadline = buffer->deadlines ? filch_after(FILCH_US(chance(random, 50))) : FILCH_NEVER;
        error = filch_cond_wait(&buffer->filled, &buffer->mutex, deadline);
        if (error == -ETIMEDOUT) error = 0;
    }
    if (!error) {
        buffer->sum_got += buffer->values[--buffer->used];
        buffer->got++;
        if (chance(random, 2)) filch_cond_signal(&buffer->emptied);
    }
    filch_mutex_unlock(&buffer->mutex);
    if (!error) filch_cond_signal(&buffer->emptied); /* likewise allowed, and one too many now and then */
}

/* Half of the crowd puts, half gets, as often; the odd one out does both in turn. */
static void put_or_get(void *arg, uint32_t *random) {
    struct buffer *buffer = arg;
    int number = atomic_fetch_add(&buffer->numbers, 1);
    for (int i = 0; i < buffer->turns; i++) {
        if (number % 2 == 0) put(buffer, random);
        if (number % 2 == 1 || number == CROWD_TASKS + CROWD_THREADS - 1) get(buffer, random);
    }
}

static int pass_values(void *arg) {
    (void)arg;
    for (int round = 0; round < 4; round++) {
        struct buffer buffer = {.size = round < 2 ? 2 : 8, .turns = 200 / TEST_SCALE, .deadlines = round & 1};
        _Static_assert((CROWD_TASKS + CROWD_THREADS) % 2 == 1, "one is left over, and puts before it gets");
        crowd(put_or_get, &buffer, false);
        check_int(buffer.put, buffer.got);
        check_int(buffer.sum_put, buffer.sum_got);
        check_int(buffer.used, 0);
        filch_cond_fini(&buffer.filled);
        filch_cond_fini(&buffer.emptied);
        filch_mutex_fini(&buffer.mutex);
    }
    return 0;
}

TEST(cond, a_buffer_between_tasks_and_threads_loses_nothing) {
    run_with_each(pass_values, NULL);
}

/* ---------------------------------------------------------------------------------------- deadlines, cancellation */

static int pass_deadline(void *arg) {
    (void)arg;
    filch_cond cond = FILCH_COND_INIT;
    filch_mutex mutex = FILCH_MUTEX_INIT;
    check_int(filch_mutex_lock(&mutex, FILCH_NEVER), 0);
    filch_deadline deadline = filch_after(FILCH_MS(2));
    check_int(filch_cond_wait(&cond, &mutex, deadline), -ETIMEDOUT);
    check(filch_now() >= deadline.at_ns);
    check_int(filch_cond_wait(&cond, &mutex, (filch_deadline){0}), -ETIMEDOUT);
    filch_mutex_unlock(&mutex);
    filch_mutex_fini(&mutex);
    filch_cond_fini(&cond);
    return 0;
}

TEST(cond, a_deadline_ends_the_wait_with_the_mutex_held) {
    run_with_each(pass_deadline, NULL);
    check_int(pass_deadline(NULL), 0); /* a thread that is no worker */
}

static int wait_when_cancelled(void *arg) {
    (void)arg;
    filch_cond cond = FILCH_COND_INIT;
    filch_mutex mutex = FILCH_MUTEX_INIT;
    filch_scope scope;
    check_int(filch_mutex_lock(&mutex, FILCH_NEVER), 0);
    check_int(filch_scope_open(&scope, NULL), 0);
    filch_scope_cancel(&scope);
    check_int(filch_cond_wait(&cond, &mutex, FILCH_NEVER), -ECANCELED);
    filch_scope_close(&scope);
    filch_mutex_unlock(&mutex);
    filch_mutex_fini(&mutex);
    filch_cond_fini(&cond);
    return 0;
}

TEST(cond, a_wait_in_a_cancelled_scope_ends_at_once_with_the_mutex_held) {
    run_with_each(wait_when_cancelled, NULL);
}

static int cancel_one_that_waits(void *arg) {
    (void)arg;
    struct stage stage;
    start_listeners(&stage, 3, FILCH_NEVER);
    filch_task_cancel(stage.tasks[0]);
    check_int(result_of(stage.tasks[0]), -ECANCELED);
    filch_cond_signal(&stage.cond); /* for the next */
    check_int(result_of(stage.tasks[1]), 0);
    check_int(waiting_in(&stage.cond.filch__latch, &stage.cond.filch__waiters), 1);
    filch_cond_broadcast(&stage.cond);
    check_int(result_of(stage.tasks[2]), 0);
    end_stage(&stage);
    return 0;
}

TEST(cond, one_that_waits_is_cancelled_with_the_mutex_held) {
    run_with_each(cancel_one_that_waits, NULL);
}

/* The signal and the cancellation come together, in this order or the other: exactly one wait ends by the signal. */
static int signal_and_cancel(void *arg) {
    bool cancel_first = *(bool *)arg;
    struct stage stage;
    start_listeners(&stage, 2, FILCH_NEVER);
    if (cancel_first) filch_task_cancel(stage.tasks[0]);
    filch_cond_signal(&stage.cond);
    if (!cancel_first) filch_task_cancel(stage.tasks[0]);
    int result = result_of(stage.tasks[0]);
    check(result == 0 || result == -ECANCELED);
    if (!cancel_first) check_int(result, 0);
    if (result == 0) {
        until_wait_at(&stage.cond, 1); /* the second has received nothing */
        filch_cond_signal(&stage.cond);
    }
    check_int(result_of(stage.tasks[1]), 0);
    check_int(stage.orders, 2);
    end_stage(&stage);
    return 0;
}

TEST(cond, a_signal_is_not_lost_with_a_receiver_that_is_cancelled) {
    for (int i = 0; i < 50; i++) {
        run_with_each(signal_and_cancel, &(bool){false});
        run_with_each(signal_and_cancel, &(bool){true});
    }
}

/* Signalled, and cancelled while it waits for the mutex again. */
static int cancel_while_it_locks(void *arg) {
    (void)arg;
    struct stage stage;
    start_listeners(&stage, 1, FILCH_NEVER);
    check_int(filch_mutex_lock(&stage.mutex, FILCH_NEVER), 0);
    filch_cond_signal(&stage.cond);
    until_wait_at(&stage.mutex, 1);
    filch_task_cancel(stage.tasks[0]);
    for (int i = 0; i < 10; i++) filch_yield();
    check_int(waiting_in(&stage.mutex.filch__latch, &stage.mutex.filch__waiters), 1);
    check_int(stage.orders, 0);
    filch_mutex_unlock(&stage.mutex);
    check_int(result_of(stage.tasks[0]), 0);
    end_stage(&stage);
    return 0;
}

TEST(cond, one_cancelled_while_it_waits_for_the_mutex_again_gets_it) {
    run_with_each(cancel_while_it_locks, NULL);
}

static int cancel_twice(void *arg) {
    (void)arg;
    struct stage stage;
    start_listeners(&stage, 1, filch_after(FILCH_MS(5)));
    check_int(filch_mutex_lock(&stage.mutex, FILCH_NEVER), 0);
    until_wait_at(&stage.mutex, 1); /* expired */
    filch_task_cancel(stage.tasks[0]);
    for (int i = 0; i < 10; i++) filch_yield();
    filch_mutex_unlock(&stage.mutex);
    check_int(result_of(stage.tasks[0]), -ETIMEDOUT);
    end_stage(&stage);
    return 0;
}

TEST(cond, one_that_expired_and_is_cancelled_while_it_locks_has_expired) {
    run_with_each(cancel_twice, NULL);
}

/*
 * One signal for each item, consumers of one item each, a third of which is cancelled: if a signal got lost, the items
 * would not reach those who wait.
 */
struct shop {
    filch_mutex mutex;
    filch_cond stocked;
    int items, sold;
};

static int buy(void *arg) {
    struct shop *shop = arg;
    int error = filch_mutex_lock(&shop->mutex, FILCH_NEVER);
    if (error) return error;
    while (!error && shop->items == 0) error = filch_cond_wait(&shop->stocked, &shop->mutex, FILCH_NEVER);
    if (!error) {
        shop->items--;
        shop->sold++;
    }
    filch_mutex_unlock(&shop->mutex);
    return error;
}

static int sell(void *arg) {
    (void)arg;
    for (uint32_t round = 1; round <= 100 / TEST_SCALE; round++) {
        enum { BUYERS = 30 };
        struct shop shop = {.items = 0};
        filch_task *buyers[BUYERS];
        uint32_t random = round;
        int served = 0;
        for (int i = 0; i < BUYERS; i++) buyers[i] = start(buy, &shop);
        for (int i = 0; i < BUYERS; i++) {
            if (chance(&random, 2)) filch_yield();
            if (i % 3 == 0) filch_task_cancel(buyers[chance(&random, BUYERS)]);
            check_int(filch_mutex_lock(&shop.mutex, FILCH_NEVER), 0);
            shop.items++;
            filch_cond_signal(&shop.stocked);
            filch_mutex_unlock(&shop.mutex);
        }
        for (int i = 0; i < BUYERS; i++) served += result_of(buyers[i]) == 0;
        check_int(shop.sold, served);
        check_int(shop.items, BUYERS - served);
        filch_cond_fini(&shop.stocked);
        filch_mutex_fini(&shop.mutex);
    }
    return 0;
}

TEST(cond, items_reach_those_who_wait_though_others_are_cancelled) {
    run_with_each(sell, NULL);
}

/* --------------------------------------------------------------------------------------------------------- misuse */

TEST_DIES(cond, waiting_without_the_mutex_aborts, "cond_wait: only its owner may") {
    filch_cond cond = FILCH_COND_INIT;
    filch_mutex mutex = FILCH_MUTEX_INIT;
    (void)!filch_cond_wait(&cond, &mutex, FILCH_NEVER);
}

static int wait_with_another_mutex(void *arg) {
    (void)arg;
    struct stage stage;
    filch_mutex other = FILCH_MUTEX_INIT;
    start_listeners(&stage, 1, FILCH_NEVER);
    check_int(filch_mutex_lock(&other, FILCH_NEVER), 0);
    return filch_cond_wait(&stage.cond, &other, FILCH_NEVER);
}

TEST_DIES(cond, waiting_with_two_mutexes_aborts, "one mutex at a time") {
    run_with(1, wait_with_another_mutex, NULL);
}

static int end_while_waited_for(void *arg) {
    (void)arg;
    struct stage stage;
    start_listeners(&stage, 1, FILCH_NEVER);
    filch_cond_fini(&stage.cond);
    return 0;
}

TEST_DIES(cond, ending_the_use_of_one_that_is_waited_for_aborts, "is waited for") {
    run_with(1, end_while_waited_for, NULL);
}
