/* SPDX-License-Identifier: MIT */
/* What the tests of cancellation and of reports share: one of each call that waits, none of which goes on by itself. */
#ifndef FILCH_TESTS_API_WAITS_H
#define FILCH_TESTS_API_WAITS_H

#include <errno.h>
#include <filch/filch.h>
#include <stdatomic.h>
#include <string.h>

#include "tests/api/workers.h"

/* Objects at which everybody waits: whatever could be taken is taken. */
struct waits {
    filch_mutex mutex, cond_mutex;
    filch_cond cond;
    filch_rwlock lock;
    filch_sem sem;
    filch_event event;
    filch_future future;
    filch_queue empty, full;
    filch_chan *chan;
    filch_barrier barrier;
    filch_wait_group group;
    filch_once once;
    filch_task *in_once;
};

static inline int sleep_for_ever(void *arg) {
    (void)arg;
    return filch_sleep_until(FILCH_NEVER);
}

static inline int stay_in_once(void *arg) {
    return filch_once_run(&((struct waits *)arg)->once, sleep_for_ever, NULL, FILCH_NEVER);
}

/* By a task that is not cancelled; it holds the locks until waits_end. */
static inline void waits_begin(struct waits *waits) {
    memset(waits, 0, sizeof *waits);
    filch_mutex_init(&waits->mutex);
    filch_mutex_init(&waits->cond_mutex);
    filch_cond_init(&waits->cond);
    filch_rwlock_init(&waits->lock);
    filch_event_init(&waits->event);
    filch_once_init(&waits->once);
    check_int(filch_sem_init(&waits->sem, 0, 0), 0);
    check_int(filch_future_init(&waits->future), 0);
    check_int(filch_queue_init(&waits->empty, sizeof(int), NULL), 0);
    check_int(filch_queue_init(&waits->full, sizeof(int), &(filch_queue_options){.capacity = 1}), 0);
    check_int(filch_queue_try_put(&waits->full, &(int){1}), 0);
    check_int(filch_chan_create(&waits->chan, sizeof(int), 0), 0);
    check_int(filch_barrier_init(&waits->barrier, 1u << 20), 0);
    check_int(filch_wait_group_init(&waits->group), 0);
    filch_wait_group_add(&waits->group, 1);
    check_int(filch_mutex_lock(&waits->mutex, FILCH_NEVER), 0);
    check_int(filch_rwlock_write(&waits->lock, FILCH_NEVER), 0);
    check_int(filch_spawn(&waits->in_once, stay_in_once, waits, NULL), 0);
    filch_sleep(FILCH_MS(1)); /* it is there, or will be in time: who comes first to the once waits as well */
}

/* Nobody waits any more: the objects say so themselves. */
static inline void waits_end(struct waits *waits) {
    filch_task_cancel(waits->in_once);
    check_int(filch_await(waits->in_once, NULL, FILCH_NEVER), 0);
    filch_rwlock_write_unlock(&waits->lock);
    filch_mutex_unlock(&waits->mutex);
    filch_wait_group_done(&waits->group);
    filch_wait_group_fini(&waits->group);
    filch_barrier_fini(&waits->barrier);
    filch_chan_destroy(waits->chan);
    filch_queue_fini(&waits->full);
    filch_queue_fini(&waits->empty);
    filch_future_fini(&waits->future);
    filch_sem_fini(&waits->sem);
    filch_once_fini(&waits->once);
    filch_event_fini(&waits->event);
    filch_rwlock_fini(&waits->lock);
    filch_cond_fini(&waits->cond);
    filch_mutex_fini(&waits->cond_mutex);
    filch_mutex_fini(&waits->mutex);
}

/* ---------------------------------------------------------------------------------------------- one call of each kind */

typedef int wait_fn(struct waits *waits, filch_deadline deadline);

static inline int wait_sleep(struct waits *waits, filch_deadline deadline) {
    (void)waits;
    int answer = filch_sleep_until(deadline);
    return answer == 0 ? -ETIMEDOUT : answer; /* as the others */
}

static inline int wait_await(struct waits *waits, filch_deadline deadline) {
    (void)waits;
    filch_task *task;
    check_int(filch_spawn(&task, sleep_for_ever, NULL, NULL), 0);
    if (deadline.at_ns == INT64_MAX) deadline = filch_after(FILCH_SEC(1000)); /* else it may be called in place */
    int answer = filch_await(task, NULL, deadline);
    if (answer == 0) return 0; /* it was cancelled as well, by whoever cancels all */
    filch_task_cancel(task);
    filch_task_detach(task);
    return answer;
}

