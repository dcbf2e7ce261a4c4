/* SPDX-License-Identifier: MIT */
/*
 * What the tests of the public interface share: the numbers of workers that each of them runs with; starting and
 * awaiting.
 */
#ifndef FILCH_TESTS_API_WORKERS_H
#define FILCH_TESTS_API_WORKERS_H

#include <filch/filch.h>
#include <stddef.h>

#include "tests/test.h"

static const unsigned test_workers[] = {1, 2, 4, 8, 64};
#define TEST_WORKERS (sizeof test_workers / sizeof test_workers[0])

/* How much less is done where a sanitizer makes all of it slow. */
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define TEST_SLOW 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
#define TEST_SLOW 1
#endif
#endif
#ifdef TEST_SLOW
enum { TEST_SCALE = 10 };
#else
enum { TEST_SCALE = 1 };
#endif

/* Runs `fn(arg)` as the main task of a runtime of each size; it must return 0. */
static inline void run_with_all(filch_fn *fn, void *arg) {
    for (size_t i = 0; i < TEST_WORKERS; i++) {
        check_int(filch_run(fn, arg, &(filch_options){.workers = test_workers[i]}), 0);
    }
}

/* Runs `fn(arg)` as the main task of a runtime of `workers`; it must return 0. */
static inline void run_with(unsigned workers, filch_fn *fn, void *arg) {
    check_int(filch_run(fn, arg, &(filch_options){.workers = workers}), 0);
}

/* Likewise without a monitor, which opens files under /proc now and then: for who counts on there being no descriptor. */
static inline void run_unwatched(unsigned workers, filch_fn *fn, void *arg) {
    check_int(filch_run(fn, arg, &(filch_options){.workers = workers, .no_monitor = true}), 0);
}

/* Starts `fn(arg)` as a task, whose handle is the caller's. */
static inline filch_task *start(filch_fn *fn, void *arg) {
    filch_task *task;
    check_int(filch_spawn(&task, fn, arg, NULL), 0);
    return task;
}

/* What the task returned, when it has ended; the handle is given up. */
static inline int result_of(filch_task *task) {
    int result;
    check_int(filch_await(task, &result, FILCH_NEVER), 0);
    return result;
}

#endif
