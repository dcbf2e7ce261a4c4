/* SPDX-License-Identifier: MIT */
#include "connection.h"

#include <errno.h>
#include <filch/tcp.h>
#include <stdlib.h>
#include <time.h>

#include "body.h"
#include "respond.h"
#include "secure.h"

/* How long, and for how many bytes, what a client still sends is read before its connection is closed. */
#define LINGER_TIME FILCH_SEC(2)
#define LINGER_BYTES ((size_t)1 << 20)

/* -------------------------------------------------------------------------------------------------------- the request */

/*
 * Reads a request's head, of which something has come.
 *
 * Returns its length; 0: the connection has ended; or a negative status: -408, or as request_parse
 */
static int read_head(struct connection *connection, struct request *request) {
    const struct options *options = connection->server->options;
    filch_deadline deadline = filch_after(options->header_ns);
    request_begin(request);
    for (size_t had = 0;;) {
        const void *bytes;
        ssize_t shown = filch_stream_peek(connection->stream, had + 1, &bytes, deadline);
        if (shown == -ETIMEDOUT) return -408;
        if (shown <= (ssize_t)had) return 0;
        had = (size_t)shown;
        int answer = request_parse(request, bytes, had, &options->limits);
        if (answer != 0) return answer;
    }
}

/* Skips the head and the body of a request. False: the connection cannot be used further. */
static bool skip_request(struct connection *connection, const struct request *request, size_t head_length) {
    const struct options *options = connection->server->options;
    filch_stream *stream = connection->stream;
    struct body body;
    int answer = body_begin(&body, request, options->body_max);
    if (filch_stream_skip(stream, head_length) != 0 || answer != 0) return false;
    if (body.state == BODY_DONE) return true;
    filch_deadline deadline = filch_after(options->header_ns);
    while (body.state != BODY_DONE && answer == 0) {
        const void *bytes;
        size_t used = 0;
        ssize_t shown = filch_stream_peek(stream, 1, &bytes, deadline);
        if (shown <= 0) return false;
        answer = body_skip(&body, bytes, (size_t)shown, &used);
        if (filch_stream_skip(stream, used) != 0) return false;
    }
    return answer >= 0;
}

/* ------------------------------------------------------------------------------------------------------- one by one */

/* Finds the answer to a request that is complete. */
static void find_answer(struct server *server, struct exchange *exchange) {
    const struct options *options = server->options;
    const struct request *request = &exchange->request;
    exchange->is_kept = request->keep_alive && !server_is_closing(server);
    if (request->body == BODY_LENGTH && request->body_length > options->body_max) {
        answer_plainly(&exchange->answer, 413);
        exchange->is_kept = false;
        return;
    }
    /* It is answered without its body, which may then come or not. */
    if (request->expects_continue && request->body != BODY_NONE) exchange->is_kept = false;
    answer_find(&exchange->answer, request, &exchange->path, &server->files, options->shows_hidden, time(NULL));
}

/* Reads, answers and logs one request. False: it was the last one. */
static bool serve_exchange(struct connection *connection, struct exchange *exchange) {
    int length = read_head(connection, &exchange->request);
    if (length == 0) return false;
    int64_t began_ns = filch_now();
    if (length > 0) {
        find_answer(connection->server, exchange);
    } else {
        /* Where it ends is not known. */
        answer_plainly(&exchange->answer, -length);
        exchange->is_kept = false;
    }
    int error = respond(connection, exchange);
    respond_log(connection, exchange, began_ns);
    answer_end(&exchange->answer);
    if (error != 0) {
        filch_stream_abort(connection->stream);
        return false;
    }
    return exchange->is_kept && skip_request(connection, &exchange->request, (size_t)length);
}

/* Waits for a request and serves it. False: there are to be no more. */
static bool serve_request(struct connection *connection) {
    const void *bytes;
    filch_deadline deadline = filch_after(connection->server->options->idle_ns);
    if (filch_stream_peek(connection->stream, 1, &bytes, deadline) <= 0) return false;
    struct exchange *exchange = malloc(sizeof(*exchange));
    if (exchange == NULL) return false;
    bool goes_on = serve_exchange(connection, exchange);
    free(exchange);
    return goes_on;
}

/*
 * Reads on until the client ends too. Were the socket closed while bytes lie there unread, the client would be sent a reset,
 * which can overtake the answer.
 */
static void linger(filch_stream *stream) {
    filch_deadline deadline = filch_after(LINGER_TIME);
    const void *bytes;
    for (size_t total = 0; total < LINGER_BYTES;) {
        ssize_t shown = filch_stream_peek(stream, 1, &bytes, deadline);
        if (shown <= 0 || filch_stream_skip(stream, (size_t)shown) != 0) return;
        total += (size_t)shown;
    }
}

static void converse(struct connection *connection) {
    filch_deadline deadline = filch_after(connection->server->options->header_ns);
    if (connection->server->tls != NULL && secure(connection->server->tls, connection->stream, deadline) != 0) return;
    while (serve_request(connection)) continue;
    deadline = filch_after(connection->server->options->send_ns);
    if (filch_stream_shutdown(connection->stream, deadline) == 0) linger(connection->stream);
}

/* -------------------------------------------------------------------------------------------------- the server's list */

/* The next read of the connection finds the end, once what has come is read. One that is gone has had it. */
static void end_reading(struct connection *connection) {
    int error = filch_tcp_shutdown(connection->socket, SHUT_RD);
    (void)error;
}

static void enlist(struct connection *connection) {
    struct server *server = connection->server;
    pthread_mutex_lock(&server->lock);
    connection->next = server->connections;
    if (connection->next != NULL) connection->next->previous = connection;
    server->connections = connection;
    /* One that came after connection_end_all is ended here. */
    if (atomic_load_explicit(&server->is_stopping, memory_order_relaxed)) end_reading(connection);
    pthread_mutex_unlock(&server->lock);
}

static void withdraw(struct connection *connection) {
    struct server *server = connection->server;
    pthread_mutex_lock(&server->lock);
    if (connection->next != NULL) connection->next->previous = connection->previous;
    if (connection->previous != NULL) {
        connection->previous->next = connection->next;
    } else {
        server->connections = connection->next;
    }
    pthread_mutex_unlock(&server->lock);
}

void connection_end_all(struct connection *first) {
    for (; first != NULL; first = first->next) end_reading(first);
}

static int open_stream(struct connection *connection, filch_fd socket) {
    const struct request_limits *limits = &connection->server->options->limits;
    /* One byte more than a head may have: then the parser says that it is too long. */
    filch_stream_options options = {.read_limit = limits->head_max + 1};
    /* Answers are written in whole: the last piece of one is not to wait for the client's acknowledgement. */
    int error = filch_tcp_set_nodelay(socket, true);
    return error != 0 ? error : filch_stream_open_fd(&connection->stream, socket, &options);
}

int connection_serve(filch_fd socket, const filch_address *peer, void *arg) {
    struct connection *connection = malloc(sizeof(*connection));
    if (connection == NULL) return -ENOMEM;
    connection->server = arg;
    connection->peer = *peer;
    connection->socket = socket;
    connection->next = connection->previous = NULL;
    int error = open_stream(connection, socket);
    if (error == 0) {
        enlist(connection);
        converse(connection);
        withdraw(connection);
        filch_stream_destroy(connection->stream);
    }
    free(connection);
    return error;
}
