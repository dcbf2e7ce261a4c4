/* SPDX-License-Identifier: MIT */
/*
 * Proves task-locals: who inherits what, that what is set later is seen by one side only, that forked children share, and
 * that each destructor is called exactly once, when the last task that had the value has ended.
 */
#include <stdlib.h>

#include "alloc/heap.h"
#include "tests/api/waits.h"

static filch_local first, second;
static filch_local many[20];

static void count_down(void *value) {
    atomic_fetch_sub((atomic_int *)value, 1);
}

static void set(const filch_local *key, void *value, void (*destroy)(void *value)) {
    check_int(filch_local_set(key, value, destroy), 0);
}

static int values_are_kept(void *arg) {
    int values[20];
    (void)arg;
    check(filch_local_get(&first) == NULL);
    for (int i = 0; i < 20; i++) set(&many[i], &values[i], NULL);
    for (int i = 0; i < 20; i++) check(filch_local_get(&many[i]) == &values[i]);
    for (int i = 0; i < 20; i++) filch_yield();
    for (int i = 0; i < 20; i += 2) set(&many[i], &values[19 - i], NULL);
    for (int i = 0; i < 20; i++) check(filch_local_get(&many[i]) == &values[i % 2 == 0 ? 19 - i : i]);
    set(&many[3], NULL, NULL);
    check(filch_local_get(&many[3]) == NULL);
    check(filch_local_get(&many[4]) == &values[15]);
    check(filch_local_get(NULL) == NULL);
    check_int(filch_local_set(NULL, values, NULL), -EINVAL);
    return 0;
}

TEST(local, a_task_has_what_it_has_set_on_whatever_worker) {
    run_with_all(values_are_kept, NULL);
}

TEST(local, outside_of_tasks_there_are_none) {
    check(filch_local_get(&first) == NULL);
    check_int(filch_local_set(&first, &first, NULL), -EPERM);
}

/* ---------------------------------------------------------------------------------------------------- inheritance */

struct heirs {
    int a, b, c;
    filch_event may_look;
};

static int inherit_again(void *arg) {
    struct heirs *heirs = arg;
    check(filch_local_get(&first) == &heirs->c);
    check(filch_local_get(&second) == &heirs->b);
    return 0;
}

static int inherit(void *arg) {
    struct heirs *heirs = arg;
    check_int(filch_event_wait(&heirs->may_look, FILCH_NEVER), 0); /* the parent has set others meanwhile */
    check(filch_local_get(&first) == &heirs->a);
    check(filch_local_get(&second) == &heirs->b);
    set(&first, &heirs->c, NULL); /* its own, and its children's */
    check_int(result_of(start(inherit_again, heirs)), 0);
    return 0;
}

static int parent_and_heirs(void *arg) {
    (void)arg;
    struct heirs heirs = {0};
    filch_event_init(&heirs.may_look);
    set(&first, &heirs.a, NULL);
    set(&second, &heirs.b, NULL);
    filch_task *tasks[10];
    filch_scope scope;
    check_int(filch_scope_open(&scope, NULL), 0);
    for (int i = 0; i < 10; i++) {
        filch_task_options options = {.name = "heir"};
        switch (i % 3) {
        case 0:
            check_int(filch_spawn(&tasks[i], inherit, &heirs, i % 2 == 0 ? &options : NULL), 0);
            break;
        case 1:
            check_int(filch_scope_spawn(&scope, &tasks[i], inherit, &heirs, NULL), 0);
            break;
        case 2:
            check_int(filch_runtime_spawn(filch_runtime_current(), &tasks[i], inherit, &heirs, NULL), 0);
            break;
        }
        filch_yield();
    }
    set(&first, NULL, NULL);
    set(&second, &heirs.c, NULL);
    filch_event_set(&heirs.may_look);
    check_int(filch_scope_close(&scope), 0);
    for (int i = 0; i < 10; i++) check_int(result_of(tasks[i]), 0);
    check(filch_local_get(&first) == NULL);
    check(filch_local_get(&second) == &heirs.c);
    filch_event_fini(&heirs.may_look);
    return 0;
}

TEST(local, children_inherit_what_was_set_and_later_sets_are_seen_by_one_side_only) {
    run_with_all(parent_and_heirs, NULL);
}

static int has_none(void *arg) {
    (void)arg;
    check(filch_local_get(&first) == NULL);
    return 0;
}

