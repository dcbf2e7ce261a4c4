/* SPDX-License-Identifier: MIT */
/*
 * Proves that tasks run once, return what they return, have their names, and are given up exactly once; that each call
 * answers a bad argument as its header says; and that what a program must not do ends it with a line that names the
 * rule.
 */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <string.h>

#include "tests/api/workers.h"

static int return_it(void *arg) {
    return *(int *)arg;
}

static int count_it(void *arg) {
    atomic_fetch_add((atomic_uint *)arg, 1);
    return 0;
}

static int nothing(void *arg) {
    (void)arg;
    return 0;
}

/* ----------------------------------------------------------------------------------------------- spawn and await */

static int await_gives_each_result(void *arg) {
    (void)arg;
    enum { TASKS = 300 };
    static const int edges[] = {0, 1, -1, INT32_MAX, INT32_MIN, -EINVAL, 1 << 30};
    int values[TASKS];
    filch_task *tasks[TASKS];
    for (int i = 0; i < TASKS; i++) {
        values[i] = i < 7 ? edges[i] : i * 7919;
        check_int(filch_spawn(&tasks[i], return_it, &values[i], NULL), 0);
    }
    for (int i = 0; i < TASKS; i++) {
        int which = i % 2 == 0 ? i / 2 : TASKS - 1 - i / 2, result = 4711; /* from both ends */
        check_int(filch_await(tasks[which], i % 5 == 0 ? NULL : &result, FILCH_NEVER), 0);
        if (i % 5 != 0) check_int(result, values[which]);
    }
    return 0;
}

TEST(task, await_gives_each_tasks_result) {
    run_with_all(await_gives_each_result, NULL);
}

static int main_result(void *arg) {
    (void)arg;
    return -ENOTTY;
}

TEST(task, run_returns_what_the_main_task_returns) {
    for (size_t i = 0; i < TEST_WORKERS; i++) {
        check_int(filch_run(main_result, NULL, &(filch_options){.workers = test_workers[i]}), -ENOTTY);
    }
    check_int(filch_run(main_result, NULL, NULL), -ENOTTY);
}

static int spawn_detached(void *arg) {
    for (int i = 0; i < 1000; i++) check_int(filch_spawn(NULL, count_it, arg, NULL), 0);
    return 0;
}

TEST(task, run_waits_for_detached_tasks) {
    for (size_t i = 0; i < TEST_WORKERS; i++) {
        atomic_uint count = 0;
        run_with(test_workers[i], spawn_detached, &count);
        check_int(count, 1000);
    }
}

/* A detached task that spawns two more, and so on; its argument is the depth, and the counter at the root. */

static int breed(void *arg) {
    uintptr_t word = (uintptr_t)arg;
    static atomic_uint *count;
    if (word >= 4096) {
        count = arg;
        word = 12;
    }
    atomic_fetch_add(count, 1);
    if (word == 1) return 0;
    for (int i = 0; i < 2; i++) check_int(filch_spawn(NULL, breed, (void *)(word - 1), NULL), 0);
    return 0;
}

TEST(task, run_waits_for_what_detached_tasks_spawn) {
    for (size_t i = 0; i < TEST_WORKERS; i++) {
        atomic_uint count = 0;
        run_with(test_workers[i], breed, &count);
        check_int(count, (1 << 12) - 1);
    }
}

static int detach_at_all_times(void *arg) {
    filch_task *task;
    for (int i = 0; i < 300; i++) {
        check_int(filch_spawn(&task, count_it, arg, NULL), 0);
        if (i % 3 == 1) filch_yield();
        while (i % 3 == 2 && !filch_task_done(task)) filch_yield();
        filch_task_detach(task);
    }
    filch_task_detach(NULL);
    return 0;
}

TEST(task, a_handle_may_be_detached_before_during_and_after_the_task) {
    for (size_t i = 0; i < TEST_WORKERS; i++) {
        atomic_uint count = 0;
        run_with(test_workers[i], detach_at_all_times, &count);
        check_int(count, 300);
    }
}

struct gate {
    atomic_bool open;
};

static int wait_at_gate(void *arg) {
    struct gate *gate = arg;
    while (!atomic_load(&gate->open)) filch_yield();
    return 0;
}

static int done_tells(void *arg) {
    (void)arg;
    struct gate gate = {false};
    filch_task *task;
    check_int(filch_spawn(&task, wait_at_gate, &gate, NULL), 0);
    for (int i = 0; i < 100; i++) {
        check(!filch_task_done(task));
        filch_yield();
    }
    atomic_store(&gate.open, true);
    while (!filch_task_done(task)) filch_yield();
    check(filch_task_done(task));
    check_int(filch_await(task, NULL, (filch_deadline){0}), 0); /* done: a deadline that has passed does not matter */
    return 0;
}

