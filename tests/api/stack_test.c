/* SPDX-License-Identifier: MIT */
/*
 * Proves that a task has the stack that it asked for, wherever it runs; that one which overflows its stack is reported
 * by name and dies; and that faults which are none of filch's go where they went before.
 */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/api/workers.h"

/* What a frame of the recursions below takes besides its page; AddressSanitizer puts red zones round the page. */
#ifdef __SANITIZE_ADDRESS__
#define BESIDES 512
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define BESIDES 512
#endif
#endif
#ifndef BESIDES
#define BESIDES 128
#endif

/* Uses about `bytes` of stack, and lets others run while it does. */
static __attribute__((noinline)) int use_stack(size_t bytes) {
    volatile char page[1024];
    page[0] = (char)bytes;
    page[sizeof page - 1] = 1;
    int deeper = 0;
    if (bytes > 2 * (sizeof page + BESIDES)) {
        deeper = use_stack(bytes - sizeof page - BESIDES);
    } else {
        filch_yield();
    }
    check_int(page[0], (char)bytes);
    return deeper + page[sizeof page - 1];
}

static int use_as_told(void *arg) {
    return use_stack(*(size_t *)arg) > 0 ? 0 : -1;
}

/* What a task of `size` bytes may use: there are the guard, and the loop's frames below it. */
struct wish {
    size_t size, use;
};

static int tasks_use_their_stacks(void *arg) {
    (void)arg;
    static struct wish wishes[] = {
        {16 << 10, 6 << 10}, {32 << 10, 18 << 10}, {1 << 20, 900 << 10}, {0, 30 << 10},
        {8 << 20, 7 << 20},  {100000, 90000},      {17 << 10, 18 << 10},
    };
    enum { COUNT = sizeof wishes / sizeof wishes[0] };
    filch_task *tasks[COUNT * 4];
    for (int round = 0; round < 6; round++) {
        for (int i = 0; i < COUNT * 4; i++) {
            struct wish *wish = &wishes[(i * 3 + round) % COUNT];
            check_int(filch_spawn(&tasks[i], use_as_told, &wish->use, &(filch_task_options){.stack_size = wish->size}),
                      0);
        }
        /* From the young end: awaited tasks may be called in place, and must have their stacks all the same. */
        for (int i = COUNT * 4 - 1; i >= 0; i--) {
            int result;
            check_int(filch_await(tasks[i], &result, FILCH_NEVER), 0);
            check_int(result, 0);
        }
    }
    return 0;
}

TEST(stack, tasks_have_the_stacks_they_asked_for) {
    run_with_all(tasks_use_their_stacks, NULL);
}

TEST(stack, a_runtimes_own_size_is_what_its_tasks_get) {
    size_t use = 900 << 10, little = 6 << 10;
    for (size_t i = 0; i < TEST_WORKERS; i++) {
        filch_options options = {.workers = test_workers[i], .stack_size = 1 << 20};
        check_int(filch_run(use_as_told, &use, &options), 0);
        options.stack_size = 16 << 10;
        check_int(filch_run(use_as_told, &little, &options), 0);
    }
}

/* A large task that has used much of its stack awaits another large one, and a small one awaits a default one. */
static __attribute__((noinline)) int use_then_await(size_t bytes, const struct wish *child) {
    volatile char page[1024];
    page[0] = 1;
    if (bytes > sizeof page + BESIDES) return use_then_await(bytes - sizeof page - BESIDES, child) + page[0] - 1;
    filch_task *task;
    int result;
    size_t use = child->use;
    filch_task_options options = {.stack_size = child->size};
    check_int(filch_spawn(&task, use_as_told, &use, child->size == 0 ? NULL : &options), 0);
    check_int(filch_await(task, &result, FILCH_NEVER), 0);
    return result;
}

static int await_large(void *arg) {
    return use_then_await(400 << 10, arg);
}

static int await_from_small(void *arg) {
    return use_then_await(1 << 10, arg);
}

static int await_in_place_sizes(void *arg) {
    (void)arg;
    struct wish large = {1 << 20, 900 << 10}, standard = {0, 30 << 10};
    filch_task *task;
    int result;
    check_int(filch_spawn(&task, await_large, &large, &(filch_task_options){.stack_size = 1 << 20}), 0);
    check_int(filch_await(task, &result, FILCH_NEVER), 0);
    check_int(result, 0);
    check_int(filch_spawn(&task, await_from_small, &standard, &(filch_task_options){.stack_size = 16 << 10}), 0);
    check_int(filch_await(task, &result, FILCH_NEVER), 0);
    check_int(result, 0);
    return 0;
}

