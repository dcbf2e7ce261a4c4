/* SPDX-License-Identifier: MIT */
/*
 * Proves filch_await_n: that it waits for as many as are wanted and says which have ended, in the order in which they did;
 * that it leaves all handles as they were, however it ends; and what it answers to bad arguments, want of memory and
 * misuse.
 */
#include <pthread.h>
#include <stdlib.h>

#include "alloc/heap.h"
#include "tests/api/waits.h"

static int return_it(void *arg) {
    return (int)(intptr_t)arg;
}

static int wait_for_event(void *event) {
    check_int(filch_event_wait(event, FILCH_NEVER), 0);
    return 7;
}

/* Tasks that end when their event is set. */
struct group {
    int count;
    filch_event *events;
    filch_task **tasks;
    size_t *order;
};

static void group_begin(struct group *group, int count) {
    *group = (struct group){.count = count};
    group->events = calloc((size_t)count, sizeof *group->events);
    group->tasks = calloc((size_t)count, sizeof *group->tasks);
    group->order = calloc((size_t)count, sizeof *group->order);
    check(group->events != NULL && group->tasks != NULL && group->order != NULL);
    for (int i = 0; i < count; i++) {
        filch_event_init(&group->events[i]);
        group->tasks[i] = start(wait_for_event, &group->events[i]);
    }
}

static void end_one(struct group *group, int which) {
    filch_event_set(&group->events[which]);
}

/* Ends those that have not ended, and gives all handles up. */
static void group_end(struct group *group) {
    for (int i = 0; i < group->count; i++) end_one(group, i);
    for (int i = 0; i < group->count; i++) {
        check_int(result_of(group->tasks[i]), 7);
        filch_event_fini(&group->events[i]);
    }
    free(group->events);
    free(group->tasks);
    free(group->order);
}

static ssize_t await_group(struct group *group, int wanted, filch_deadline deadline) {
    return filch_await_n(group->tasks, (size_t)group->count, (size_t)wanted, group->order, deadline);
}

/* What it has said: so many different ones, each of which has ended. */
static void check_order(struct group *group, ssize_t ended) {
    char seen[256] = {0};
    for (ssize_t i = 0; i < ended; i++) {
        check(group->order[i] < (size_t)group->count);
        check(seen[group->order[i]]++ == 0);
        check(filch_task_done(group->tasks[group->order[i]]));
    }
}

static const int sizes[] = {1, 2, 3, 15, 16, 17, 40, 200}; /* sixteen need no memory */
enum { SIZES = sizeof sizes / sizeof sizes[0] };

/* Another task ends them, one after the other, once the awaiter waits. */
struct ender {
    struct group *group;
    int first, step, count;
};

static int end_in_turn(void *arg) {
    struct ender *ender = arg;
    for (int i = 0, which = ender->first; i < ender->count; i++, which += ender->step) {
        filch_sleep(FILCH_US(50));
        end_one(ender->group, which);
        while (!filch_task_done(ender->group->tasks[which])) filch_yield();
    }
    return 0;
}

static int order_of_ends(void *arg) {
    (void)arg;
    for (int s = 0; s < SIZES - 1; s++) {
        struct group group;
        group_begin(&group, sizes[s]);
        struct ender ender = {&group, sizes[s] - 1, -1, sizes[s]}; /* the last first */
        filch_task *task = start(end_in_turn, &ender);
        check_int(await_group(&group, sizes[s], FILCH_NEVER), sizes[s]);
        check_order(&group, sizes[s]);
        bool alone = filch_runtime_workers(filch_runtime_current()) == 1; /* else they end at about the same time */
        for (int i = 0; alone && i < sizes[s]; i++) check_int(group.order[i], sizes[s] - 1 - i);
        check_int(result_of(task), 0);
        check_int(await_group(&group, sizes[s], FILCH_NEVER), sizes[s]); /* the handles are good; it does not wait */
        check_order(&group, sizes[s]);
        group_end(&group);
    }
    return 0;
}

TEST(await_n, all_are_told_in_the_order_in_which_they_ended) {
    run_with_all(order_of_ends, NULL);
}

