/* SPDX-License-Identifier: MIT */
/* For tests of what watches descriptors: eventfds, runtimes that have a certain poller, tasks that wait. */
#ifndef FILCH_TESTS_IO_POLLER_H
#define FILCH_TESTS_IO_POLLER_H

#include <errno.h>
#include <fcntl.h>
#include <filch/fd.h>
#include <filch/filch.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "io/io.h"
#include "sched/runtime.h"
#include "tests/test.h"

/* One worker, and nobody but it looks at the poller, when it gives way: what happens in between is up to the test. */
#define ALONE(wish)                                                                                                    \
    &(filch_options) {                                                                                                 \
        .workers = 1, .no_monitor = true, .poller = (wish)                                                             \
    }

/* Whether the runtime that the caller is a task of has io_uring; where not, one line says that the test is left out. */
static inline bool has_uring(const char *test) {
    filch_fd fd;
    check_int(filch_fd_adopt(&fd, eventfd(0, EFD_CLOEXEC), NULL), 0);
    check_int(filch_fd_close(fd), 0);
    bool has = strcmp(filch_runtime_poller(filch_runtime_current()), "io_uring") == 0;
    if (!has) fprintf(stderr, "SKIPPED: %s: io_uring is not to be had here\n", test);
    return has;
}

static inline filch_fd adopted_event(void) {
    filch_fd fd;
    check_int(filch_fd_adopt(&fd, eventfd(0, EFD_CLOEXEC), NULL), 0);
    return fd;
}

static inline void post(int number) {
    check_int(write(number, &(uint64_t){1}, sizeof(uint64_t)), sizeof(uint64_t));
}

/* A task: reads one event. */
static inline int read_event(void *fd) {
    uint64_t value;
    ssize_t size = filch_fd_read(*(filch_fd *)fd, &value, sizeof value, FILCH_NEVER);
    return size == sizeof value ? 0 : (int)size;
}

/* Starts a task that reads an event, and lets it run until it waits. */
static inline filch_task *waiting_reader(filch_fd *fd) {
    filch_task *task;
    check_int(filch_spawn(&task, read_event, fd, NULL), 0);
    for (int i = 0; i < 10; i++) filch_yield();
    return task;
}

static inline int awaited(filch_task *task) {
    int result;
    check_int(filch_await(task, &result, FILCH_NEVER), 0);
    return result;
}

/* Turns enough that the poller is looked at. */
static inline void let_it_look(void) {
    for (int i = 0; i < 200; i++) filch_yield();
}

#endif
