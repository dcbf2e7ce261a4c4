/* SPDX-License-Identifier: MIT */
/* Opening and closing, and what the runs of all kinds share. */
#include "load.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "inside.h"

enum { CONNECT_TOGETHER = 64, SOURCES = 16 };

int64_t load_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/*
 * A storm leaves a closed connection's port waiting for a minute: with sixteen addresses of its own there are enough.
 * Which port is left for connect to choose, that it may take one that is used with another address.
 */
static int bind_source(int fd, unsigned index) {
    int yes = 1;
    struct sockaddr_in source = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000002u + index % SOURCES)};
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &yes, sizeof yes);
    return bind(fd, (struct sockaddr *)&source, sizeof source);
}

int connect_begin(const struct load *load, unsigned index) {
    const struct load_address *address = &load->options.address;
    int yes = 1, family = address->socket.any.sa_family;
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return -errno;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    bool spread = load->options.mode == LOAD_STORM && family == AF_INET;
    if ((spread && bind_source(fd, index) != 0) ||
        (connect(fd, &address->socket.any, address->length) != 0 && errno != EINPROGRESS)) {
        int error = errno;
        close(fd);
        return -error;
    }
    return fd;
}

void connection_fail(struct load *load, struct connection *connection, const char *what, int error) {
    struct load_result *result = load->progress.result;
    if (load->problem[0] == 0)
        snprintf(load->problem, sizeof load->problem, "%s%s%s", what, error ? ": " : "", error ? strerror(error) : "");
    if (result) result->errors++;
    if (connection->fd >= 0) close(connection->fd);
    connection->fd = -1;
    if (connection->busy && result) load->progress.busy--;
    connection->busy = connection->connected = false;
}

int wait_events(struct load *load, struct epoll_event *events, int64_t until_ns) {
    int64_t left = until_ns ? until_ns - load_now() : load->options.patience_ns / SLICES;
    if (left < 0) left = 0;
    struct timespec timeout = {left / 1000000000, left % 1000000000};
    int count = epoll_pwait2(load->epoll, events, EVENTS_MAX, &timeout, NULL);
    if (count == 0 && until_ns == 0) load->progress.quiet++;
    if (count > 0) load->progress.quiet = 0;
    return count > 0 ? count : 0;
}

bool is_out_of_patience(const struct load *load) {
    return load->progress.quiet >= SLICES;
}

/* The error with which a connect has ended. */
static int connect_error(int fd) {
    int error = 0;
    socklen_t length = sizeof error;
    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length);
    return error;
}

static void connect_one(struct load *load, struct connection *connection) {
    int fd = connect_begin(load, connection->index);
    if (fd < 0) {
        connection_fail(load, connection, "connect", -fd);
        return;
    }
    connection->fd = fd;
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = connection};
    if (epoll_ctl(load->epoll, EPOLL_CTL_ADD, fd, &event) != 0) connection_fail(load, connection, "epoll_ctl", errno);
}

/* Connects all, some together: no more than a listening socket's queue holds. */
static void connect_all(struct load *load) {
    struct epoll_event events[EVENTS_MAX];
    unsigned begun = 0, done = 0, wanted = load->options.connections;
    while (done < wanted && load->problem[0] == 0) {
        while (begun < wanted && begun - done < CONNECT_TOGETHER) connect_one(load, &load->connections[begun++]);
        int count = wait_events(load, events, 0);
        for (int i = 0; i < count; i++) {
            struct connection *connection = events[i].data.ptr;
            if (connection->connected || connection->fd < 0) continue;
            int error = connect_error(connection->fd);
            if (error) connection_fail(load, connection, "connect", error);
            connection->connected = error == 0;
            done++;
        }
        if (is_out_of_patience(load) && load->problem[0] == 0)
            snprintf(load->problem, sizeof load->problem, "connect: no answer");
    }
}