static int any_of_them(void *arg) {
    (void)arg;
    for (int s = 0; s < SIZES; s++) {
        struct group group;
        group_begin(&group, sizes[s]);
        int which = sizes[s] / 2;
        struct ender ender = {&group, which, 1, 1};
        filch_task *task = start(end_in_turn, &ender);
        check_int(await_group(&group, 1, FILCH_NEVER), 1);
        check_int(group.order[0], which);
        check_int(await_group(&group, 0, FILCH_NEVER), 1); /* none is wanted, one has ended */
        check_int(group.order[0], which);
        check_int(result_of(task), 0);
        group_end(&group);
    }
    return 0;
}

TEST(await_n, the_first_to_end_is_enough_for_one_that_is_wanted) {
    run_with_all(any_of_them, NULL);
}

static int some_of_them(void *arg) {
    (void)arg;
    for (int s = 3; s < SIZES; s++) {
        struct group group;
        group_begin(&group, sizes[s]);
        end_one(&group, 3); /* has ended before the call */
        while (!filch_task_done(group.tasks[3])) filch_yield();
        struct ender ender = {&group, 5, 1, 4};
        filch_task *task = start(end_in_turn, &ender);
        ssize_t ended = await_group(&group, 4, FILCH_NEVER);
        check(ended == 4 || ended == 5);
        check_order(&group, ended);
        check_int(group.order[0], 3);
        check_int(result_of(task), 0);
        group_end(&group);
    }
    return 0;
}

TEST(await_n, as_many_as_are_wanted_are_waited_for) {
    run_with_all(some_of_them, NULL);
}

/* as_completed: again and again, what has not been dealt with yet. */
static int as_completed(void *arg) {
    (void)arg;
    enum { COUNT = 30 };
    filch_task *tasks[COUNT];
    size_t order[COUNT], left = COUNT;
    for (int i = 0; i < COUNT; i++) tasks[i] = start(return_it, (void *)(intptr_t)1);
    int sum = 0;
    while (left > 0) {
        ssize_t ended = filch_await_n(tasks, left, 1, order, FILCH_NEVER);
        check(ended >= 1 && ended <= (ssize_t)left);
        for (ssize_t i = 0; i < ended; i++) {
            sum += result_of(tasks[order[i]]);
            tasks[order[i]] = NULL;
        }
        size_t kept = 0;
        for (size_t i = 0; i < left; i++) {
            if (tasks[i] != NULL) tasks[kept++] = tasks[i];
        }
        left = kept;
    }
    check_int(sum, COUNT);
    return 0;
}

TEST(await_n, what_has_ended_is_dealt_with_and_the_rest_awaited_again) {
    run_with_all(as_completed, NULL);
}

/* ----------------------------------------------------------------------------------------------------- cut short */

static int times_out(void *arg) {
    (void)arg;
    for (int s = 1; s < SIZES; s++) {
        struct group group;
        group_begin(&group, sizes[s]);
        end_one(&group, 0);
        while (!filch_task_done(group.tasks[0])) filch_yield();
        int64_t before = filch_now();
        check_int(await_group(&group, 2, filch_after(FILCH_US(300))), -ETIMEDOUT);
        check(filch_now() - before >= FILCH_US(300));
        check_int(await_group(&group, 2, (filch_deadline){0}), -ETIMEDOUT);
        check_int(await_group(&group, 1, (filch_deadline){0}), 1); /* enough: the deadline does not matter */
        check_int(filch_await(group.tasks[1], NULL, (filch_deadline){0}), -ETIMEDOUT); /* the handles are as before */
        group_end(&group);
    }
    return 0;
}

TEST(await_n, a_deadline_cuts_it_short_and_changes_nothing) {
    run_with_all(times_out, NULL);
}

static int await_two_of_group(void *arg) {
    struct group *group = arg;
    ssize_t answer = await_group(group, 2, FILCH_NEVER);
    check_int(answer, -ECANCELED);
    check_int(await_group(group, 1, FILCH_NEVER), -ECANCELED);
    check_int(await_group(group, 0, FILCH_NEVER), -ECANCELED);
    return 5;
}

static int is_cancelled(void *arg) {
    (void)arg;
    for (int s = 1; s < SIZES; s++) {
        struct group group;
        group_begin(&group, sizes[s]);
        filch_task *awaiter = start(await_two_of_group, &group);
        filch_sleep(FILCH_US(200));
        filch_task_cancel(awaiter);
        int result = result_of(awaiter);
        check(result == 5 || result == -ECANCELED); /* it has not begun */
        for (int i = 0; i < group.count; i++)
            check(!filch_task_done(group.tasks[i])); /* they are not cancelled with it */
        group_end(&group);
    }
    return 0;
}

