/* SPDX-License-Identifier: MIT */
/*
 * GET /metrics. As little of HTTP/1.1 as a scraper needs: one request a connection, so that there is no state between two,
 * and nothing is ever left unread but what the answer does not depend on. Before it closes, the server says that it is done
 * and waits a little for the other side to be, since the kernel would else break off what is still under way.
 */
#include <filch/metrics_serve.h>

#include <errno.h>
#include <filch/metrics.h>
#include <filch/stream.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "alloc/heap.h"

enum {
    CONNECTIONS_DEFAULT = 16,
    HEAD_MAX = 8192, /* bytes of a request line and its fields */
    LINE_SIZE = 1024,
    LINGER_BYTES = 65536,
};

#define TIMEOUT_NS FILCH_SEC(10)
#define GRACE_NS FILCH_SEC(1)
#define LINGER_NS FILCH_SEC(1)

enum status {
    OK = 200,
    BAD_REQUEST = 400,
    NOT_FOUND = 404,
    NOT_ALLOWED = 405,
    TIMED_OUT = 408,
    TOO_LARGE = 431,
    UNAVAILABLE = 503,
    WRONG_VERSION = 505,
};

struct request {
    enum status status; /* of the answer */
    bool head;          /* HEAD: without its body */
    bool since_1_1;     /* must name a host */
    unsigned hosts;
};

/* ------------------------------------------------------------------------------------------------------ the request */

/* The path of a target: "/path?query" or "http://host/path?query". */
static bool is_path(const char *target, const char *path) {
    if (strncasecmp(target, "http://", 7) == 0) target = target + 7 + strcspn(target + 7, "/?");
    size_t length = strcspn(target, "?");
    return length == strlen(path) && memcmp(target, path, length) == 0;
}

static void read_version(struct request *request, const char *version) {
    if (strncmp(version, "HTTP/", 5) != 0 || version[5] < '0' || version[5] > '9' || version[6] != '.' ||
        version[7] < '0' || version[7] > '9' || version[8] != '\0') {
        request->status = BAD_REQUEST;
    } else if (version[5] != '1') {
        request->status = WRONG_VERSION;
    }
    request->since_1_1 = version[5] == '1' && version[7] != '0';
}

/* "GET /metrics HTTP/1.1" */
static void read_request_line(struct request *request, char *line, const char *path) {
    char *target = strchr(line, ' '), *version = target == NULL ? NULL : strchr(target + 1, ' ');
    request->status = BAD_REQUEST;
    if (version == NULL || target == line || version == target + 1 || strchr(version + 1, ' ') != NULL) return;
    *target++ = *version++ = '\0';
    request->head = strcmp(line, "HEAD") == 0;
    request->status = OK;
    if (!request->head && strcmp(line, "GET") != 0) request->status = NOT_ALLOWED;
    if (!is_path(target, path)) request->status = NOT_FOUND;
    read_version(request, version);
}

/* "Host: example.org" */
static void read_field(struct request *request, const char *line) {
    size_t name = strcspn(line, ": \t");
    if (name == 0 || line[name] != ':') request->status = BAD_REQUEST;
    if (name == 4 && strncasecmp(line, "Host", 4) == 0) request->hosts++;
}

/* What is answered to one whose line did not come whole, or 0: nothing, it has gone or is to go. */
static enum status status_of(ssize_t error) {
    switch (error) {
    case -ETIMEDOUT:
        return TIMED_OUT;
    case -EMSGSIZE:
    case -ENOBUFS:
        return TOO_LARGE;
    case -ENODATA:
        return BAD_REQUEST;
    case -ENOMEM:
        return UNAVAILABLE;
    default:
        return 0;
    }
}

/* Reads a line, and counts its bytes in `*size`. False: `request->status` is settled. */
static bool read_line(filch_stream *stream, struct request *request, char *line, size_t *size,
                      filch_deadline deadline) {
    ssize_t length = filch_stream_read_line(stream, line, LINE_SIZE, deadline);
    if (length <= 0) {
        request->status = status_of(length);
        return false;
    }
    *size += (size_t)length;
    if (*size > HEAD_MAX) request->status = TOO_LARGE;
    size_t end = (size_t)length - strlen(line);
    if (end > 2) request->status = BAD_REQUEST; /* there is a zero in it */
    return *size <= HEAD_MAX && end <= 2;
}

static void read_request(filch_stream *stream, struct request *request, const char *path, filch_deadline deadline) {
    char line[LINE_SIZE];
    size_t size = 0;
    do {
        if (!read_line(stream, request, line, &size, deadline)) return;
    } while (*line == '\0'); /* a client may send an empty one before */
    read_request_line(request, line, path);
    for (;;) {
        if (!read_line(stream, request, line, &size, deadline)) return;
        if (*line == '\0') break;
        read_field(request, line);
    }
    if (request->since_1_1 && request->hosts != 1) request->status = BAD_REQUEST;
}

