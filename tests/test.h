/* SPDX-License-Identifier: MIT */
/*
 * How tests are written. The same sources run under Criterion and, where Criterion cannot go (ThreadSanitizer,
 * valgrind), under the plain runner in tests/harness/plain.c.
 *
 *     TEST(deque, every_task_is_taken_exactly_once) {
 *         ...
 *         check(taken != NULL);
 *         check_int(count, 1000);
 *     }
 *
 *     TEST_DIES(task, awaiting_a_task_twice_aborts, "awaited twice") { ... }
 *     TEST_CRASHES(stack, overflow_is_reported, SIGSEGV, "stack overflow") { ... }
 *
 * Each test runs in a process of its own, with a time-out of 60 s. A check that fails ends that process at once, from
 * whatever thread or task it was made: what follows it may rely on it. A test also fails where a sanitizer reports
 * anything, whatever its exit status is.
 */
#ifndef FILCH_TESTS_TEST_H
#define FILCH_TESTS_TEST_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

#ifndef TEST_SECONDS
#define TEST_SECONDS 60
#endif

/* A test whose body is to return. */
#define TEST(suite, name) TEST__DEFINE(suite, name, 0, NULL)

/* A test whose body is to abort, after writing a line that contains `text` to standard error. */
#define TEST_DIES(suite, name, text) TEST__DEFINE(suite, name, SIGABRT, text)

/* A test whose body is to be killed by `signal`, after writing a line that contains `text` to standard error. */
#define TEST_CRASHES(suite, name, signal, text) TEST__DEFINE(suite, name, signal, text)

/* Fails the test unless `condition` is true. From any thread or task. */
#define check(condition) ((condition) ? (void)0 : test__failed(__FILE__, __LINE__, #condition))

/* Fails the test unless the two integers are equal, and shows both. From any thread or task. */
#define check_int(actual, expected)                                                                                    \
    test__check_int((long long)(actual), (long long)(expected), __FILE__, __LINE__, #actual)

/* ------------------------------------------------------------------------------------------------------- inside */

struct test__case {
    const char *suite, *name, *file;
    int line;
    int dies_by;      /* the signal that is to kill the body; 0: it is to return */
    const char *text; /* what it writes before */
    void (*body)(void);
    struct test__case *next;
};

/* Write one line and end the process with TEST__FAILED. They need about 2 kB of stack. */
_Noreturn void test__failed(const char *file, int line, const char *condition);
void test__check_int(long long actual, long long expected, const char *file, int line, const char *expression);

/* Runs the test in this process, or, where it is to die, in a child whose standard error is read. */
void test__run(const struct test__case *test);

#define TEST__FAILED 42 /* the exit status of a process in which a check has failed */

#ifdef FILCH_PLAIN_RUNNER

void test__register(struct test__case *test);

#define TEST__DEFINE(suite, name, dies_by, text)                                                                       \
    static void test__##suite##_##name(void);                                                                          \
    static struct test__case test__case_##suite##_##name = {                                                           \
        #suite, #name, __FILE__, __LINE__, dies_by, text, test__##suite##_##name, NULL};                               \
    __attribute__((constructor)) static void test__register_##suite##_##name(void) {                                   \
        test__register(&test__case_##suite##_##name);                                                                  \
    }                                                                                                                  \
    static void test__##suite##_##name(void)

#else

#include <criterion/criterion.h>

#define TEST__DEFINE(suite, name, dies_by, text)                                                                       \
    static void test__##suite##_##name(void);                                                                          \
    Test(suite, name, .timeout = TEST_SECONDS) {                                                                       \
        static const struct test__case test = {                                                                        \
            #suite, #name, __FILE__, __LINE__, dies_by, text, test__##suite##_##name, NULL};                           \
        test__run(&test);                                                                                              \
    }                                                                                                                  \
    static void test__##suite##_##name(void)

#endif

#endif
