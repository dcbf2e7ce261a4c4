/* SPDX-License-Identifier: MIT */
/* Tests that must fail, each in another way, and one that passes. The runner is right where it says just that. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/test.h"

TEST(planted, passes) {
    check(true);
}

TEST(planted, a_false_check_fails) {
    check(1 + 1 == 3);
}

TEST(planted, unequal_integers_fail) {
    check_int(1 + 1, 3);
}

static void *check_in_thread(void *arg) {
    check(arg != NULL);
    return NULL;
}

TEST(planted, a_false_check_in_a_thread_fails) {
    pthread_t thread;
    check_int(pthread_create(&thread, NULL, check_in_thread, NULL), 0);
    pthread_join(thread, NULL);
}

TEST(planted, an_abort_that_nobody_expects_fails) {
    abort();
}

TEST_DIES(planted, a_body_that_returns_fails, "words") {
    fprintf(stderr, "words\n");
}

TEST_DIES(planted, a_death_without_the_words_fails, "words") {
    fprintf(stderr, "other ones\n");
    abort();
}

TEST_CRASHES(planted, a_death_by_another_signal_fails, SIGSEGV, "words") {
    fprintf(stderr, "words\n");
    abort();
}
