/* SPDX-License-Identifier: MIT */
/*
 * A server as a process of its own: `filch-bench --serve what system workers hogs argument`. It is started with a listening
 * socket as descriptor 3, and serves until it is killed. Peers' programs, filch-bench-<system>, are started likewise.
 * Without such a descriptor (started by hand) it listens on a free port of 127.0.0.1 and prints which.
 */
#ifndef BENCH_NET_SERVE_H
#define BENCH_NET_SERVE_H

#include <stdbool.h>

#include "protocol.h"

enum { LISTENER = 3 };

struct serving {
    int listener; /* non-blocking */
    unsigned workers;
    unsigned hogs; /* tasks, or threads, that compute all the while */
    const struct protocol *protocol;
};

/* Serves for ever. */
typedef void serve_fn(const struct serving *serving);

serve_fn serve_epoll, serve_io_uring, serve_pthread, serve_filch, serve_filch_uring;

/* Whether this program has a server of that system. */
bool serve_has(const char *system);

/* The main function of such a process. */
int serve_main(int count, char **arguments);

/* Accepts a connection, as accept4 with SOCK_CLOEXEC and `flags` does, and has it send at once what it is given. */
int serve_accept(int listener, int flags);

/* Sends all, blocking where the socket does; false where the other end is gone. */
bool serve_send(int fd, const char *data, size_t size);

/* Computes for ever. */
void serve_hog(void) __attribute__((noreturn));

#endif
