/* SPDX-License-Identifier: MIT */
/*
 * The access log. Lines are added to a buffer, which costs no system call and never waits; a task of its own writes them
 * out, about once a second or when there are many, on a helper thread. Where that cannot keep up, lines are lost, and a
 * line in the log says how many.
 */
#ifndef HTTPD_LOG_H
#define HTTPD_LOG_H

#include <filch/filch.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

struct access_log {
    int number;               /* of its descriptor; -1: nothing is logged */
    filch_event some, plenty; /* there is a line; there are many, or it is to be ended */
    pthread_mutex_t lock;     /* over what follows; held for a copy */
    char *lines, *spare;      /* what is added to, and what is written, in turn */
    size_t length;
    size_t lost;
    bool is_ended;
};

/*
 * Opens the log `name`, which is appended to; "-" is standard output, NULL: no log. 0, or a negative errno: then there is
 * nothing to close.
 */
int log_open(struct access_log *log, const char *name);

/* Adds a line, which ends by "\n". Never waits. From any task. */
void log_add(struct access_log *log, const char *line, size_t length);

/* The task that writes, until log_end was called and all is written. `arg` is the log. */
int log_write(void *arg);

/* Has log_write return. */
void log_end(struct access_log *log);

/* After log_write has returned. */
void log_close(struct access_log *log);

#endif
