/* SPDX-License-Identifier: MIT */
/*
 * Connections that stay, each with one request at a time.
 *
 * Without a rate a connection sends its next request when the last one is answered. With one, request i is due at i / rate
 * on connection i mod connections, whether the answer before has come or not; if it has not, the request is sent as soon
 * as it has, but its latency counts from when it was due.
 */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "inside.h"

/* With a rate: when request `number` is due. */
static int64_t due_ns(const struct progress *progress, int64_t number) {
    return progress->first_ns + (int64_t)((double)number * 1e9 / progress->phase->rate);
}

static int64_t requests_in_all(const struct progress *progress) {
    const struct load_phase *phase = progress->phase;
    if (phase->requests > 0) return phase->requests;
    return (int64_t)((double)phase->duration_ns * phase->rate / 1e9);
}

static void begin(struct load *load, struct connection *connection, int64_t number, int64_t begun_ns) {
    request_begin(load, connection, number, begun_ns);
    load->progress.busy++;
    if (!request_send(connection)) connection_fail(load, connection, "send", errno);
}

/* Begins the next request of a connection that has none under way, if there is one. */
static void begin_next(struct load *load, struct connection *connection, int64_t now) {
    struct progress *progress = &load->progress;
    if (connection->fd < 0) return;
    if (progress->phase->rate > 0) {
        int64_t number = connection->index + connection->turn * load->options.connections;
        if (number >= progress->begun) return;
        connection->turn++;
        begin(load, connection, number, due_ns(progress, number));
    } else if (more_to_begin(progress, now)) {
        begin(load, connection, progress->begun++, now);
    }
}

/* Receives what is there. A short read means that there is no more; an event tells when there is. */
static void receive(struct load *load, struct connection *connection) {
    for (;;) {
        ssize_t count = recv(connection->fd, load->input, INPUT_MAX, 0);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0 && errno == EAGAIN) return;
        if (count < 0) {
            connection_fail(load, connection, "recv", errno);
            return;
        }
        int state = count == 0 ? -1 : reply_take(load, connection, load->input, (size_t)count);
        if (state < 0) {
            connection_fail(load, connection, count ? "another answer came" : "the server closed a connection", 0);
            return;
        }
        if (state > 0) {
            int64_t now = load_now();
            count_answer(&load->progress, connection, now);
            begin_next(load, connection, now);
        }
        if (count < INPUT_MAX || connection->fd < 0) return;
    }
}

static void handle(struct load *load, const struct epoll_event *event) {
    struct connection *connection = event->data.ptr;
    if (connection->fd < 0) return;
    if (connection->busy && connection->put < connection->size && !request_send(connection)) {
        connection_fail(load, connection, "send", errno);
        return;
    }
    if (event->events & ~(uint32_t)EPOLLOUT) receive(load, connection);
}

/* Begins what has become due. */
static void begin_due(struct load *load, int64_t now) {
    struct progress *progress = &load->progress;
    int64_t all = requests_in_all(progress);
    while (progress->begun < all && due_ns(progress, progress->begun) <= now) {
        struct connection *connection = &load->connections[progress->begun % load->options.connections];
        progress->begun++;
        if (!connection->busy) begin_next(load, connection, now);
    }
}

/* Until when the next wait is to last; 0: until something comes. */
static int64_t next_ns(const struct progress *progress) {
    if (progress->phase->rate <= 0 || progress->begun >= requests_in_all(progress)) return 0;
    return due_ns(progress, progress->begun);
}

/* With a rate, what is due is sent in any case, whatever has become of the requests before. */
static bool is_over(const struct load *load) {
    const struct progress *progress = &load->progress;
    if (progress->phase->rate > 0 && progress->begun < requests_in_all(progress)) return false;
    return progress->busy == 0 || is_out_of_patience(load);
}

/* What was due and not answered has taken at least until now. */
static void count_lost(struct load *load, int64_t now) {
    struct progress *progress = &load->progress;
    for (unsigned i = 0; i < load->options.connections; i++) {
        const struct connection *connection = &load->connections[i];
        if (connection->busy) histogram_add(&progress->result->latency, now - connection->begun_ns);
        int64_t number = connection->index + connection->turn * load->options.connections;
        for (; number < progress->begun; number += load->options.connections)
            histogram_add(&progress->result->latency, now - due_ns(progress, number));
    }
}

void flow_run(struct load *load) {
    struct epoll_event events[EVENTS_MAX];
    struct progress *progress = &load->progress;
    bool timed = progress->phase->rate > 0;
    for (unsigned i = 0; i < load->options.connections; i++) load->connections[i].turn = 0;
    for (unsigned i = 0; !timed && i < load->options.connections; i++)
        begin_next(load, &load->connections[i], progress->first_ns);
    if (timed) begin_due(load, load_now());
    while (!is_over(load)) {
        int count = wait_events(load, events, next_ns(progress));
        for (int i = 0; i < count; i++) handle(load, &events[i]);
        if (timed) begin_due(load, load_now());
    }
    if (timed) count_lost(load, load_now());
}
