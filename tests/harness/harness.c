/* SPDX-License-Identifier: MIT */
/* What both runners share: checks, tests that are to die, and the sanitizers' options. */
#include "tests/test.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* Not fprintf: a check may run on a small stack. One write, so that lines of several threads do not mix. */
static void say(const char *line, int length, size_t room) {
    size_t size = length < 0 ? 0 : (size_t)length < room ? (size_t)length : room - 1;
    ssize_t ignored = write(STDERR_FILENO, line, size);
    (void)ignored;
}

_Noreturn void test__failed(const char *file, int line, const char *condition) {
    char text[768];
    say(text, snprintf(text, sizeof text, "%s:%d: check failed: %s\n", file, line, condition), sizeof text);
    _exit(TEST__FAILED);
}

void test__check_int(long long actual, long long expected, const char *file, int line, const char *expression) {
    if (actual == expected) return;
    char text[768];
    say(text,
        snprintf(text, sizeof text, "%s:%d: check failed: %s is %lld, expected %lld\n", file, line, expression, actual,
                 expected),
        sizeof text);
    _exit(TEST__FAILED);
}

/* The end of what a child wrote to its standard error. */
struct output {
    char text[64 * 1024];
    size_t length;
};

/* Reads until the end. Keeps the first half and the last half of what does not fit. */
static void read_all(int fd, struct output *output) {
    for (;;) {
        size_t room = sizeof output->text - 1 - output->length;
        if (room == 0) {
            size_t half = sizeof output->text / 2;
            memmove(output->text + half / 2, output->text + half, output->length - half);
            output->length -= half / 2;
            continue;
        }
        ssize_t got = read(fd, output->text + output->length, room);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) break;
        output->length += (size_t)got;
    }
    output->text[output->length] = '\0';
    for (char *zero; (zero = memchr(output->text, '\0', output->length)) != NULL;) *zero = '?';
}

static bool sanitizer_reported(const char *text) {
    return strstr(text, "WARNING: ThreadSanitizer") || strstr(text, "ERROR: AddressSanitizer") ||
           strstr(text, "LeakSanitizer") || strstr(text, "runtime error:");
}

static void run_child(const struct test__case *test, int fd) {
    /* An orphan of a test that timed out must not stay. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    alarm(TEST_SECONDS);
    signal(test->dies_by, SIG_DFL);
    dup2(fd, STDERR_FILENO);
    close(fd);
    test->body();
    _exit(0);
}

static void run_and_expect_death(const struct test__case *test) {
    static struct output output;
    int ends[2], status;
    check(pipe(ends) == 0);
    fflush(NULL);
    pid_t child = fork();
    check(child >= 0);
    if (child == 0) {
        close(ends[0]);
        run_child(test, ends[1]);
    }
    close(ends[1]);
    read_all(ends[0], &output);
    close(ends[0]);
    while (waitpid(child, &status, 0) < 0) check(errno == EINTR);

    const char *wrong = NULL;
    if (sanitizer_reported(output.text)) {
        wrong = "a sanitizer reported";
    } else if (WIFEXITED(status)) {
        wrong = WEXITSTATUS(status) == 0 ? "the body returned" : "the body exited";
    } else if (WTERMSIG(status) != test->dies_by) {
        wrong = "another signal killed it";
    } else if (strstr(output.text, test->text) == NULL) {
        wrong = "it did not write the text";
    }
    if (wrong == NULL) return;
    fprintf(stderr, "%s:%d: expected signal %d and \"%s\", but %s (wait status 0x%x); it wrote:\n%s\n", test->file,
            test->line, test->dies_by, test->text, wrong, (unsigned)status, output.text);
    fflush(stderr);
    _exit(TEST__FAILED);
}

void test__run(const struct test__case *test) {
    if (test->dies_by == 0) {
        test->body();
    } else {
        run_and_expect_death(test);
    }
}
