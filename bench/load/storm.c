/* SPDX-License-Identifier: MIT */
/*
 * Connections that come and go: each connects, sends its message, waits until that has come back, and closes by a reset,
 * which leaves no port waiting. With a message of no bytes it says that it will send nothing (shutdown), and waits until
 * the server has closed too: so the server is known to have accepted it.
 */
#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "inside.h"

static void begin(struct load *load, struct connection *connection);

static void end(struct load *load, struct connection *connection) {
    struct linger reset = {.l_onoff = 1};
    int64_t now = load_now();
    if (connection->size > 0) setsockopt(connection->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(connection->fd);
    connection->fd = -1;
    connection->connected = false;
    count_answer(&load->progress, connection, now);
}

/* It is connected: says what it has to say. */
static bool speak(struct connection *connection) {
    if (connection->size > 0) return request_send(connection);
    return shutdown(connection->fd, SHUT_WR) == 0;
}

/* 1: over; 0: not yet; -1: failed, with errno, or 0 where something else came. */
static int listen_to(struct load *load, struct connection *connection) {
    ssize_t count = recv(connection->fd, load->input, INPUT_MAX, 0);
    if (count < 0) return errno == EAGAIN || errno == EINTR ? 0 : -1;
    errno = 0;
    if (connection->size == 0) return count == 0 ? 1 : -1;
    return count == 0 ? -1 : reply_take(load, connection, load->input, (size_t)count);
}

static void handle(struct load *load, const struct epoll_event *event) {
    struct connection *connection = event->data.ptr;
    if (connection->fd < 0) return;
    bool fresh = !connection->connected;
    connection->connected = true;
    if ((fresh || connection->put < connection->size) && !speak(connection)) {
        connection_fail(load, connection, fresh ? "connect" : "send", errno);
    } else if (event->events & ~(uint32_t)EPOLLOUT) {
        int state = listen_to(load, connection);
        if (state < 0) connection_fail(load, connection, errno ? "recv" : "another answer came", errno);
        if (state > 0) end(load, connection);
    }
    if (connection->fd < 0) begin(load, connection);
}

/* Begins the next connection in the place of one that is over. One that fails at once counts, and the next is tried. */
static void begin(struct load *load, struct connection *connection) {
    struct progress *progress = &load->progress;
    while (connection->fd < 0 && more_to_begin(progress, load_now())) {
        unsigned number = (unsigned)progress->begun;
        request_begin(load, connection, progress->begun++, load_now());
        progress->busy++;
        connection->fd = connect_begin(load, number);
        struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = connection};
        if (connection->fd < 0)
            connection_fail(load, connection, "connect", -connection->fd);
        else if (epoll_ctl(load->epoll, EPOLL_CTL_ADD, connection->fd, &event) != 0)
            connection_fail(load, connection, "epoll_ctl", errno);
    }
}

void storm_run(struct load *load) {
    struct epoll_event events[EVENTS_MAX];
    struct progress *progress = &load->progress;
    for (unsigned i = 0; i < load->options.connections; i++) begin(load, &load->connections[i]);
    while (progress->busy > 0 && !is_out_of_patience(load)) {
        int count = wait_events(load, events, 0);
        for (int i = 0; i < count; i++) handle(load, &events[i]);
    }
}
