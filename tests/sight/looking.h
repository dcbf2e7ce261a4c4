/* SPDX-License-Identifier: MIT */
/* What the tests of this folder share: programs that are looked at, and programs that look, with what they say. */
#ifndef TESTS_SIGHT_LOOKING_H
#define TESTS_SIGHT_LOOKING_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Starts `program` (tests/sight/waiting.c) with `mode` ("", "churn", "hang"), and returns when it is ready. */
pid_t start_waiting(const char *program, const char *mode);

/* Ends a program that was started, and reaps it. */
void stop_waiting(pid_t process);

/* What a program that was run has left. */
struct said {
    int status; /* of exit; -1: a signal has ended it */
    char *out, *err;
};

/* Runs arguments[0], until it ends. Its standard output is no terminal, and its input is empty. */
struct said run(const char *const arguments[]);
void said_drop(struct said *said);

/* filch-top with an option (or NULL) on a process, or on a file. */
struct said top(const char *option, pid_t process);
struct said top_file(const char *option, const char *path);

/* Fails the test unless `text` contains `part`; shows the text. */
void check_contains(const char *text, const char *part);

/* How often `part` stands in `text`. */
size_t count_of(const char *text, const char *part);

/* Whether processes may be traced here at all; else says that the test is skipped. */
bool may_trace(void);

/* The first line that contains `part`, in a place of its own until the next call; "" where there is none. */
const char *line_with(const char *text, const char *part);

/* A core that the kernel has written of `program` in "crash" mode, in a folder of its own. NULL, and it says so: none is to be had. */
char *make_core(const char *program);
void drop_core(char *path);

/* Whether `text` is one value of JSON, and nothing behind it but a newline. */
bool is_json(const char *text);

#endif
