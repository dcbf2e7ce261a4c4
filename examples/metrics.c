/* SPDX-License-Identifier: MIT */
/*
 * A program that tells how it is doing: tasks that work, and beside them a server at which Prometheus, or
 *
 *     curl http://127.0.0.1:9464/metrics
 *
 * finds what the workers do. Here the program asks itself, once, with whichever port is free, prints some of the answer, and
 * ends: the server is a task like others, which ends when it is told to, or with its scope.
 */
#include <filch/filch.h>
#include <filch/io.h>
#include <stdio.h>
#include <string.h>

struct program {
    filch_fd listener;
    filch_address address;
    filch_server server;
};

static int metrics(void *arg) {
    struct program *program = arg;
    return filch_metrics_serve(program->listener, &(filch_metrics_serve_options){.server = &program->server});
}

static int work(void *arg) {
    (void)arg;
    return filch_sleep(FILCH_MS(1));
}

static int scrape(struct program *program) {
    static const char request[] = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";
    filch_deadline deadline = filch_after(FILCH_SEC(10));
    filch_fd fd;
    filch_stream *stream;
    char line[512];
    ssize_t length;
    int error = filch_tcp_connect_address(&fd, &program->address, NULL, deadline);
    if (error != 0) return error;
    if ((error = filch_stream_open_fd(&stream, fd, NULL)) != 0) {
        filch_fd_close(fd);
        return error;
    }
    error = filch_stream_write(stream, request, sizeof request - 1, NULL, deadline);
    while (error == 0 && (length = filch_stream_read_line(stream, line, sizeof line, deadline)) != 0) {
        if (length < 0) {
            error = (int)length;
        } else if (strncmp(line, "HTTP/", 5) == 0 || strncmp(line, "filch_workers{", 14) == 0) {
            printf("%s\n", line);
        }
    }
    filch_stream_destroy(stream);
    return error;
}

static int program(void *arg) {
    struct program program = {0};
    filch_address any = filch_address_ip4_loopback(0);
    filch_scope scope;
    (void)arg;
    int error = filch_tcp_listen(&program.listener, &any, NULL);
    if (error != 0) return error;
    if ((error = filch_fd_address(program.listener, false, &program.address)) != 0) return error;
    if ((error = filch_scope_open(&scope, NULL)) != 0) return error;
    error = filch_scope_spawn(&scope, NULL, metrics, &program, NULL);
    for (int i = 0; i < 100 && error == 0; i++) error = filch_scope_spawn(&scope, NULL, work, NULL, NULL);
    if (error == 0) error = scrape(&program);
    filch_server_stop(&program.server);
    filch_scope_fail(&scope, error);
    error = filch_scope_close(&scope);
    filch_fd_close(program.listener);
    return error;
}

int main(void) {
    return filch_run(program, NULL, &(filch_options){.name = "shop", .workers = 2}) == 0 ? 0 : 1;
}