TEST(local, a_task_spawned_by_a_thread_has_none) {
    filch_runtime *runtime;
    filch_task *task;
    check_int(filch_runtime_create(&runtime, &(filch_options){.workers = 1}), 0);
    check_int(filch_runtime_spawn(runtime, &task, values_are_kept, NULL, NULL), 0);
    check_int(result_of(task), 0);
    check_int(filch_runtime_spawn(runtime, &task, has_none, NULL, NULL), 0); /* with the same record, likely */
    check_int(result_of(task), 0);
    check_int(filch_runtime_destroy(runtime), 0);
}

/* Called in place: the caller's own are back afterwards. */
static int set_other(void *arg) {
    check(filch_local_get(&first) == arg);
    set(&first, &second, NULL);
    return 0;
}

static int in_place(void *arg) {
    set(&first, arg, NULL);
    for (int i = 0; i < 100; i++) {
        check_int(result_of(start(set_other, arg)), 0);
        check(filch_local_get(&first) == arg);
    }
    return 0;
}

TEST(local, a_task_that_is_called_in_place_has_its_own) {
    run_with_all(in_place, &first);
}

/* ------------------------------------------------------------------------------------------------------------ forks */

static int fork_tree(void *arg) {
    uintptr_t depth = (uintptr_t)arg;
    check(filch_local_get(&first) == &first);
    if (depth == 0) {
        filch_yield();
        check(filch_local_get(&first) == &first);
        set(&many[7], &many[7], NULL); /* all of them set the same, at a time */
        check(filch_local_get(&many[7]) == &many[7]);
        return 0;
    }
    filch_frame frame;
    filch_fork(&frame, fork_tree, (void *)(depth - 1));
    fork_tree((void *)(depth - 1));
    return filch_join(&frame);
}

static int forks_share(void *arg) {
    (void)arg;
    set(&first, &first, NULL);
    check_int(fork_tree((void *)6), 0);
    check(filch_local_get(&many[7]) == &many[7]);
    return 0;
}

TEST(local, forked_children_share_their_tasks_values) {
    run_with_all(forks_share, NULL);
}

/* Each of many strands sets a key of its own at a time: none is lost. */
static int set_own_key(void *arg) {
    set(arg, arg, NULL);
    return 0;
}

static int forks_set(void *arg) {
    (void)arg;
    filch_frame frames[20];
    for (int i = 0; i < 20; i++) filch_fork(&frames[i], set_own_key, &many[i]);
    filch_yield();
    for (int i = 19; i >= 0; i--) filch_join(&frames[i]);
    for (int i = 0; i < 20; i++) check(filch_local_get(&many[i]) == &many[i]);
    return 0;
}

TEST(local, forked_children_that_set_at_a_time_lose_nothing) {
    run_with_all(forks_set, NULL);
}

/* ------------------------------------------------------------------------------------------------------ destructors */

static int set_and_replace(void *arg) {
    atomic_int *alive = arg;
    for (int i = 0; i < 10; i++) {
        atomic_fetch_add(alive, 1);
        set(&first, alive, count_down);
        check_int(atomic_load(alive), 1); /* the one before is gone */
    }
    set(&first, NULL, NULL);
    check_int(atomic_load(alive), 0);
    atomic_fetch_add(alive, 1);
    set(&first, alive, count_down); /* and this one with the task */
    return 0;
}

TEST(local, a_value_that_is_replaced_or_whose_task_ends_is_destroyed) {
    for (size_t i = 0; i < TEST_WORKERS; i++) {
        atomic_int alive = 0;
        run_with(test_workers[i], set_and_replace, &alive);
        check_int(atomic_load(&alive), 0);
    }
}

/* The value outlives who has set it, as long as one has it. */
static int keep_value(void *arg) {
    atomic_int *alive = arg;
    for (int i = 0; i < 10; i++) filch_yield();
    check(filch_local_get(&first) == alive);
    check_int(atomic_load(alive), 1);
    return 0;
}

static int give_value_to_children(void *arg) {
    atomic_int *alive = arg;
    atomic_fetch_add(alive, 1);
    set(&first, alive, count_down);
    for (int i = 0; i < 20; i++) check_int(filch_spawn(NULL, keep_value, alive, NULL), 0);
    set(&first, NULL, NULL);
    return 0;
}

