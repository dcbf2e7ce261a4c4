/* SPDX-License-Identifier: MIT */
#include "fetch.h"

#include <errno.h>
#include <filch/stream.h>
#include <filch/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "url.h"

enum { LINE_SIZE = 2048, LINES_MAX = 200 };

static struct iovec part(const char *bytes, size_t length) {
    return (struct iovec){(void *)bytes, length};
}

/* HTTP/1.0, so that the body has a length or ends with the connection, and is not cut into chunks. */
static int ask(filch_stream *stream, const struct url *url, filch_deadline deadline) {
    static const char fields[] = "\r\nAccept: */*\r\nUser-Agent: filch-parallel-fetch\r\n\r\n";
    struct iovec parts[] = {
        part("GET ", 4),
        part("/", url->target[0] == '/' ? 0 : 1),
        part(url->target, url->target_length),
        part(" HTTP/1.0\r\nHost: ", 17),
        part(url->authority, url->authority_length),
        part(fields, sizeof(fields) - 1),
    };
    return filch_stream_writev(stream, parts, sizeof(parts) / sizeof(parts[0]), NULL, deadline);
}

/* A line of the answer's head, without its end. 0, or why not; longer ones are no answer. */
static int read_line(filch_stream *stream, char *line, filch_deadline deadline) {
    ssize_t length = filch_stream_read_line(stream, line, LINE_SIZE, deadline);
    if (length > 0) return 0;
    return length == 0 ? -ENODATA : length == -ENOBUFS || length == -EMSGSIZE ? -EPROTO : (int)length;
}

/* "HTTP/1.1 200 OK" */
static int parse_status(const char *line, int *status) {
    if (strncmp(line, "HTTP/1.", 7) != 0 || line[7] == '\0' || line[8] != ' ') return -EPROTO;
    char *end;
    long number = strtol(line + 9, &end, 10);
    if (number < 100 || number > 999 || end != line + 12) return -EPROTO;
    *status = (int)number;
    return 0;
}

/* `*length` is what the fields say that the body has; UINT64_MAX: as much as comes. */
static int read_head(filch_stream *stream, int *status, uint64_t *length, filch_deadline deadline) {
    char line[LINE_SIZE];
    int error = read_line(stream, line, deadline);
    if (error == 0) error = parse_status(line, status);
    *length = UINT64_MAX;
    for (int i = 0; error == 0 && i < LINES_MAX; i++) {
        static const char name[] = "content-length:";
        error = read_line(stream, line, deadline);
        if (error == 0 && line[0] == '\0') return 0;
        if (strncasecmp(line, name, strlen(name)) == 0) *length = strtoull(line + strlen(name), NULL, 10);
    }
    return error != 0 ? error : -EPROTO;
}

static uint64_t digest(uint64_t so_far, const unsigned char *bytes, size_t count) {
    for (size_t i = 0; i < count; i++) so_far = (so_far ^ bytes[i]) * UINT64_C(0x100000001b3);
    return so_far;
}

/* Looks at the body where it lies, in the stream's buffer. */
static int read_body(filch_stream *stream, uint64_t length, struct fetched *fetched, filch_deadline deadline) {
    fetched->digest = UINT64_C(0xcbf29ce484222325);
    while (fetched->bytes < length) {
        const void *bytes;
        ssize_t shown = filch_stream_peek(stream, 1, &bytes, deadline);
        if (shown < 0) return (int)shown;
        if (shown == 0) return length == UINT64_MAX ? 0 : -ENODATA;
        uint64_t left = length - fetched->bytes;
        size_t count = left < (uint64_t)shown ? (size_t)left : (size_t)shown;
        fetched->digest = digest(fetched->digest, bytes, count);
        fetched->bytes += count;
        int error = filch_stream_skip(stream, count);
        if (error != 0) return error;
    }
    return 0;
}

/* The stream, if there is one, is the caller's to end. */
static int open_stream(filch_stream **stream, const struct url *url, filch_deadline deadline) {
    filch_fd socket;
    int error = filch_tcp_connect(&socket, url->host, url->port, NULL, deadline);
    if (error != 0) return error;
    error = filch_stream_open_fd(stream, socket, NULL);
    if (error != 0) filch_fd_close(socket);
    return error;
}

int fetch(struct fetched *fetched, const char *text, filch_deadline deadline) {
    struct url url;
    filch_stream *stream;
    uint64_t length;
    *fetched = (struct fetched){0};
    int error = url_parse(&url, text);
    if (error == 0) error = open_stream(&stream, &url, deadline);
    if (error != 0) return error;
    error = ask(stream, &url, deadline);
    if (error == 0) error = read_head(stream, &fetched->status, &length, deadline);
    if (error == 0) error = read_body(stream, length, fetched, deadline);
    filch_stream_destroy(stream);
    return error;
}
