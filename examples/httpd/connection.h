/* SPDX-License-Identifier: MIT */
/*
 * A connection: requests are read, answered and logged one after the other until one side has enough.
 *
 * Answers are written to the stream and sent when the next request is not there yet: those to requests that came together
 * go together. Nothing that a client does or leaves undone keeps a connection for longer than the times in the options.
 */
#ifndef HTTPD_CONNECTION_H
#define HTTPD_CONNECTION_H

#include <filch/stream.h>

#include "head.h"
#include "path.h"
#include "request.h"
#include "server.h"

struct connection {
    struct server *server;
    filch_stream *stream;
    filch_address peer;

    /* on the list of the server, under its lock */
    filch_fd socket;
    struct connection *next, *previous;
};

/* One request and its answer. There is none while a connection is idle: many are, and that is most of what they would cost. */
struct exchange {
    struct request request;
    struct answer answer;
    bool is_kept;  /* the connection is used further after it */
    uint64_t sent; /* bytes of the answer's body */
    struct head head;
    struct path path;
};

/* The task of a connection, for filch_serve. `arg` is the server. */
int connection_serve(filch_fd socket, const filch_address *peer, void *arg);

/*
 * Has every connection end after the requests that have come: the next read finds the end. For a server that is stopping,
 * under its lock.
 */
void connection_end_all(struct connection *first);

#endif