TEST(local, a_value_lives_until_the_last_task_that_has_it_has_ended) {
    for (size_t i = 0; i < TEST_WORKERS; i++) {
        size_t before = filch__heap_objects();
        atomic_int alive = 0;
        run_with(test_workers[i], give_value_to_children, &alive);
        check_int(atomic_load(&alive), 0);
        check_int(filch__heap_objects(), before);
    }
}

/* A task that has ended has no values, though its handle was not given up; one that never ran has none either. */
static int set_and_end(void *arg) {
    atomic_fetch_add((atomic_int *)arg, 1);
    set(&first, arg, count_down);
    return 0;
}

static int keep_handles(void *arg) {
    atomic_int *alive = arg, inherited = 1;
    filch_task *task = start(set_and_end, alive);
    while (!filch_task_done(task)) filch_yield();
    check_int(atomic_load(alive), 0);
    set(&second, &inherited, count_down);
    filch_task *never = start(set_and_end, alive);
    filch_task_cancel(never); /* its handle is never given up, nor is the other's */
    while (!filch_task_done(never)) filch_yield();
    set(&second, NULL, NULL);
    check_int(atomic_load(&inherited), 0);
    return 0;
}

TEST(local, a_handle_that_is_never_given_up_keeps_no_value) {
    for (size_t i = 0; i < TEST_WORKERS; i++) {
        size_t before = filch__heap_objects();
        atomic_int alive = 0;
        run_with(test_workers[i], keep_handles, &alive);
        check_int(atomic_load(&alive), 0);
        check_int(filch__heap_objects(), before);
    }
}

/* Values that are set, inherited, replaced and dropped by thousands of tasks at a time: each is destroyed once. */
static void destroy_once(void *value) {
    check_int(atomic_fetch_add((atomic_int *)value, 1), 0);
}

struct storm {
    atomic_int destroyed[3000];
    atomic_int made;
};

static struct storm *storm;

static int spread(void *arg) {
    uintptr_t depth = (uintptr_t)arg;
    for (int i = 0; i < 2; i++) {
        int index = atomic_fetch_add(&storm->made, 1);
        if (index >= 3000) return 0;
        set(&many[index % 5], &storm->destroyed[index], destroy_once);
        if (depth > 0) check_int(filch_spawn(NULL, spread, (void *)(depth - 1), NULL), 0);
        if (index % 7 == 0) filch_yield();
    }
    return 0;
}

TEST(local, in_a_storm_each_value_is_destroyed_exactly_once) {
    for (size_t i = 0; i < TEST_WORKERS; i++) {
        size_t before = filch__heap_objects();
        storm = calloc(1, sizeof *storm);
        check(storm != NULL);
        run_with(test_workers[i], spread, (void *)12);
        int made = atomic_load(&storm->made);
        check(made >= 3000);
        for (int value = 0; value < 3000; value++) check_int(atomic_load(&storm->destroyed[value]), 1);
        check_int(filch__heap_objects(), before);
        free(storm);
    }
}

/* ------------------------------------------------------------------------------------------------- want of memory */

static int inherit_in_want(void *arg) {
    check(filch_local_get(&first) == arg);
    return 0;
}

static int live_in_want(void *arg) {
    atomic_int *alive = arg;
    for (int i = 0; i < 5; i++) {
        atomic_fetch_add(alive, 1);
        void *before = filch_local_get(&first);
        int answer = filch_local_set(&first, alive, count_down);
        check(answer == 0 || answer == -ENOMEM);
        if (answer != 0) check(filch_local_get(&first) == before);
        if (answer != 0) atomic_fetch_sub(alive, 1); /* it is still the caller's */
        filch_task *task;
        int spawned = filch_spawn(&task, inherit_in_want, filch_local_get(&first), NULL);
        check(spawned == 0 || spawned == -ENOMEM);
        if (spawned == 0) check_int(result_of(task), 0);
    }
    return 17;
}

TEST(local, any_one_request_for_memory_may_fail) {
    size_t before = filch__heap_objects();
    unsigned past_the_end = 0;
    for (uint64_t nth = 1; past_the_end < 5; nth++) {
        check(nth < 100000);
        atomic_int alive = 0;
        filch__alloc_fail(nth, false);
        int answer = filch_run(live_in_want, &alive, &(filch_options){.workers = 2});
        bool failed = filch__alloc_requests() >= nth;
        filch__alloc_fail(0, false);
        check(answer == 17 || (answer == -ENOMEM && failed));
        check_int(atomic_load(&alive), 0);
        check_int(filch__heap_objects(), before);
        if (!failed) past_the_end++;
    }
}
