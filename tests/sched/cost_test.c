/* SPDX-License-Identifier: MIT */
/* Proves the figures of docs/MEMORY.md: what stands where a task waits, and that a wait asks for no memory. */
#include <errno.h>
#include <filch/filch.h>
#include <stdio.h>

#include "alloc/heap.h"
#include "alloc/stack.h"
#include "sched/task.h"
#include "sched/timer.h"
#include "sched/waitlist.h"
#include "sync/chan.h"
#include "sync/values.h"
#include "tests/api/workers.h"

TEST(cost, sizes_are_those_that_are_told) {
    check_int(sizeof(struct filch_task), 64);
    check_int(sizeof(struct filch__task_extra), 96);
    check_int(sizeof(struct filch__waiter), 128);
    check_int(sizeof(struct filch__clause), 56);
    check_int(sizeof(struct filch__timer), 64);
    check_int(sizeof(filch_frame), 40);
    check_int(sizeof(filch_scope), 216);
    check_int(sizeof(filch_shield), 24);
    check_int(sizeof(struct filch_chan), 128);
    check_int(sizeof(filch_queue), 144);
    check_int(sizeof(struct filch__value), 32);
}

struct objects {
    filch_chan *chan;
    filch_mutex mutex;
    filch_event event;
    filch_sem sem;
};

static int holder(void *arg) {
    struct objects *objects = arg;
    check_int(filch_mutex_lock(&objects->mutex, FILCH_NEVER), 0);
    check_int(filch_event_wait(&objects->event, FILCH_NEVER), 0);
    filch_mutex_unlock(&objects->mutex);
    return 0;
}

/* Each of these parks, with a timer. */
static void wait_in_vain(struct objects *objects) {
    int value;
    filch_case cases[16];
    for (int i = 0; i < 16; i++) {
        cases[i] = i % 2 ? filch_case_recv(objects->chan, &value) : filch_case_deadline(filch_after(FILCH_SEC(60)));
    }
    check_int(filch_sleep(FILCH_US(200)), 0);
    check_int(filch_chan_recv(objects->chan, &value, filch_after(FILCH_US(200))), -ETIMEDOUT);
    check_int(filch_mutex_lock(&objects->mutex, filch_after(FILCH_US(200))), -ETIMEDOUT);
    check_int(filch_sem_acquire(&objects->sem, filch_after(FILCH_US(200))), -ETIMEDOUT);
    check_int(filch_select(cases, 16, filch_after(FILCH_US(200))), -ETIMEDOUT);
}

static int waits(void *arg) {
    struct objects *objects = arg;
    filch_task *task;
    check_int(filch_spawn(&task, holder, objects, NULL), 0);
    wait_in_vain(objects); /* the worker has the stacks afterwards that it needs */
    filch__alloc_fail(0, false);
    wait_in_vain(objects);
    check_int(filch__alloc_requests(), 0);
    filch_event_set(&objects->event);
    check_int(filch_await(task, NULL, FILCH_NEVER), 0);
    return 0;
}

TEST(cost, a_wait_asks_for_no_memory_once_there_are_stacks) {
    struct objects objects = {.mutex = FILCH_MUTEX_INIT, .event = FILCH_EVENT_INIT};
    check_int(filch_chan_create(&objects.chan, sizeof(int), 0), 0);
    check_int(filch_sem_init(&objects.sem, 0, 0), 0);
    check_int(filch_run(waits, &objects, &(filch_options){.workers = 1, .no_monitor = true}), 0);
    filch_chan_destroy(objects.chan);
}

/* ------------------------------------------------------------------------------------------------- stacks in use */

static int sleeps(void *arg) {
    (void)arg;
    return filch_sleep_until(FILCH_NEVER);
}

static int receives(void *arg) {
    int value;
    return filch_chan_recv(arg, &value, filch_after(FILCH_SEC(60)));
}

static int selects(void *arg) {
    int value;
    filch_case cases[] = {filch_case_recv(arg, &value), filch_case_recv(arg, &value)};
    return filch_select(cases, 2, filch_after(FILCH_SEC(60)));
}

/* From the top of the stack, where the loop begins, to the saved registers. */
static void measure(const struct filch__waiter *waiter, void *arg) {
    *(size_t *)arg = (size_t)((char *)filch__stack_top(waiter->stack) - (char *)waiter->context);
}

static size_t bytes_in_use(filch_fn *fn, void *arg) {
    filch_task *task;
    size_t bytes = 0;
    check_int(filch_spawn(&task, fn, arg, NULL), 0);
    while (!filch__park_look(filch_runtime_current(), task, measure, &bytes)) filch_sleep(FILCH_US(100));
    filch_task_cancel(task);
    int result;
    check_int(filch_await(task, &result, FILCH_NEVER), 0);
    check_int(result, -ECANCELED);
    return bytes;
}

static int measures(void *arg) {
    size_t asleep = bytes_in_use(sleeps, NULL), receiving = bytes_in_use(receives, arg);
    size_t selecting = bytes_in_use(selects, arg);
    printf("bytes of its stack in use by a task that sleeps: %zu; receives, with a deadline: %zu; selects: %zu\n",
           asleep, receiving, selecting);
#ifndef TEST_SLOW /* sanitizers make frames larger; so does a compiler that does not optimize, but not that much */
    check(asleep < 3072);
    check(receiving < 3072);
    check(selecting < 3968);
#endif
    return 0;
}

TEST(cost, a_task_that_waits_uses_a_part_of_a_page) {
    filch_chan *chan;
    check_int(filch_chan_create(&chan, sizeof(int), 0), 0);
    check_int(filch_run(measures, chan, NULL), 0);
    filch_chan_destroy(chan);
}
