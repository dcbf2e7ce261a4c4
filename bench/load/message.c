/* SPDX-License-Identifier: MIT */
/* Requests and replies. Each echo carries its number, so that a reply which belongs to another request is noticed. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "inside.h"

void request_begin(const struct load *load, struct connection *connection, int64_t number, int64_t begun_ns) {
    if (load->options.mode != LOAD_HTTP)
        memcpy(connection->text, &number, connection->size < sizeof number ? connection->size : sizeof number);
    struct reply *reply = &connection->reply;
    *reply = (struct reply){.head = reply->head};
    connection->put = 0;
    connection->begun_ns = begun_ns;
    connection->busy = true;
}

bool request_send(struct connection *connection) {
    while (connection->put < connection->size) {
        ssize_t count = send(connection->fd, connection->text + connection->put, connection->size - connection->put,
                             MSG_NOSIGNAL | MSG_DONTWAIT);
        if (count >= 0)
            connection->put += (size_t)count;
        else if (errno == EAGAIN)
            return true;
        else if (errno != EINTR)
            return false;
    }
    return true;
}

static int take_echo(struct connection *connection, const char *data, size_t count) {
    struct reply *reply = &connection->reply;
    if (count > connection->size - reply->got) return -1;
    if (memcmp(connection->text + reply->got, data, count) != 0) return -1;
    reply->got += count;
    return reply->got == connection->size;
}

/* The status must be 200, the length given. */
static bool read_head(struct reply *reply) {
    static const char name[] = "\ncontent-length:";
    char *head = reply->head;
    head[reply->head_count - 1] = 0;
    if (strncmp(head, "HTTP/1.1 200", 12) != 0 && strncmp(head, "HTTP/1.0 200", 12) != 0) return false;
    for (char *line = head; (line = strchr(line, '\n')); line++) {
        if (strncasecmp(line, name, sizeof name - 1) != 0) continue;
        char *end, *digits = line + sizeof name - 1;
        reply->body_size = strtoull(digits, &end, 10);
        return end != digits;
    }
    return false;
}

/* Takes bytes of the head; returns how many, or -1. */
static ssize_t take_head(struct reply *reply, const char *data, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (reply->head_count == HEAD_MAX) return -1;
        reply->head[reply->head_count++] = data[i];
        if (data[i] != '\n' || reply->head_count < 4) continue;
        if (memcmp(reply->head + reply->head_count - 4, "\r\n\r\n", 4) != 0) continue;
        if (!read_head(reply)) return -1;
        reply->in_body = true;
        return (ssize_t)i + 1;
    }
    return (ssize_t)count;
}

/* Takes bytes of the body; returns how many, or -1. */
static ssize_t take_body(const struct load_options *options, struct reply *reply, const char *data, size_t count) {
    size_t left = reply->body_size - reply->got;
    if (count > left) count = left;
    if (options->body) {
        if (reply->body_size != options->body_size) return -1;
        if (memcmp(options->body + reply->got, data, count) != 0) return -1;
    }
    reply->got += count;
    return (ssize_t)count;
}

static int take_http(const struct load_options *options, struct connection *connection, const char *data,
                     size_t count) {
    struct reply *reply = &connection->reply;
    unsigned wanted = options->pipeline ? options->pipeline : 1;
    while (count > 0) {
        if (reply->replies == wanted) return -1;
        ssize_t taken = reply->in_body ? take_body(options, reply, data, count) : take_head(reply, data, count);
        if (taken < 0) return -1;
        data += taken;
        count -= (size_t)taken;
        if (!reply->in_body || reply->got < reply->body_size) continue;
        *reply = (struct reply){.head = reply->head, .replies = reply->replies + 1};
    }
    return reply->replies == wanted;
}

int reply_take(const struct load *load, struct connection *connection, const char *data, size_t count) {
    if (!connection->busy) return -1;
    if (load->options.mode != LOAD_HTTP) return take_echo(connection, data, count);
    return take_http(&load->options, connection, data, count);
}