TEST(await_n, cancellation_cuts_it_short_and_is_not_handed_on) {
    run_with_all(is_cancelled, NULL);
}

/* -------------------------------------------------------------------------------------------------------- races */

static uint32_t chance(uint32_t *random, uint32_t count) {
    *random = *random * 1664525u + 1013904223u;
    return (*random >> 8) % count;
}

static int end_at_random(void *arg) {
    uint32_t random = (uint32_t)(uintptr_t)arg;
    for (uint32_t yields = chance(&random, 20); yields > 0; yields--) filch_yield();
    if (chance(&random, 3) == 0) filch_sleep(chance(&random, 50000));
    return 3;
}

/* Tasks that end at any time, awaited together with any number wanted and any deadline, then one by one. */
static void await_at_random(filch_task **tasks, size_t count, uint32_t *random) {
    size_t order[40], wanted = chance(random, (uint32_t)count + 1);
    filch_deadline deadline = chance(random, 3) == 0 ? FILCH_NEVER : filch_after(chance(random, 60000));
    ssize_t ended = filch_await_n(tasks, count, wanted, order, deadline);
    memset(&deadline, 0xdd, sizeof deadline);
    check(ended == -ETIMEDOUT || (ended >= (ssize_t)wanted && ended <= (ssize_t)count));
    uint64_t seen = 0;
    for (ssize_t i = 0; i < ended; i++) {
        check(order[i] < count && !(seen & (uint64_t)1 << order[i]));
        seen |= (uint64_t)1 << order[i];
        check(filch_task_done(tasks[order[i]]));
    }
}

static int race_ends(void *arg) {
    uint32_t random = 4711u + (uint32_t)(uintptr_t)arg;
    for (int round = 0; round < 300 / TEST_SCALE; round++) {
        filch_task *tasks[40];
        size_t count = 1 + chance(&random, 40);
        for (size_t i = 0; i < count; i++) {
            tasks[i] = start(end_at_random, (void *)(uintptr_t)(random + i * 77));
        }
        for (int i = 0; i < 3; i++) await_at_random(tasks, count, &random);
        for (size_t i = 0; i < count; i++) check_int(result_of(tasks[i]), 3);
    }
    return 0;
}

static int race_in_parallel(void *arg) {
    filch_task *tasks[4];
    for (uintptr_t i = 0; i < 4; i++) tasks[i] = start(race_ends, (void *)i);
    for (int i = 0; i < 4; i++) check_int(result_of(tasks[i]), 0);
    (void)arg;
    return 0;
}

TEST(await_n, ends_race_time_outs_and_nothing_is_lost) {
    run_with_all(race_in_parallel, NULL);
}

/* ---------------------------------------------------------------------------------------------- foreign threads */

TEST(await_n, a_foreign_thread_may_await_several) {
    for (size_t w = 0; w < TEST_WORKERS; w++) {
        filch_runtime *runtime;
        filch_task *tasks[40];
        size_t order[40];
        check_int(filch_runtime_create(&runtime, &(filch_options){.workers = test_workers[w]}), 0);
        uint32_t random = 99;
        for (int round = 0; round < 30; round++) {
            for (uintptr_t i = 0; i < 40; i++) {
                void *seed = (void *)(i * 4099 + (uintptr_t)round);
                check_int(filch_runtime_spawn(runtime, &tasks[i], end_at_random, seed, NULL), 0);
            }
            await_at_random(tasks, 40, &random);
            check_int(filch_await_n(tasks, 40, 40, order, FILCH_NEVER), 40);
            for (int i = 0; i < 40; i++) check_int(result_of(tasks[i]), 3);
        }
        check_int(filch_runtime_destroy(runtime), 0);
    }
}

/* Tasks of two runtimes, awaited by a task of a third. */
static int await_abroad(void *arg) {
    filch_runtime **others = arg;
    for (int round = 0; round < 50; round++) {
        filch_task *tasks[10];
        size_t order[10];
        for (uintptr_t i = 0; i < 10; i++) {
            check_int(filch_runtime_spawn(others[i % 2], &tasks[i], end_at_random, (void *)(i + 5), NULL), 0);
        }
        check(filch_await_n(tasks, 10, 5, order, FILCH_NEVER) >= 5);
        check_int(filch_await_n(tasks, 10, 10, order, FILCH_NEVER), 10);
        for (int i = 0; i < 10; i++) check_int(result_of(tasks[i]), 3);
    }
    return 0;
}

