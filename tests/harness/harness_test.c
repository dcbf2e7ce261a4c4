/* SPDX-License-Identifier: MIT */
/* The test framework itself: what is to pass passes. tests/canary/planted_failures.c is its other half. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/test.h"

TEST(harness, a_true_check_lets_the_test_go_on) {
    check(1 + 1 == 2);
    check_int(1 + 1, 2);
    check_int(-1, -1);
}

static int calls;

static int call(void) {
    return ++calls;
}

TEST(harness, a_check_evaluates_its_arguments_once) {
    check(call() == 1);
    check_int(call(), 2);
    check_int(calls, 2);
}

static void *check_in_thread(void *arg) {
    check_int(*(int *)arg, 7);
    return NULL;
}

TEST(harness, checks_work_from_threads) {
    int number = 7;
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) check_int(pthread_create(&threads[i], NULL, check_in_thread, &number), 0);
    for (int i = 0; i < 4; i++) check_int(pthread_join(threads[i], NULL), 0);
}

static int tests_seen_by_this_process;

TEST(harness, each_test_has_a_process_of_its_own) {
    check_int(++tests_seen_by_this_process, 1);
}

TEST(harness, each_test_has_a_process_of_its_own_again) {
    check_int(++tests_seen_by_this_process, 1);
}

TEST_DIES(harness, a_death_is_seen_with_its_last_words, "the last words") {
    fprintf(stderr, "these are the last words of it\n");
    abort();
}

static void *die_in_thread(void *arg) {
    fprintf(stderr, "%s\n", (const char *)arg);
    abort();
}

TEST_DIES(harness, a_death_in_a_thread_is_seen, "the last words of a thread") {
    pthread_t thread;
    check_int(pthread_create(&thread, NULL, die_in_thread, "the last words of a thread"), 0);
    pthread_join(thread, NULL);
}

TEST_DIES(harness, last_words_are_found_after_much_other_output, "the last words") {
    for (int i = 0; i < 50000; i++) fprintf(stderr, "line %d of many\n", i);
    fprintf(stderr, "these are the last words of it\n");
    abort();
}

TEST_CRASHES(harness, a_crash_is_seen_with_its_last_words, SIGSEGV, "going down") {
    static const char line[] = "going down\n";
    check(write(STDERR_FILENO, line, sizeof line - 1) > 0);
    char *closed = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    check(closed != MAP_FAILED);
    *(volatile char *)closed = 1;
}