TEST(task, done_is_false_until_the_task_has_ended) {
    run_with_all(done_tells, NULL);
}

/* A spawn carries what was written before it, and an await what the task wrote: plain accesses, for the sanitizer. */
struct message {
    long to_task, from_task;
};

static int answer_message(void *arg) {
    struct message *message = arg;
    message->from_task = message->to_task + 1;
    return 0;
}

static int messages_pass(void *arg) {
    (void)arg;
    struct message messages[64] = {{0}};
    filch_task *tasks[64];
    for (long round = 0; round < 50; round++) {
        for (int i = 0; i < 64; i++) {
            messages[i].to_task = round * 100 + i;
            check_int(filch_spawn(&tasks[i], answer_message, &messages[i], NULL), 0);
        }
        for (int i = 0; i < 64; i++) {
            check_int(filch_await(tasks[i], NULL, FILCH_NEVER), 0);
            check_int(messages[i].from_task, round * 100 + i + 1);
        }
    }
    return 0;
}

TEST(task, spawn_and_await_carry_plain_data) {
    run_with_all(messages_pass, NULL);
}

/* ------------------------------------------------------------------------------------------------ self and names */

static int check_self(void *arg) {
    filch_task *self = filch_self();
    check(self != NULL);
    for (int i = 0; i < 20; i++) {
        filch_yield();
        check(filch_self() == self);
    }
    if (arg != NULL) check(strcmp(filch_task_name(self), arg) == 0);
    return 0;
}

static int names_are_kept(void *arg) {
    (void)arg;
    static char *const names[] = {"a", "", "thirty-one bytes are kept of this", "x"};
    static char *const kept[] = {"a", "", "thirty-one bytes are kept of th", "x"};
    filch_task *tasks[40];
    check(strcmp(filch_task_name(filch_self()), "main") == 0);
    for (int i = 0; i < 40; i++) {
        char name[64]; /* copied: what stands here later does not matter */
        strcpy(name, names[i % 4]);
        check_int(filch_spawn(&tasks[i], check_self, kept[i % 4], &(filch_task_options){.name = name}), 0);
        memset(name, '?', sizeof name);
        check(strcmp(filch_task_name(tasks[i]), kept[i % 4]) == 0);
    }
    for (int i = 0; i < 40; i++) check_int(filch_await(tasks[i], NULL, FILCH_NEVER), 0);
    filch_task *nameless;
    check_int(filch_spawn(&nameless, check_self, "", NULL), 0);
    check_int(filch_await(nameless, NULL, FILCH_NEVER), 0);
    return 0;
}

TEST(task, self_and_name_stay_the_tasks_own_across_yields) {
    run_with_all(names_are_kept, NULL);
}

TEST(task, outside_of_tasks_there_is_no_self) {
    check(filch_self() == NULL);
    check(filch_runtime_current() == NULL);
    check(strcmp(filch_task_name(NULL), "") == 0);
}

/* Awaiting runs a child in place: its self is its own, and the parent's is back afterwards. */
static int self_of_parent_differs(void *arg) {
    check(filch_self() != arg);
    return 0;
}

static int self_in_place(void *arg) {
    (void)arg;
    filch_task *self = filch_self(), *task;
    for (int i = 0; i < 200; i++) {
        check_int(filch_spawn(&task, self_of_parent_differs, self, NULL), 0);
        check(task != self);
        check_int(filch_await(task, NULL, FILCH_NEVER), 0);
        check(filch_self() == self);
    }
    return 0;
}

TEST(task, self_is_right_in_a_task_that_is_run_by_its_awaiter) {
    run_with_all(self_in_place, NULL);
}

/* --------------------------------------------------------------------------------------------------- bad arguments */

