/* SPDX-License-Identifier: MIT */
/*
 * The plain runner: forks a process for each test, one after the other, and says how it ended.
 *
 *     base [--list] [--filter PATTERN] [--no-fork]
 *
 * PATTERN is a shell pattern for "suite/name". --no-fork runs in this process, for a debugger or valgrind. The last
 * line is "totals: N passed, N failed"; the exit status is 0 where some test ran and none failed.
 */
#include "tests/test.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static struct test__case *first, **last = &first;

void test__register(struct test__case *test) {
    *last = test;
    last = &test->next;
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static int run_in_child(const struct test__case *test) {
    fflush(NULL);
    pid_t child = fork();
    if (child < 0) {
        perror("fork");
        exit(1);
    }
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        alarm(TEST_SECONDS);
        test__run(test);
        /* Not _exit: the leak checker and the coverage counters work at exit. */
        exit(0);
    }
    int status;
    while (waitpid(child, &status, 0) < 0) {
        if (errno != EINTR) abort();
    }
    return status;
}

static bool run(const struct test__case *test) {
    double began = now();
    int status = run_in_child(test);
    double seconds = now() - began;
    if (status == 0) {
        printf("ok      %s/%s (%.2f s)\n", test->suite, test->name, seconds);
    } else if (WIFEXITED(status)) {
        printf("FAILED  %s/%s: exit status %d (%.2f s)\n", test->suite, test->name, WEXITSTATUS(status), seconds);
    } else if (WTERMSIG(status) == SIGALRM) {
        printf("FAILED  %s/%s: still running after %d s\n", test->suite, test->name, TEST_SECONDS);
    } else {
        printf("FAILED  %s/%s: killed by %s (%.2f s)\n", test->suite, test->name, strsignal(WTERMSIG(status)), seconds);
    }
    fflush(stdout);
    return status == 0;
}

static bool selected(const struct test__case *test, const char *pattern) {
    char name[512];
    snprintf(name, sizeof name, "%s/%s", test->suite, test->name);
    return fnmatch(pattern, name, 0) == 0;
}

static int usage(const char *program) {
    fprintf(stderr, "usage: %s [--list] [--filter PATTERN] [--no-fork]\n", program);
    return 2;
}

int main(int count, char **arguments) {
    const char *pattern = "*";
    bool list = false, no_fork = false;
    for (int i = 1; i < count; i++) {
        if (strcmp(arguments[i], "--list") == 0) {
            list = true;
        } else if (strcmp(arguments[i], "--no-fork") == 0) {
            no_fork = true;
        } else if (strcmp(arguments[i], "--filter") == 0 && i + 1 < count) {
            pattern = arguments[++i];
        } else {
            return usage(arguments[0]);
        }
    }

    int passed = 0, failed = 0;
    for (const struct test__case *test = first; test != NULL; test = test->next) {
        if (!selected(test, pattern)) continue;
        if (list) {
            printf("%s/%s\n", test->suite, test->name);
        } else if (no_fork) {
            test__run(test);
            passed++;
        } else if (run(test)) {
            passed++;
        } else {
            failed++;
        }
    }
    if (list) return 0;
    if (passed + failed == 0) fprintf(stderr, "no test ran\n");
    printf("totals: %d passed, %d failed\n", passed, failed);
    return failed == 0 && passed > 0 ? 0 : 1;
}
