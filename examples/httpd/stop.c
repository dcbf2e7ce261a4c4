/* SPDX-License-Identifier: MIT */
/*
 * By signalfd(2): signals that are blocked in all threads are read from a descriptor, which is watched like any other.
 */
#include "stop.h"

#include <errno.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

static sigset_t signals_that_stop(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    return set;
}

void stop_prepare(void) {
    sigset_t set = signals_that_stop();
    sigprocmask(SIG_BLOCK, &set, NULL);
}

/* In a function of its own, that does not wait: it reads errno. */
static int open_number(void) {
    sigset_t set = signals_that_stop();
    int number = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return number >= 0 ? number : -errno;
}

int stop_open(filch_fd *stop) {
    int number = open_number();
    if (number < 0) return number;
    int error = filch_fd_adopt(stop, number, NULL);
    if (error != 0) close(number);
    return error;
}

int stop_wait(filch_fd stop) {
    struct signalfd_siginfo info;
    ssize_t length = filch_fd_read(stop, &info, sizeof(info), FILCH_NEVER);
    return length < 0 ? (int)length : (int)info.ssi_signo;
}

void stop_at_once(int number) {
    sigset_t set = signals_that_stop();
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    raise(number);
}