TEST(stack, a_task_run_by_its_awaiter_has_the_stack_it_asked_for) {
    run_with_all(await_in_place_sizes, NULL);
}

/* Forked children of a large task need as much as it does, whoever runs them. */
static int fork_large(void *arg) {
    filch_frame frames[8];
    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < 8; i++) filch_fork(&frames[i], use_as_told, arg);
        if (round % 2 == 0) filch_yield();
        for (int i = 7; i >= 0; i--) check_int(filch_join(&frames[i]), 0);
    }
    return 0;
}

static int strands_of_large(void *arg) {
    (void)arg;
    size_t use = 400 << 10;
    filch_task *task;
    check_int(filch_spawn(&task, fork_large, &use, &(filch_task_options){.stack_size = 1 << 20}), 0);
    return filch_await(task, NULL, FILCH_NEVER);
}

TEST(stack, forked_children_run_on_stacks_of_their_tasks_size) {
    run_with_all(strands_of_large, NULL);
}

/* ------------------------------------------------------------------------------------------------------- overflow */

#ifndef TEST_SLOW /* the sanitizers have handlers and stacks of their own */

static __attribute__((noinline)) int recurse_without_end(volatile int *depth) {
    volatile char page[512];
    page[0] = (char)++*depth;
    if (*depth < 0) return 0; /* never: for compilers that see through the rest */
    int result = recurse_without_end(depth) + page[0];
    page[1] = 0;
    return result;
}

static int overflow(void *arg) {
    (void)arg;
    volatile int depth = 0;
    return recurse_without_end(&depth);
}

static int spawn_greedy(void *arg) {
    (void)arg;
    filch_task *task;
    filch_task_options options = {.name = "greedy", .stack_size = 128 << 10};
    check_int(filch_spawn(&task, overflow, NULL, &options), 0);
    return filch_await(task, NULL, FILCH_NEVER);
}

TEST_CRASHES(stack, overflow_is_reported, SIGSEGV, "stack overflow in task") {
    filch_run(spawn_greedy, NULL, &(filch_options){.workers = 1});
}

TEST_CRASHES(stack, overflow_is_reported_with_the_tasks_name, SIGSEGV, "\"greedy\", at ") {
    filch_run(spawn_greedy, NULL, &(filch_options){.workers = 4});
}

TEST_CRASHES(stack, overflow_of_the_main_task_is_reported, SIGSEGV, "stack overflow in task") {
    filch_run(overflow, NULL, &(filch_options){.workers = 2});
}

static int overflow_as_strand(void *arg) {
    filch_frame frame;
    filch_fork(&frame, overflow, arg);
    return filch_join(&frame);
}

TEST_CRASHES(stack, overflow_of_a_forked_child_is_reported_as_its_tasks, SIGSEGV, "\"main\"") {
    filch_run(overflow_as_strand, NULL, &(filch_options){.workers = 2});
}

/* A fault that is no overflow: it is not called one, and goes to the handler that was there before. */
static void former_handler(int number) {
    static const char text[] = "the former handler was called\n";
    ssize_t ignored = write(STDERR_FILENO, text, sizeof text - 1);
    (void)ignored;
    signal(number, SIG_DFL);
}

static int touch(void *arg) {
    return *(volatile int *)arg;
}

TEST_CRASHES(stack, a_fault_of_another_thread_goes_to_the_former_handler, SIGSEGV, "the former handler was called") {
    signal(SIGSEGV, former_handler);
    filch_runtime *runtime;
    check_int(filch_runtime_create(&runtime, NULL), 0);
    volatile uintptr_t nowhere = 8; /* the compiler must not know */
    touch((void *)nowhere);
}

TEST_CRASHES(stack, a_fault_of_a_task_that_is_no_overflow_does_too, SIGSEGV, "the former handler was called") {
    signal(SIGSEGV, former_handler);
    filch_run(touch, (void *)(uintptr_t)8, &(filch_options){.workers = 2});
}

static void former_action(int number, siginfo_t *info, void *context) {
    (void)context;
    if (info->si_addr == (void *)(uintptr_t)8) former_handler(number);
}

TEST_CRASHES(stack, the_former_handler_gets_what_the_kernel_tells, SIGSEGV, "the former handler was called") {
    struct sigaction action = {.sa_sigaction = former_action, .sa_flags = SA_SIGINFO};
    sigaction(SIGSEGV, &action, NULL);
    filch_run(touch, (void *)(uintptr_t)8, &(filch_options){.workers = 2});
}

#endif