static bool fill_request(const struct load_options *options, char **text, size_t *size) {
    if (options->mode != LOAD_HTTP) {
        *size = options->size;
        *text = malloc(options->size + 1);
        for (size_t i = 0; *text && i < options->size; i++) (*text)[i] = (char)('a' + i % 26);
        return *text;
    }
    char one[HEAD_MAX];
    unsigned count = options->pipeline ? options->pipeline : 1;
    int length = snprintf(one, sizeof one, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", options->path);
    if (length < 0 || length >= (int)sizeof one) return false;
    *size = (size_t)length * count;
    *text = malloc(*size + 1);
    for (unsigned i = 0; *text && i < count; i++) memcpy(*text + (size_t)length * i, one, (size_t)length);
    return *text;
}

/* An echo's text is its connection's own, since it carries a number; one of HTTP is the same for all. */
static bool make_connections(struct load *load) {
    const struct load_options *options = &load->options;
    bool http = options->mode == LOAD_HTTP;
    unsigned count = options->connections;
    char *text;
    size_t size;
    if (!fill_request(options, &text, &size)) return false;
    load->connections = calloc(count, sizeof *load->connections);
    load->input = malloc(INPUT_MAX);
    load->texts = http ? text : malloc(size * count + 1);
    load->heads = http ? malloc((size_t)HEAD_MAX * count) : NULL;
    bool made = load->connections && load->input && load->texts && (load->heads || !http);
    for (unsigned i = 0; made && i < count; i++) {
        struct connection *connection = &load->connections[i];
        *connection = (struct connection){.fd = -1, .index = i, .size = size};
        connection->text = http ? text : load->texts + size * i;
        if (!http) memcpy(connection->text, text, size);
        if (http) connection->reply.head = load->heads + (size_t)HEAD_MAX * i;
    }
    if (!http) free(text);
    return made;
}

const char *load_open(struct load **out, const struct load_options *options) {
    static char problem[LOAD_PROBLEM_MAX];
    if (options->connections < 1 || options->connections > LOAD_CONNECTIONS_MAX) return "so many connections cannot be";
    if (options->size > LOAD_SIZE_MAX) return "a message is at most 1 MiB";
    if (options->size == 0 && options->mode == LOAD_ECHO) return "an echo has at least one byte";
    struct load *load = calloc(1, sizeof *load);
    if (!load) return "no memory";
    load->options = *options;
    load->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (load->epoll < 0)
        snprintf(load->problem, sizeof load->problem, "epoll_create1: %s", strerror(errno));
    else if (!make_connections(load))
        snprintf(load->problem, sizeof load->problem, "no memory");
    else if (options->mode != LOAD_STORM)
        connect_all(load);
    if (load->problem[0]) {
        memcpy(problem, load->problem, sizeof problem);
        load_close(load);
        return problem;
    }
    *out = load;
    return NULL;
}

void load_close(struct load *load) {
    for (unsigned i = 0; load->connections && i < load->options.connections; i++) {
        /* A reset leaves nothing behind: no port that is not free for a minute. */
        struct linger reset = {.l_onoff = 1};
        if (load->connections[i].fd < 0) continue;
        setsockopt(load->connections[i].fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        close(load->connections[i].fd);
    }
    if (load->epoll >= 0) close(load->epoll);
    free(load->connections);
    free(load->texts);
    free(load->heads);
    free(load->input);
    free(load);
}

bool more_to_begin(const struct progress *progress, int64_t now) {
    if (progress->phase->requests > 0) return progress->begun < progress->phase->requests;
    return now < progress->end_ns;
}

void count_answer(struct progress *progress, struct connection *connection, int64_t now) {
    connection->busy = false;
    progress->busy--;
    progress->result->answered++;
    histogram_add(&progress->result->latency, now - connection->begun_ns);
}

void load_run(struct load *load, const struct load_phase *phase, struct load_result *result) {
    *result = (struct load_result){0};
    int64_t now = load_now();
    load->progress = (struct progress){.phase = phase, .result = result, .first_ns = now};
    load->progress.end_ns = now + phase->duration_ns;
    if (load->options.mode == LOAD_STORM)
        storm_run(load);
    else
        flow_run(load);
    result->wanted = phase->requests > 0 ? phase->requests : load->progress.begun;
    result->lost = result->wanted - result->answered;
    result->elapsed_ns = load_now() - now;
    memcpy(result->problem, load->problem, sizeof result->problem);
    load->progress.result = NULL;
}
