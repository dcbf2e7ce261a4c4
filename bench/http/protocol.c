/* SPDX-License-Identifier: MIT */
/*
 * A server of HTTP/1.1 with one page: a greeting, or a file. It reads requests, also several at once or in pieces, keeps
 * connections, and answers 404 to other targets and 400 to what it does not understand. The file is read anew, from the
 * kernel's cache, for each request.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../common/bench.h"
#include "../net/protocol.h"
#include "http.h"
#include "request.h"

/* What has come of a request that is not complete. */
struct state {
    char *held;
    size_t held_size;
    bool closing;
};

static int file = -1;

static const char hello[] =
    "HTTP/1.1 200 OK\r\nServer: bench\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\n" HTTP_HELLO;
static const char bad[] = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
static const char missing[] = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";

static void open_file(const char *path) {
    file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) fail("cannot open %s", path);
}

/* The head and the file behind it. */
static ssize_t answer_file(char *room, const char **out) {
    struct stat status;
    if (fstat(file, &status) != 0 || status.st_size > HTTP_FILE_MAX) return -1;
    int head =
        sprintf(room, "HTTP/1.1 200 OK\r\nServer: bench\r\nContent-Type: text/plain\r\nContent-Length: %lld\r\n\r\n",
                (long long)status.st_size);
    ssize_t size = pread(file, room + head, (size_t)status.st_size, 0);
    *out = room;
    return size == status.st_size ? head + size : -1;
}

static ssize_t answer_request(struct state *state, const struct request *request, char *room, const char **out) {
    state->closing = request->close;
    if (!request->get || request->body) {
        state->closing = true;
        *out = bad;
        return sizeof bad - 1;
    }
    const char *wanted = file < 0 ? "/" : HTTP_FILE_TARGET;
    if (request->target_size != strlen(wanted) || memcmp(request->target, wanted, request->target_size) != 0) {
        *out = missing;
        return sizeof missing - 1;
    }
    if (file >= 0) return answer_file(room, out);
    *out = hello;
    return sizeof hello - 1;
}

/* Puts what has come behind what is held. The whole of it is what is parsed then. */
static void hold(struct state *state, const char **in, size_t *count) {
    state->held = realloc(state->held, state->held_size + *count);
    if (!state->held) fail("no memory");
    memcpy(state->held + state->held_size, *in, *count);
    state->held_size += *count;
    *in += *count;
    *count = 0;
}

/* Parses what is held; the rest, of which there is little, moves to the front. */
static long parse_held(struct state *state, struct request *request, char *room) {
    long length = request_parse(request, state->held, state->held_size);
    if (length <= 0) return length;
    memcpy(room, request->target, request->target_size);
    request->target = room;
    state->held_size -= (size_t)length;
    memmove(state->held, state->held + length, state->held_size);
    return length;
}

static ssize_t answer(void *arg, const char **in, size_t *count, char *room, const char **out) {
    struct state *state = arg;
    struct request request;
    if (state->closing) return -1;
    if (state->held_size == 0 && *count == 0) return 0;
    long length;
    if (state->held_size > 0) {
        if (*count > 0) hold(state, in, count);
        length = parse_held(state, &request, room);
    } else {
        length = request_parse(&request, *in, *count);
        if (length == 0) hold(state, in, count);
        if (length > 0) {
            *in += length;
            *count -= (size_t)length;
        }
    }
    if (length > 0) return answer_request(state, &request, room, out);
    if (length == 0) return 0;
    state->closing = true;
    *out = bad;
    return sizeof bad - 1;
}

static void end(void *arg) {
    free(((struct state *)arg)->held);
}

const struct protocol http_hello_protocol = {
    .what = "http-hello", .state = sizeof(struct state), .room = HTTP_ROOM, .answer = answer, .end = end};

const struct protocol http_file_protocol = {.what = "http-file",
                                            .state = sizeof(struct state),
                                            .room = HTTP_ROOM,
                                            .prepare = open_file,
                                            .answer = answer,
                                            .end = end};