static int bad_arguments(void *arg) {
    (void)arg;
    filch_task *const untouched = (filch_task *)(uintptr_t)0x10, *task = untouched;
    static const size_t bad_sizes[] = {1, 4096, (16 << 10) - 1, ((size_t)1 << 30) + 1, SIZE_MAX};
    check_int(filch_spawn(&task, NULL, NULL, NULL), -EINVAL);
    check_int(filch_spawn(NULL, NULL, NULL, NULL), -EINVAL);
    for (size_t i = 0; i < sizeof bad_sizes / sizeof bad_sizes[0]; i++) {
        filch_task_options options = {.stack_size = bad_sizes[i]};
        check_int(filch_spawn(&task, nothing, NULL, &options), -EINVAL);
        check_int(filch_runtime_spawn(filch_runtime_current(), &task, nothing, NULL, &options), -EINVAL);
    }
    check_int(filch_runtime_spawn(filch_runtime_current(), &task, NULL, NULL, NULL), -EINVAL);
    check_int(filch_runtime_spawn(NULL, &task, nothing, NULL, NULL), -EINVAL);
    check(task == untouched);
    check_int(filch_await(NULL, NULL, FILCH_NEVER), -EINVAL);
    check_int(filch_run(nothing, NULL, NULL), -EDEADLK);
    check_int(filch_await(filch_self(), NULL, FILCH_NEVER), -EDEADLK);
    check_int(filch_await(filch_self(), NULL, (filch_deadline){0}), -EDEADLK);
    return 0;
}

TEST(task, bad_arguments_are_answered_and_start_nothing) {
    run_with_all(bad_arguments, NULL);
    filch_task *task = NULL;
    check_int(filch_spawn(&task, nothing, NULL, NULL), -EPERM);
    check(task == NULL);
    check_int(filch_await(NULL, NULL, FILCH_NEVER), -EINVAL);
    check_int(filch_run(NULL, NULL, NULL), -EINVAL);
}

static int await_own_from_strand(void *arg) {
    check_int(filch_await(arg, NULL, FILCH_NEVER), -EDEADLK);
    return 0;
}

static int fork_awaits_self(void *arg) {
    (void)arg;
    filch_frame frame;
    filch_fork(&frame, await_own_from_strand, filch_self());
    return filch_join(&frame);
}

TEST(task, a_forked_child_cannot_await_the_task_it_is_a_strand_of) {
    run_with_all(fork_awaits_self, NULL);
}

/* -------------------------------------------------------------------------------------------- programmer's errors */

static int await_twice(void *arg) {
    (void)arg;
    filch_task *task;
    check_int(filch_spawn(&task, nothing, NULL, NULL), 0);
    check_int(filch_await(task, NULL, FILCH_NEVER), 0);
    return filch_await(task, NULL, FILCH_NEVER);
}

TEST_DIES(task, awaiting_twice_aborts, "a handle is given up once") {
    filch_run(await_twice, NULL, &(filch_options){.workers = 1});
}

static int await_done_twice(void *arg) {
    (void)arg;
    filch_task *task;
    check_int(filch_spawn(&task, nothing, NULL, NULL), 0);
    while (!filch_task_done(task)) filch_yield();
    check_int(filch_await(task, NULL, FILCH_NEVER), 0);
    return filch_await(task, NULL, (filch_deadline){0});
}

TEST_DIES(task, awaiting_an_ended_task_twice_aborts, "a handle is given up once") {
    filch_run(await_done_twice, NULL, &(filch_options){.workers = 1});
}

static int await_detached(void *arg) {
    struct gate *gate = arg;
    filch_task *task;
    check_int(filch_spawn(&task, wait_at_gate, gate, &(filch_task_options){.name = "let go"}), 0);
    filch_task_detach(task);
    return filch_await(task, NULL, FILCH_NEVER);
}

TEST_DIES(task, awaiting_a_detached_task_aborts, "is detached") {
    struct gate gate = {false};
    filch_run(await_detached, &gate, &(filch_options){.workers = 1});
}

TEST_DIES(task, the_line_names_the_task, "let go") {
    struct gate gate = {false};
    filch_run(await_detached, &gate, &(filch_options){.workers = 1});
}

static int detach_twice(void *arg) {
    (void)arg;
    struct gate gate = {false};
    filch_task *task;
    check_int(filch_spawn(&task, wait_at_gate, &gate, NULL), 0);
    filch_task_detach(task);
    filch_task_detach(task);
    return 0;
}

TEST_DIES(task, detaching_twice_aborts, "a handle is given up once") {
    filch_run(detach_twice, NULL, &(filch_options){.workers = 1});
}

struct first {
    struct gate *gate;
    filch_task *task;
    bool awaits;
};

static int await_it(void *arg) {
    struct first *first = arg;
    first->awaits = true; /* there is one worker: nobody sees it before this task waits */
    return filch_await(first->task, NULL, FILCH_NEVER);
}