TEST(await_n, tasks_of_several_runtimes_may_be_awaited_together) {
    filch_runtime *others[2];
    for (int i = 0; i < 2; i++) check_int(filch_runtime_create(&others[i], &(filch_options){.workers = 2}), 0);
    run_with(2, await_abroad, others);
    for (int i = 0; i < 2; i++) check_int(filch_runtime_destroy(others[i]), 0);
}

/* --------------------------------------------------------------------------------------- bad arguments, want, misuse */

static int bad_arguments(void *arg) {
    (void)arg;
    struct group group;
    group_begin(&group, 3);
    filch_task *with_null[] = {group.tasks[0], NULL}, *with_self[] = {group.tasks[0], filch_self()};
    size_t order[3];
    check_int(filch_await_n(group.tasks, 3, 4, order, FILCH_NEVER), -EINVAL);
    check_int(filch_await_n(NULL, 3, 1, order, FILCH_NEVER), -EINVAL);
    check_int(filch_await_n(group.tasks, 3, 1, NULL, FILCH_NEVER), -EINVAL);
    check_int(filch_await_n(with_null, 2, 1, order, FILCH_NEVER), -EINVAL);
    check_int(filch_await_n(with_self, 2, 1, order, FILCH_NEVER), -EDEADLK);
    check_int(filch_await_n(NULL, 0, 0, NULL, FILCH_NEVER), 0);
    check_int(filch_await_n(NULL, 0, 1, NULL, FILCH_NEVER), -EINVAL);
    filch__alloc_fail(1, true);
    ssize_t few = filch_await_n(group.tasks, 3, 0, order, FILCH_NEVER);
    filch__alloc_fail(0, false);
    check_int(few, 0); /* no memory is needed for few */
    group_end(&group);

    size_t before = filch__heap_objects();
    group_begin(&group, 17);
    filch__alloc_fail(1, true);
    ssize_t many = await_group(&group, 0, FILCH_NEVER);
    filch__alloc_fail(0, false);
    check_int(many, -ENOMEM);
    check_int(await_group(&group, 0, FILCH_NEVER), 0);
    group_end(&group);
    check(filch__heap_objects() >= before); /* what was got is slabs and stacks, which the runtime keeps */
    return 0;
}

TEST(await_n, bad_arguments_and_want_of_memory_are_answered) {
    size_t before = filch__heap_objects();
    run_with_all(bad_arguments, NULL);
    check_int(filch__heap_objects(), before);
}

static int await_one_twice(void *arg) {
    (void)arg;
    filch_task *task = start(sleep_for_ever, NULL), *twice[] = {task, task};
    size_t order[2];
    return (int)filch_await_n(twice, 2, 1, order, FILCH_NEVER);
}

TEST_DIES(await_n, a_task_that_stands_there_twice_aborts, "is awaited by another") {
    filch_run(await_one_twice, NULL, &(filch_options){.workers = 1});
}

static int await_for_ever(void *arg) {
    return filch_await(arg, NULL, filch_after(FILCH_SEC(1000)));
}

static int await_awaited(void *arg) {
    (void)arg;
    filch_task *task = start(sleep_for_ever, NULL);
    start(await_for_ever, task);
    filch_sleep(FILCH_MS(1));
    size_t order[1];
    return (int)filch_await_n(&task, 1, 1, order, FILCH_NEVER);
}

TEST_DIES(await_n, a_task_that_another_awaits_aborts, "is awaited by another") {
    filch_run(await_awaited, NULL, &(filch_options){.workers = 1});
}

static int await_gone(void *arg) {
    (void)arg;
    filch_task *task = start(return_it, NULL);
    check_int(result_of(task), 0);
    size_t order[1];
    return (int)filch_await_n(&task, 1, 1, order, FILCH_NEVER);
}

TEST_DIES(await_n, a_handle_that_was_given_up_aborts, "a handle is given up once") {
    filch_run(await_gone, NULL, &(filch_options){.workers = 1});
}
