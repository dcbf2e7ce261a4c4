/* SPDX-License-Identifier: MIT */
/* What the tests of sockets share: runtimes of several sizes, counting descriptors, a pair of connected sockets. */
#ifndef FILCH_TESTS_IO_NET_H
#define FILCH_TESTS_IO_NET_H

#include <dirent.h>
#include <errno.h>
#include <filch/filch.h>
#include <filch/io.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/api/workers.h"

/*
 * How many descriptors the process has open, but for those of files in /proc: the one that counts is such, and so is what
 * the monitor has open for a moment now and then.
 */
static inline int open_fds(void) {
    int count = 0;
    char target[16];
    DIR *directory = opendir("/proc/self/fd");
    check(directory != NULL);
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        ssize_t length = readlinkat(dirfd(directory), entry->d_name, target, sizeof target);
        if (length < 0) continue; /* "." and "..", or it has been closed just now */
        count += length < 6 || memcmp(target, "/proc/", 6) != 0;
    }
    closedir(directory);
    return count;
}

/* Lets others run until so many are open, or for a long time; how many are. Whoever uses one last closes it. */
static inline int open_fds_once(int expected) {
    int count;
    for (int i = 0; (count = open_fds()) != expected && i < 1000; i++) filch_sleep(FILCH_MS(1));
    return count;
}

struct counted {
    filch_fn *fn;
    void *arg;
};

/*
 * Runs a function, and checks that as many descriptors are open afterwards as before. The poller has its own from its first
 * use on, so that comes first.
 */
static inline int run_counted(void *arg) {
    struct counted *counted = arg;
    filch_fd one, other;
    check_int(filch_unix_pair(&one, &other, SOCK_STREAM, NULL), 0);
    check_int(filch_fd_wait(one, FILCH_READABLE, filch_after(FILCH_MS(1))), -ETIMEDOUT);
    int before = open_fds() - 2;
    filch_fd_close(one);
    filch_fd_close(other);
    check_int(open_fds_once(before), before);
    check_int(counted->fn(counted->arg), 0);
    check_int(open_fds_once(before), before);
    return 0;
}

/* Runs `fn(arg)` in runtimes of 1, 2 and 4 workers, which leaves no descriptor open; and neither does the runtime. */
static inline void run_clean(filch_fn *fn, void *arg) {
    struct counted counted = {fn, arg};
    for (unsigned workers = 1; workers <= 4; workers *= 2) {
        int before = open_fds();
        run_with(workers, run_counted, &counted);
        check_int(open_fds(), before);
    }
}

/* Likewise in a process that may have only 256 descriptors. */
static inline void run_scarce(filch_fn *fn, void *arg) {
    struct rlimit limit = {.rlim_cur = 256, .rlim_max = 256};
    struct counted counted = {fn, arg};
    check_int(setrlimit(RLIMIT_NOFILE, &limit), 0);
    for (unsigned workers = 1; workers <= 4; workers *= 2) {
        int before = open_fds();
        run_unwatched(workers, run_counted, &counted);
        check_int(open_fds(), before);
    }
}

/* A listener at a free port of 127.0.0.1, or of ::1, and its address. */
static inline filch_fd listen_at(filch_address at, filch_address *address, const filch_tcp_listen_options *options) {
    filch_fd listener;
    check_int(filch_tcp_listen(&listener, &at, options), 0);
    check_int(filch_fd_address(listener, false, address), 0);
    check(filch_address_port(address) != 0);
    return listener;
}

static inline filch_fd listen_here(filch_address *address) {
    return listen_at(filch_address_ip4_loopback(0), address, NULL);
}

/* Two ends of one TCP connection. */
static inline void connect_pair(filch_fd *one, filch_fd *other) {
    filch_address address;
    filch_fd listener = listen_here(&address);
    check_int(filch_tcp_connect_address(one, &address, NULL, FILCH_NEVER), 0);
    check_int(filch_tcp_accept(listener, other, NULL, FILCH_NEVER), 0);
    check_int(filch_fd_close(listener), 0);
}

/* Sends `text` one way, and checks that it arrives. */
static inline void exchange(filch_fd from, filch_fd to, const char *text) {
    char buffer[64] = "";
    size_t size = strlen(text);
    check_int(filch_fd_write_all(from, text, size, NULL, FILCH_NEVER), 0);
    check_int(filch_fd_read_exactly(to, buffer, size, NULL, FILCH_NEVER), 0);
    check(strcmp(buffer, text) == 0);
}

/* Tasks that accept, at the listener that is their argument: one connection, which is closed; or for ever. */
static inline int accept_one(void *arg) {
    filch_fd fd;
    int error = filch_tcp_accept(*(filch_fd *)arg, &fd, NULL, FILCH_NEVER);
    return error != 0 ? error : filch_fd_close(fd);
}

static inline int accept_for_ever(void *arg) {
    filch_fd fd;
    return filch_tcp_accept(*(filch_fd *)arg, &fd, NULL, FILCH_NEVER);
}

/*
 * A listener whose queue is full: further connections are neither accepted nor refused. Those in the queue are the
 * caller's, to be closed.
 */
enum { QUEUED = 2 };

static inline filch_fd listen_full(filch_address at, filch_address *address, filch_fd queued[QUEUED]) {
    filch_fd listener = listen_at(at, address, &(filch_tcp_listen_options){.backlog = 1});
    for (int i = 0; i < QUEUED; i++) {
        check_int(filch_tcp_connect_address(&queued[i], address, NULL, FILCH_NEVER), 0);
    }
    return listener;
}

static inline void close_all(filch_fd *fds, int count) {
    for (int i = 0; i < count; i++) check_int(filch_fd_close(fds[i]), 0);
}

/* A port at which nobody listens: the socket that is returned, to be closed by close(2), has it and does not. */
static inline int hold_port(filch_address at, filch_address *address) {
    int number = socket(at.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check_int(bind(number, &at.any, at.length), 0);
    address->length = sizeof address->local;
    check_int(getsockname(number, &address->any, &address->length), 0);
    return number;
}

/* Runs `fn(arg)` in a task that is cancelled once it waits, and checks that it answers -ECANCELED. */
static inline int waits_now(const filch_task_info *info, void *arg) {
    return info->task == arg && info->state == FILCH_TASK_WAITING;
}

static inline void check_is_cancelled(filch_fn *fn, void *arg) {
    filch_task *task = start(fn, arg);
    while (filch_task_each(filch_runtime_current(), waits_now, task) == 0) filch_sleep(FILCH_US(100));
    filch_task_cancel(task);
    check_int(result_of(task), -ECANCELED);
}

/* A folder of the test's own for socket files, and paths in it. */
static inline void make_folder(char *folder, size_t size) {
    snprintf(folder, size, "/tmp/filch-net-XXXXXX");
    check(mkdtemp(folder) != NULL);
}

#endif
