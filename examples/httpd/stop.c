/* SPDX-License-Identifier: MIT */
#include "stop.h"

#include <errno.h>
#include <filch/fd.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

/* A handler can do little more than write(2) to a pipe, whose other end a task reads. */
static filch_fd reading, writing;
static volatile sig_atomic_t writing_number = -1;

static void set_actions(void (*handler)(int)) {
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    sigfillset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

static void note(int signal) {
    int saved = errno;
    char byte = (char)signal;
    /* Once: the next one ends a server that takes its time. Two at the same moment are one, or fit into the pipe both. */
    set_actions(SIG_DFL);
    if (write(writing_number, &byte, 1) != 1) abort();
    errno = saved;
}

int stop_prepare(void) {
    int error = filch_pipe_open(&reading, &writing, NULL);
    if (error != 0) return error;
    writing_number = filch_fd_number(writing);
    set_actions(note);
    return 0;
}

int stop_wait(void) {
    char signal;
    ssize_t length = filch_fd_read(reading, &signal, 1, FILCH_NEVER);
    return length < 0 ? (int)length : 0;
}

void stop_end(void) {
    set_actions(SIG_DFL);
    filch_fd_close(reading);
    filch_fd_close(writing);
}
