/* SPDX-License-Identifier: MIT */
/* What the tests of descriptors share: ends of pipes and sockets to use, and what is known of them. */
#ifndef FILCH_TESTS_IO_FDS_H
#define FILCH_TESTS_IO_FDS_H

#include <errno.h>
#include <fcntl.h>
#include <filch/fd.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/api/workers.h"

/* The deadline that has passed always. */
#define PASSED ((filch_deadline){0})

static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz";

/* Adopts a number for the caller's runtime. */
static inline filch_fd adopt(int number) {
    filch_fd fd;
    check_int(filch_fd_adopt(&fd, number, NULL), 0);
    return fd;
}

/* The two ends of a stream that runs both ways. */
static inline void make_numbers(int numbers[2]) {
    check_int(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, numbers), 0);
}

static inline void make_pair(filch_fd ends[2]) {
    int numbers[2];
    make_numbers(numbers);
    for (int i = 0; i < 2; i++) ends[i] = adopt(numbers[i]);
}

static inline void make_pipe(filch_fd ends[2]) {
    check_int(filch_pipe_open(&ends[0], &ends[1], NULL), 0);
}

static inline void close_both(filch_fd ends[2]) {
    for (int i = 0; i < 2; i++) check_int(filch_fd_close(ends[i]), 0);
}

/* A socket of the kind on 127.0.0.1, bound to some port, which is told. */
static inline int bound_number(int type, struct sockaddr_in *address) {
    int number = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    check(number >= 0);
    *address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof *address;
    check_int(bind(number, (struct sockaddr *)address, length), 0);
    check_int(getsockname(number, (struct sockaddr *)address, &length), 0);
    return number;
}

/* Both ends of a connection over TCP. */
static inline void make_tcp_numbers(int numbers[2]) {
    struct sockaddr_in address;
    int listening = bound_number(SOCK_STREAM, &address);
    check_int(listen(listening, 1), 0);
    numbers[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check_int(connect(numbers[0], (struct sockaddr *)&address, sizeof address), 0);
    numbers[1] = accept(listening, NULL, NULL);
    check(numbers[1] >= 0);
    close(listening);
}

static inline void make_tcp(filch_fd ends[2]) {
    int numbers[2];
    make_tcp_numbers(numbers);
    for (int i = 0; i < 2; i++) ends[i] = adopt(numbers[i]);
}

/* How many numbers are open in this process. */
static inline int numbers_open(void) {
    int count = 0;
    for (int number = 0; number < 1024; number++) {
        char link[32], target[16];
        snprintf(link, sizeof link, "/proc/self/fd/%d", number);
        ssize_t length = readlink(link, target, sizeof target);
        count += length >= 0 && (length < 6 || memcmp(target, "/proc/", 6) != 0); /* the monitor's, for a moment */
    }
    return count;
}

/* Writes until there is no room: how many bytes that were. */
static inline size_t fill(filch_fd fd) {
    static const char block[4096];
    size_t filled = 0;
    ssize_t moved;
    while ((moved = filch_fd_write(fd, block, sizeof block, PASSED)) > 0) filled += (size_t)moved;
    check_int(moved, -ETIMEDOUT);
    return filled;
}

/* Reads that many bytes and throws them away. */
static inline void drain(filch_fd fd, size_t size) {
    char block[2048];
    while (size > 0) {
        ssize_t moved = filch_fd_read(fd, block, size < sizeof block ? size : sizeof block, FILCH_NEVER);
        check(moved > 0);
        size -= (size_t)moved;
    }
}

/* Has the poller watch it, by a wait of no use for something to read. */
static inline void have_watched(filch_fd fd) {
    char byte;
    check_int(filch_fd_read(fd, &byte, 1, filch_after(1)), -ETIMEDOUT);
    check_int(filch_fd_wait(fd, FILCH_READABLE, filch_after(FILCH_MS(1))), -ETIMEDOUT);
}

/* Until `count` tasks of the caller's runtime wait for `reason`. */
static inline int count_waiting(const filch_task_info *info, void *arg) {
    struct {
        const char *reason;
        int count;
    } *wanted = arg;
    if (info->state == FILCH_TASK_WAITING && info->reason != NULL && strcmp(info->reason, wanted->reason) == 0)
        wanted->count++;
    return 0;
}

static inline int waiting_for(const char *reason) {
    struct {
        const char *reason;
        int count;
    } wanted = {reason, 0};
    filch_task_each(filch_runtime_current(), count_waiting, &wanted);
    return wanted.count;
}

static inline void until_waiting(const char *reason, int count) {
    while (waiting_for(reason) < count) filch_sleep(FILCH_US(100));
}

#endif
