/* SPDX-License-Identifier: MIT */
/* What a server says to what it hears. The servers that are written here share it, and differ in how they wait. */
#ifndef BENCH_NET_PROTOCOL_H
#define BENCH_NET_PROTOCOL_H

#include <sys/types.h>

/* Bytes that a server reads at once. */
enum { INPUT_SIZE = 2048 };

struct protocol {
    const char *what; /* "echo", "http-hello" ... */
    size_t state;     /* bytes that it keeps of a connection; zeroed at first */
    size_t room;      /* bytes in which an answer may be made */

    /* Before all others, with the argument of the command line; or NULL. */
    void (*prepare)(const char *argument);

    /*
     * Takes bytes from `*in`, moving it on and `*count` down, until there is an answer: its length, and `*out` where it
     * is, in `*in`, in `room` or elsewhere. 0: all is taken, and there is no answer yet. -1: the connection is to end.
     */
    ssize_t (*answer)(void *state, const char **in, size_t *count, char *room, const char **out);

    /* After the last, or NULL. */
    void (*end)(void *state);
};

extern const struct protocol echo_protocol, http_hello_protocol, http_file_protocol;

#endif
