/* SPDX-License-Identifier: MIT */
/* Runs part of a test in a child, and reads what that tells on standard error. */
#ifndef FILCH_TESTS_DEBUG_CHILD_H
#define FILCH_TESTS_DEBUG_CHILD_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/test.h"

/* What holds in a child, whose verdict is its exit status. */
#define must(condition) ((condition) ? (void)0 : child_failed(__LINE__, #condition))

static inline void child_failed(int line, const char *condition) {
    dprintf(STDERR_FILENO, "line %d: %s does not hold\n", line, condition);
    _exit(1);
}

/* What `fn` tells in a child with FILCH_DEBUG as given, for free(); the child's wait status is in `*status`. */
static inline char *told_by(void (*fn)(void), const char *words, int *status) {
    FILE *file = tmpfile();
    char *text = calloc(1, 1 << 16);
    check(file != NULL && text != NULL);
    fflush(NULL);
    pid_t child = fork();
    check(child >= 0);
    if (child == 0) {
        dup2(fileno(file), STDERR_FILENO);
        if (words == NULL) {
            unsetenv("FILCH_DEBUG");
        } else {
            setenv("FILCH_DEBUG", words, 1);
        }
        fn();
        _exit(0);
    }
    check_int(waitpid(child, status, 0), child);
    rewind(file);
    text[fread(text, 1, (1 << 16) - 1, file)] = '\0';
    fclose(file);
    if (getenv("DEBUG_TESTS_SHOW") != NULL || (WIFEXITED(*status) && WEXITSTATUS(*status) != 0)) {
        dprintf(STDERR_FILENO, "%s", text);
    }
    return text;
}

static inline unsigned times_in(const char *text, const char *what) {
    unsigned count = 0;
    for (; (text = strstr(text, what)) != NULL; text += strlen(what)) count++;
    return count;
}

/* The child ends well, and tells `what` so many times. */
static inline void tells(void (*fn)(void), const char *words, const char *what, unsigned times) {
    int status;
    char *text = told_by(fn, words, &status);
    check_int(status, 0);
    if (times_in(text, what) != times) dprintf(STDERR_FILENO, "%s\n%s", what, text);
    check_int(times_in(text, what), times);
    free(text);
}

/* The child ends well, and tells nothing. */
static inline void tells_nothing(void (*fn)(void), const char *words) {
    int status;
    char *text = told_by(fn, words, &status);
    check_int(status, 0);
    if (*text != '\0') dprintf(STDERR_FILENO, "%s", text);
    check(*text == '\0');
    free(text);
}

#endif
