/* SPDX-License-Identifier: MIT */
/*
 * Proves that an accept without a descriptor sleeps, counts, and goes on when there is one; and that whichever system call
 * fails, or is interrupted, nothing hangs and nothing is left open.
 */
#include <time.h>

#include "io/system.h"
#include "tests/io/net.h"

/* Takes all descriptors that are left to the process; how many. */
static int take_descriptors(int *numbers, int max) {
    int count = 0;
    while (count < max && (numbers[count] = dup(STDERR_FILENO)) >= 0) count++;
    check(count < max);
    return count;
}

static int64_t cpu_ns(void) {
    struct timespec used;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return used.tv_sec * FILCH_SEC(1) + used.tv_nsec;
}

static int accept_without_descriptors(void *arg) {
    enum { MAX = 300 };
    static int numbers[MAX];
    filch_address address;
    filch_fd listener = listen_here(&address), client, fd;
    (void)arg;
    check_int(filch_tcp_connect_address(&client, &address, NULL, FILCH_NEVER), 0);
    uint64_t shortages = filch_accept_shortages();
    int taken = take_descriptors(numbers, MAX), before = taken;
    check_int(filch_tcp_accept(listener, &fd, NULL, (filch_deadline){0}), -EMFILE);
    check_int(filch_tcp_accept(listener, &fd, NULL, filch_after(FILCH_MS(20))), -EMFILE);
    check(filch_accept_shortages() >= shortages + 3);

    shortages = filch_accept_shortages();
    int64_t cpu_before = cpu_ns();
    filch_task *task = start(accept_one, &listener);
    while (filch_accept_shortages() < shortages + 5) filch_sleep(FILCH_MS(1));
    check(cpu_ns() - cpu_before < FILCH_SEC(5)); /* some milliseconds, in truth */
    check_int(filch_task_done(task), false);
    while (taken > 0) close(numbers[--taken]);
    check_int(result_of(task), 0);

    taken = take_descriptors(numbers, MAX);
    check(taken >= before - 1);
    check_is_cancelled(accept_for_ever, &listener);
    task = start(accept_for_ever, &listener);
    shortages = filch_accept_shortages();
    while (filch_accept_shortages() < shortages + 1) filch_sleep(FILCH_MS(1));
    filch_fd_close(listener);
    check_int(result_of(task), -EBADF);
    while (taken > 0) close(numbers[--taken]);
    filch_fd_close(client);
    return 0;
}

TEST(tcp_shortage, without_a_descriptor_an_accept_sleeps_counts_and_goes_on_when_there_is_one) {
    run_scarce(accept_without_descriptors, NULL);
}

static int count_attempts(void *arg) {
    enum { MAX = 300 };
    static int numbers[MAX];
    filch_address address;
    filch_fd listener = listen_here(&address), client, fd;
    (void)arg;
    check_int(filch_tcp_connect_address(&client, &address, NULL, FILCH_NEVER), 0);
    int taken = take_descriptors(numbers, MAX);
    uint64_t before = filch_accept_shortages();
    check_int(filch_tcp_accept(listener, &fd, NULL, filch_after(FILCH_MS(300))), -EMFILE);
    check(filch_accept_shortages() - before <= 8); /* after 0, 5, 15, 35, 75, 155, 255 ms, and 300 */
    while (taken > 0) close(numbers[--taken]);
    filch_fd_close(client);
    filch_fd_close(listener);
    return 0;
}

TEST(tcp_shortage, an_accept_without_a_descriptor_does_not_spin) {
    run_scarce(count_attempts, NULL);
}

static int connect_without_descriptors(void *arg) {
    enum { MAX = 300 };
    static int numbers[MAX];
    filch_address address;
    filch_fd listener = listen_here(&address), fd;
    (void)arg;
    int taken = take_descriptors(numbers, MAX);
    check_int(filch_tcp_connect_address(&fd, &address, NULL, FILCH_NEVER), -EMFILE);
    check_int(filch_tcp_listen(&fd, &address, NULL), -EMFILE);
    while (taken > 0) close(numbers[--taken]);
    filch_fd_close(listener);
    return 0;
}

TEST(tcp_shortage, without_a_descriptor_nothing_is_opened) {
    run_scarce(connect_without_descriptors, NULL);
}

/* One system call after the other fails, on both sides. Nothing hangs, and nothing is left open. */
static int connect_and_accept(void *arg) {
    int answer = *(int *)arg;
    filch_fd fds[3] = {{0}};
    filch_address at = filch_address_ip4_loopback(0);
    char byte = 'x';
    for (uint64_t nth = 1;; nth++) {
        filch__system_fail(nth, false, answer);
        int error = filch_tcp_listen(&fds[0], &at, NULL);
        if (error == 0) error = filch_fd_address(fds[0], false, &at);
        if (error == 0) error = filch_tcp_connect_address(&fds[1], &at, NULL, FILCH_NEVER);
        if (error == 0) error = filch_tcp_accept(fds[0], &fds[2], NULL, filch_after(FILCH_SEC(30)));
        if (error == 0) error = filch_fd_write_all(fds[1], &byte, 1, NULL, FILCH_NEVER);
        if (error == 0) error = filch_fd_read_exactly(fds[2], &byte, 1, NULL, FILCH_NEVER);
        bool failed = filch__system_calls() >= nth;
        filch__system_fail(0, false, 0);
        for (int i = 0; i < 3; i++) (void)filch_fd_close(fds[i]);
        at = filch_address_ip4_loopback(0);
        check(error == 0 || (failed && error == answer && answer != -EINTR));
        if (!failed) return 0;
    }
}

TEST(tcp_shortage, whichever_system_call_fails_nothing_is_left_open) {
    int answers[] = {-ENOMEM, -ENOBUFS, -ECONNRESET, -EMFILE};
    for (int i = 0; i < 4; i++) run_clean(connect_and_accept, &answers[i]);
}

TEST(tcp_shortage, whichever_system_call_is_interrupted_is_made_again) {
    int interrupted = -EINTR;
    run_clean(connect_and_accept, &interrupted);
}
