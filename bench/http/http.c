/* SPDX-License-Identifier: MIT */
#include "http.h"

#include <stdio.h>
#include <string.h>

#include "../net/net.h"

enum { CONNECTIONS = 50, FILE_SIZE = 4096 };

static const char hello_request[] = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
static const char hello_reply[] =
    "HTTP/1.1 200 OK\r\nServer: bench\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\n" HTTP_HELLO;

uint64_t http_hello(struct run *run) {
    struct net_work work = {.service = {.what = "http-hello"},
                            .load = {.mode = LOAD_HTTP,
                                     .connections = CONNECTIONS,
                                     .path = "/",
                                     .body = HTTP_HELLO,
                                     .body_size = sizeof HTTP_HELLO - 1}};
    return net_measure(run, &work);
}

uint64_t http_hello_serial(struct run *run) {
    struct floor_work work = {.connections = CONNECTIONS,
                              .request = hello_request,
                              .request_size = sizeof hello_request - 1,
                              .reply = hello_reply,
                              .reply_size = sizeof hello_reply - 1};
    return net_floor(run, &work);
}

static void fill(char *content) {
    for (unsigned i = 0; i < FILE_SIZE; i++) content[i] = (char)(i % 64 == 63 ? '\n' : 'a' + i % 25);
}

/* In the scratch folder, under the name that is asked for. */
static void write_file(char *path, size_t size, const char *content) {
    snprintf(path, size, "%s%s", scratch_folder(), HTTP_FILE_TARGET);
    FILE *file = fopen(path, "w");
    if (!file || fwrite(content, 1, FILE_SIZE, file) != FILE_SIZE || fclose(file) != 0) fail("cannot write %s", path);
}

uint64_t http_file(struct run *run) {
    char content[FILE_SIZE], path[256];
    fill(content);
    write_file(path, sizeof path, content);
    struct net_work work = {.service = {.what = "http-file", .argument = path},
                            .load = {.mode = LOAD_HTTP,
                                     .connections = CONNECTIONS,
                                     .path = HTTP_FILE_TARGET,
                                     .body = content,
                                     .body_size = FILE_SIZE}};
    return net_measure(run, &work);
}

uint64_t http_file_serial(struct run *run) {
    static char reply[FILE_SIZE + 128];
    int head = snprintf(reply, sizeof reply, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", FILE_SIZE);
    struct floor_work work = {.connections = CONNECTIONS,
                              .request = hello_request,
                              .request_size = sizeof hello_request - 1,
                              .reply = reply,
                              .reply_size = (size_t)head + FILE_SIZE};
    fill(reply + head);
    return net_floor(run, &work);
}