static inline int wait_await_n(struct waits *waits, filch_deadline deadline) {
    (void)waits;
    filch_task *tasks[2];
    size_t order[2];
    for (int i = 0; i < 2; i++) check_int(filch_spawn(&tasks[i], sleep_for_ever, NULL, NULL), 0);
    ssize_t answer = filch_await_n(tasks, 2, 1, order, deadline);
    for (int i = 0; i < 2; i++) {
        filch_task_cancel(tasks[i]);
        filch_task_detach(tasks[i]);
    }
    return (int)answer;
}

static inline int wait_mutex(struct waits *waits, filch_deadline deadline) {
    return filch_mutex_lock(&waits->mutex, deadline);
}

static inline int wait_cond(struct waits *waits, filch_deadline deadline) {
    filch_shield shield;
    filch_shield_begin(&shield);
    check_int(filch_mutex_lock(&waits->cond_mutex, FILCH_NEVER), 0);
    filch_shield_end(&shield);
    int answer = filch_cond_wait(&waits->cond, &waits->cond_mutex, deadline);
    filch_mutex_unlock(&waits->cond_mutex); /* which is the caller's, whatever the answer */
    return answer;
}

static inline int wait_read(struct waits *waits, filch_deadline deadline) {
    return filch_rwlock_read(&waits->lock, deadline);
}

static inline int wait_write(struct waits *waits, filch_deadline deadline) {
    return filch_rwlock_write(&waits->lock, deadline);
}

static inline int wait_sem(struct waits *waits, filch_deadline deadline) {
    return filch_sem_acquire(&waits->sem, deadline);
}

static inline int wait_event(struct waits *waits, filch_deadline deadline) {
    return filch_event_wait(&waits->event, deadline);
}

static inline int wait_future(struct waits *waits, filch_deadline deadline) {
    int result;
    void *value;
    return filch_future_wait(&waits->future, &result, &value, deadline);
}

static inline int wait_get(struct waits *waits, filch_deadline deadline) {
    return filch_queue_get(&waits->empty, &(int){0}, deadline);
}

static inline int wait_put(struct waits *waits, filch_deadline deadline) {
    return filch_queue_put(&waits->full, &(int){2}, deadline);
}

static inline int wait_queue_join(struct waits *waits, filch_deadline deadline) {
    return filch_queue_join(&waits->full, deadline);
}

static inline int wait_recv(struct waits *waits, filch_deadline deadline) {
    return filch_chan_recv(waits->chan, &(int){0}, deadline);
}

static inline int wait_select(struct waits *waits, filch_deadline deadline) {
    int into;
    filch_case cases[] = {filch_case_recv(waits->chan, &into), filch_case_event(&waits->event),
                          filch_case_future(&waits->future)};
    return filch_select(cases, 3, deadline);
}

static inline int wait_group(struct waits *waits, filch_deadline deadline) {
    return filch_wait_group_wait(&waits->group, deadline);
}

static inline int wait_once(struct waits *waits, filch_deadline deadline) {
    return filch_once_run(&waits->once, sleep_for_ever, NULL, deadline);
}

static inline int wait_ticker(struct waits *waits, filch_deadline deadline) {
    (void)waits;
    filch_ticker ticker;
    check_int(filch_ticker_init(&ticker, FILCH_SEC(1000)), 0);
    return (int)filch_ticker_wait(&ticker, deadline);
}

/* Last: who is cut short there breaks the barrier for all. */
static inline int wait_barrier(struct waits *waits, filch_deadline deadline) {
    return filch_barrier_wait(&waits->barrier, deadline);
}

static wait_fn *const wait_kinds[] = {
    wait_sleep, wait_await,  wait_await_n, wait_mutex,  wait_cond,    wait_read, wait_write,
    wait_sem,   wait_event,  wait_future,  wait_get,    wait_put,     wait_recv, wait_queue_join,
    wait_once,  wait_select, wait_group,   wait_ticker, wait_barrier,
};

enum { WAIT_KINDS = sizeof wait_kinds / sizeof wait_kinds[0], WAIT_ALIKE = WAIT_KINDS - 1 /* without the barrier */ };

/* ----------------------------------------------------------------------------------------------------------- helpers */

/* How many tasks of the runtime wait, or do something else. */
struct census {
    int waiting, others;
};

static inline int count_census(const filch_task_info *info, void *arg) {
    struct census *census = arg;
    if (info->state == FILCH_TASK_WAITING) {
        census->waiting++;
    } else {
        census->others++;
    }
    return 0;
}

/* Lets others run until so many tasks wait, the caller not counted. */
static inline void until_tasks_wait(filch_runtime *runtime, int count) {
    for (;;) {
        struct census census = {0};
        check_int(filch_task_each(runtime, count_census, &census), 0);
        if (census.waiting == count) return;
        filch_sleep(FILCH_US(100));
    }
}

#endif