/* When it returns, another task awaits `first->task`. */
static void have_it_awaited(struct first *first) {
    check_int(filch_spawn(&first->task, wait_at_gate, first->gate, NULL), 0);
    filch_yield(); /* it has begun: no one can run it in place */
    check_int(filch_spawn(NULL, await_it, first, NULL), 0);
    while (!first->awaits) filch_yield();
}

static int two_awaiters(void *arg) {
    struct first first = {.gate = arg};
    have_it_awaited(&first);
    return filch_await(first.task, NULL, FILCH_NEVER);
}

TEST_DIES(task, a_second_awaiter_aborts, "is awaited by another") {
    struct gate gate = {false};
    filch_run(two_awaiters, &gate, &(filch_options){.workers = 1});
}

static int detach_awaited(void *arg) {
    struct first first = {.gate = arg};
    have_it_awaited(&first);
    filch_task_detach(first.task);
    return 0;
}

TEST_DIES(task, detaching_what_another_awaits_aborts, "is awaited by another") {
    struct gate gate = {false};
    filch_run(detach_awaited, &gate, &(filch_options){.workers = 1});
}

/* ------------------------------------------------------------------------------------------------ foreign threads */

struct foreign {
    filch_runtime *runtime;
    atomic_uint count;
    int rounds;
};

static int yield_then_count(void *arg) {
    for (int i = 0; i < 3; i++) filch_yield();
    return count_it(arg);
}

static void *submit(void *argument) {
    struct foreign *foreign = argument;
    filch_task *task;
    for (int i = 0; i < foreign->rounds; i++) {
        switch (i % 3) {
        case 0:
            check_int(filch_runtime_spawn(foreign->runtime, NULL, count_it, &foreign->count, NULL), 0);
            break;
        case 1:
            check_int(filch_runtime_spawn(foreign->runtime, &task, yield_then_count, &foreign->count, NULL), 0);
            check_int(filch_await(task, NULL, FILCH_NEVER), 0);
            break;
        default:
            check_int(filch_runtime_spawn(foreign->runtime, &task, count_it, &foreign->count, NULL), 0);
            filch_task_detach(task);
            break;
        }
    }
    return NULL;
}

TEST(task, eight_foreign_threads_spawn_and_await) {
    for (size_t i = 0; i < TEST_WORKERS; i++) {
        struct foreign foreign = {.rounds = 600 / TEST_SCALE};
        pthread_t threads[8];
        check_int(filch_runtime_create(&foreign.runtime, &(filch_options){.workers = test_workers[i]}), 0);
        for (int k = 0; k < 8; k++) check_int(pthread_create(&threads[k], NULL, submit, &foreign), 0);
        for (int k = 0; k < 8; k++) pthread_join(threads[k], NULL);
        check_int(filch_runtime_shutdown(foreign.runtime, FILCH_NEVER), 0);
        check_int(foreign.count, 8 * foreign.rounds);
        filch_stats stats;
        check_int(filch_runtime_stats(foreign.runtime, &stats), 0);
        check_int(stats.spawned, 8 * foreign.rounds);
        check_int(stats.completed, 8 * foreign.rounds);
        check_int(stats.tasks, 0);
        check_int(filch_runtime_destroy(foreign.runtime), 0);
    }
}

/* ---------------------------------------------------------------------------------------------------- two runtimes */

struct bridge {
    filch_runtime *other;
    int depth;
};

static int cross(void *arg) {
    struct bridge *bridge = arg;
    if (bridge->depth == 0) return 17;
    struct bridge back = {filch_runtime_current(), bridge->depth - 1};
    filch_task *task;
    int result;
    check_int(filch_runtime_spawn(bridge->other, &task, cross, &back, NULL), 0);
    check_int(filch_await(task, &result, FILCH_NEVER), 0);
    return result;
}

TEST(task, tasks_of_two_runtimes_spawn_and_await_one_another) {
    for (size_t i = 0; i < TEST_WORKERS - 1; i++) {
        filch_runtime *a, *b;
        check_int(filch_runtime_create(&a, &(filch_options){.workers = test_workers[i]}), 0);
        check_int(filch_runtime_create(&b, &(filch_options){.workers = 2}), 0);
        for (int round = 0; round < 50; round++) {
            struct bridge bridge = {b, 20};
            filch_task *task;
            int result;
            check_int(filch_runtime_spawn(a, &task, cross, &bridge, NULL), 0);
            check_int(filch_await(task, &result, FILCH_NEVER), 0);
            check_int(result, 17);
        }
        check_int(filch_runtime_destroy(a), 0);
        check_int(filch_runtime_destroy(b), 0);
    }
}
