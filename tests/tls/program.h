/* SPDX-License-Identifier: MIT */
/* Other programs, started by a test with pipes to their standard input and from their output; and sockets to meet them at. */
#ifndef FILCH_TESTS_TLS_PROGRAM_H
#define FILCH_TESTS_TLS_PROGRAM_H

#include <filch/fd.h>
#include <filch/filch.h>
#include <filch/transport.h>
#include <sys/types.h>

struct program {
    pid_t process;
    filch_fd in, out; /* what it reads, and what it writes: standard output and standard error */
    char text[16384]; /* what it has written so far, as text */
    size_t length;
};

/* Starts it, in a task. False: there is no such program. */
bool program_start(struct program *program, const char *const *arguments);

/* Reads what it writes until `text` stands there, and returns where. Fails the test where the output ends before. */
const char *program_wait_for(struct program *program, const char *text);

/* Sends it a line, or whatever it is. */
void program_tell(struct program *program, const char *text);

/* Kills it, unless it has ended, and waits for its end. */
void program_end(struct program *program);

/* A socket that listens on a port of its own of 127.0.0.1, and a connection that comes there. */
int listen_somewhere(unsigned *port);
filch_transport accept_one(int listener);

/* A connection to a port of 127.0.0.1. */
filch_transport connect_to(unsigned port);

/* All further calls of the tests that do not say otherwise end then. */
#define SOON filch_after(FILCH_SEC(20))

#endif