/* ------------------------------------------------------------------------------------------------------- the answer */

static const char *reason_of(enum status status) {
    switch (status) {
    case OK:
        return "OK";
    case BAD_REQUEST:
        return "Bad Request";
    case NOT_FOUND:
        return "Not Found";
    case NOT_ALLOWED:
        return "Method Not Allowed";
    case TIMED_OUT:
        return "Request Timeout";
    case TOO_LARGE:
        return "Request Header Fields Too Large";
    case UNAVAILABLE:
        return "Service Unavailable";
    case WRONG_VERSION:
        return "HTTP Version Not Supported";
    }
    return "";
}

/* The metrics, in memory of `*size` for filch__heap_put, or NULL: there is none. */
static char *make_text(filch_runtime *runtime, size_t *size, size_t *length) {
    ssize_t needed = filch_metrics_text(runtime, NULL, 0);
    while (needed >= 0) {
        *size = (size_t)needed + (size_t)needed / 8 + 4096;
        char *text = filch__heap_get(*size, 16);
        if (text == NULL) return NULL;
        needed = filch_metrics_text(runtime, text, *size);
        *length = (size_t)needed;
        if (needed >= 0 && (size_t)needed < *size) return text;
        filch__heap_put(text, *size, 16);
    }
    return NULL;
}

static int write_answer(filch_stream *stream, const struct request *request, const char *body, size_t length,
                        filch_deadline deadline) {
    char head[256];
    const char *type = request->status == OK ? "text/plain; version=0.0.4; charset=utf-8" : "text/plain";
    const char *allow = request->status == NOT_ALLOWED ? "Allow: GET, HEAD\r\n" : "";
    int size = snprintf(head, sizeof head,
                        "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n%sConnection: close\r\n\r\n",
                        (int)request->status, reason_of(request->status), type, length, allow);
    int error = filch_stream_write(stream, head, (size_t)size, NULL, deadline);
    if (error == 0 && !request->head) error = filch_stream_write(stream, body, length, NULL, deadline);
    return error;
}

static int answer(filch_stream *stream, struct request *request, filch_runtime *runtime, filch_deadline deadline) {
    size_t size = 0, length = 0;
    char *text = request->status == OK ? make_text(runtime, &size, &length) : NULL, line[64];
    if (request->status == OK && text == NULL) request->status = UNAVAILABLE;
    const char *body = text;
    if (text == NULL) {
        length = (size_t)snprintf(line, sizeof line, "%s\n", reason_of(request->status));
        body = line;
    }
    int error = write_answer(stream, request, body, length, deadline);
    if (text != NULL) filch__heap_put(text, size, 16);
    return error;
}

/* Says that no more will come, and waits until the other side has closed, or for a while. */
static int part(filch_stream *stream, filch_deadline deadline) {
    char rest[512];
    int error = filch_stream_shutdown(stream, deadline);
    if (error != 0) return error;
    filch_deadline until = filch_after(LINGER_NS);
    for (size_t left = LINGER_BYTES; left >= sizeof rest; left -= sizeof rest) {
        if (filch_stream_read(stream, rest, sizeof rest, until) <= 0) break;
    }
    return 0;
}

/* --------------------------------------------------------------------------------------------------------- serving */

static int serve_one(filch_fd connection, const filch_address *peer, void *arg) {
    const filch_metrics_serve_options *options = arg;
    filch_stream *stream;
    (void)peer;
    int error = filch_stream_open_fd(&stream, connection, &(filch_stream_options){.read_limit = HEAD_MAX});
    if (error != 0) return error;
    struct request request = {0};
    read_request(stream, &request, options->path, filch_after(options->timeout_ns));
    if (request.status != 0) {
        filch_deadline deadline = filch_after(options->timeout_ns);
        error = answer(stream, &request, options->runtime, deadline);
        if (error == 0) error = part(stream, deadline);
    }
    filch_stream_destroy(stream);
    return error;
}

int filch_metrics_serve(filch_fd listener, const filch_metrics_serve_options *options) {
    filch_metrics_serve_options chosen = {0};
    if (options != NULL) chosen = *options;
    if (chosen.path == NULL) chosen.path = "/metrics";
    if (*chosen.path != '/' || chosen.timeout_ns < 0) return -EINVAL;
    if (chosen.max_connections == 0) chosen.max_connections = CONNECTIONS_DEFAULT;
    if (chosen.timeout_ns == 0) chosen.timeout_ns = TIMEOUT_NS;
    if (chosen.grace_ns == 0) chosen.grace_ns = GRACE_NS;
    filch_serve_options serve = {.max_connections = chosen.max_connections,
                                 .grace_ns = chosen.grace_ns,
                                 .server = chosen.server,
                                 .task = &(filch_task_options){.name = "metrics"}};
    return filch_serve(listener, serve_one, &chosen, &serve);
}
