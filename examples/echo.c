/* SPDX-License-Identifier: MIT */
/*
 * An echo server and its clients in one program: a task for each connection on both sides, each written as if it were
 * alone. The server is stopped when the last client is done, and says what it has served.
 */
#include <errno.h>
#include <filch/filch.h>
#include <filch/io.h>
#include <stdio.h>
#include <string.h>

enum { CLIENTS = 3 };

struct program {
    filch_fd listener;
    filch_address address;
    filch_server server;
};

static int echo(filch_fd connection, const filch_address *peer, void *arg) {
    char buffer[4096];
    ssize_t size;
    int error = 0;
    (void)peer, (void)arg;
    while (error == 0 && (size = filch_fd_read(connection, buffer, sizeof buffer, filch_after(FILCH_SEC(30)))) != 0) {
        error = size < 0 ? (int)size : filch_fd_write_all(connection, buffer, (size_t)size, NULL, FILCH_NEVER);
    }
    return error;
}

static int serve(void *arg) {
    struct program *program = arg;
    filch_serve_options options = {.server = &program->server, .max_connections = 100, .grace_ns = FILCH_SEC(1)};
    return filch_serve(program->listener, echo, NULL, &options);
}

static int client(void *arg) {
    struct program *program = arg;
    static const char *const words[] = {"to", "be", "or", "not"};
    char answer[8] = "";
    filch_fd fd;
    int error = filch_tcp_connect_address(&fd, &program->address, NULL, filch_after(FILCH_SEC(10)));
    if (error != 0) return error;
    for (int i = 0; i < 4 && error == 0; i++) {
        size_t size = strlen(words[i]) + 1;
        error = filch_fd_write_all(fd, words[i], size, NULL, FILCH_NEVER);
        if (error == 0) error = filch_fd_read_exactly(fd, answer, size, NULL, filch_after(FILCH_SEC(10)));
        if (error == 0 && strcmp(answer, words[i]) != 0) error = -EBADMSG;
    }
    filch_fd_close(fd);
    return error;
}

static int echoes(void *arg) {
    struct program program = {0};
    filch_address any = filch_address_ip4_loopback(0); /* 0: whichever port is free */
    filch_scope scope;
    filch_task *clients[CLIENTS];
    (void)arg;
    int error = filch_tcp_listen(&program.listener, &any, NULL);
    if (error != 0) return error;
    if ((error = filch_fd_address(program.listener, false, &program.address)) != 0) return error;
    if ((error = filch_scope_open(&scope, NULL)) != 0) return error;
    error = filch_scope_spawn(&scope, NULL, serve, &program, NULL);
    for (int i = 0; i < CLIENTS && error == 0; i++)
        error = filch_scope_spawn(&scope, &clients[i], client, &program, NULL);
    for (int i = 0; i < CLIENTS && error == 0; i++) error = filch_await(clients[i], NULL, FILCH_NEVER);
    filch_server_stop(&program.server);
    filch_scope_fail(&scope, error);
    error = filch_scope_close(&scope); /* what a client, or the server, failed with */
    filch_fd_close(program.listener);
    filch_serve_counts counts = filch_server_counts(&program.server);
    printf("%llu connections, %llu failed\n", (unsigned long long)counts.accepted, (unsigned long long)counts.failed);
    return error;
}

int main(void) {
    return filch_run(echoes, NULL, NULL) == 0 ? 0 : 1;
}
