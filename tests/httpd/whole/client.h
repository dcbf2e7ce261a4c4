/* SPDX-License-Identifier: MIT */
/*
 * A server to be tested, as a process of its own on a free port, and clients of it that do what no good client does. The
 * clients are plain blocking sockets: nothing of filch is in them. Whatever does not come within minutes fails the test.
 */
#ifndef TESTS_HTTPD_CLIENT_H
#define TESTS_HTTPD_CLIENT_H

#include <stdint.h>
#include <sys/types.h>

#include "tests/test.h"

struct served {
    pid_t process;
    uint16_t port;
    char folder[64]; /* that is served, and removed at the end */
    char log[80];    /* the access log, beside it */
};

/*
 * Starts the server on a folder of its own with these files, with times that do not run out, and with `options`, which come
 * after them; NULL ends these (NULL: none).
 *
 *     index.html      "<p>index</p>\n"
 *     hello.txt       "hello, world\n"
 *     large.bin       LARGE_SIZE bytes, of which byte i is large_byte(i)
 *     empty           nothing
 *     a/index.html    "<p>a</p>\n"
 *     bare/           no index
 *     .hidden         "hidden\n"
 *     outside         a symbolic link to /etc/passwd
 *     inside          a symbolic link to hello.txt
 *     pipe            a FIFO
 */
struct served serve(const char *const *options);

enum { LARGE_SIZE = 3 << 20 };
char large_byte(size_t i);

/* Waits for the end of the process. Returns its exit status, or 128 and the number of the signal that has ended it. */
int await_end(const struct served *served);

/* Removes the folder and the log. */
void clean_up(const struct served *served);

/* Sends `signal`, waits for the end, and cleans up. Returns as await_end. */
int end_serving(const struct served *served, int signal);

/* SIGTERM, and the server must have ended well. */
void stop_serving(const struct served *served);

/* Writes the file `name` below the folder anew. */
void put_file(const struct served *served, const char *name, const char *content);

/* All that the access log holds. From malloc. */
char *read_log(const struct served *served);

/* -------------------------------------------------------------------------------------------------------- clients */

/* A connection. */
int dial(const struct served *served);

/* Sends text. False: the other side has reset the connection, or takes no more. */
bool say(int socket, const char *text);

/* What a server has answered. */
struct reply {
    int status;
    char *head;    /* the head, lines and all; from malloc */
    char *body;    /* with a zero behind it; from malloc */
    size_t length; /* of the body */
};

/* Reads one answer; `is_head`: to a request HEAD. False: the connection ended before its first byte. */
bool hear(int socket, bool is_head, struct reply *reply);
void forget(struct reply *reply);

/* The value of a field; "" if there is none. Until the next call of the thread. */
const char *field_of(const struct reply *reply, const char *name);

/* Proves that the connection has ended: nothing more comes. */
void check_end(int socket);

/* Sends `request` on a connection of its own, and reads the answer. */
struct reply ask(const struct served *served, const char *request);

/* The status alone. */
int status_of(const struct served *served, const char *request);

/* The same of a GET of `target`, with `fields` ("Name: value\r\n"). */
struct reply get(const struct served *served, const char *target, const char *fields);

#endif
