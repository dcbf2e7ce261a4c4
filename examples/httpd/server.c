/* SPDX-License-Identifier: MIT */
#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <filch/socket.h>
#include <filch/tcp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "connection.h"
#include "secure.h"
#include "stop.h"

static int complain(const char *what, int error) {
    fprintf(stderr, "httpd: %s: %s\n", what, strerror(-error));
    return error;
}

bool server_is_closing(struct server *server) {
    if (atomic_load_explicit(&server->is_stopping, memory_order_relaxed)) return true;
    return filch_server_counts(&server->serving).active >= server->options->connections;
}

/* ------------------------------------------------------------------------------------------------------ begin and end */

static int open_root(struct server *server) {
    const char *name = server->options->root;
    int root = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root < 0) return complain(name, -errno);
    kept_begin(&server->files, root, server->options->kept_seconds);
    return 0;
}

static int open_tls(struct server *server) {
    const struct options *options = server->options;
    server->tls = NULL;
    return options->certificate == NULL ? 0 : secure_open(&server->tls, options->certificate, options->key);
}

static int open_log(struct server *server) {
    const char *name = server->options->log;
    int error = log_open(&server->log, name);
    return error == 0 ? 0 : complain(name, error);
}

/* Listens, and says where: with port 0 nobody else knows. */
static int open_listener(struct server *server, filch_fd *listener) {
    char text[FILCH_ADDRESS_TEXT_MAX];
    const struct options *options = server->options;
    filch_address address;
    int error = filch_tcp_listen(listener, &options->address, NULL);
    if (error != 0) return complain(filch_address_format(&options->address, text, sizeof(text)), error);
    error = filch_fd_address(*listener, false, &address);
    if (error != 0) return complain("listening", error);
    printf("Serving %s at http%s://%s/\n", options->root, server->tls != NULL ? "s" : "",
           filch_address_format(&address, text, sizeof(text)));
    fflush(stdout);
    return 0;
}

/* --------------------------------------------------------------------------------------------------------------- serve */

/* No more connections, and those that there are end with the requests that have come. */
static void stop(struct server *server) {
    pthread_mutex_lock(&server->lock);
    atomic_store_explicit(&server->is_stopping, true, memory_order_relaxed);
    connection_end_all(server->connections);
    pthread_mutex_unlock(&server->lock);
    filch_server_stop(&server->serving);
}

/* The task that waits for signals: the first stops the server, the second one does not wait until it has stopped. */
static int watch(void *arg) {
    struct server *server = arg;
    int number = stop_wait(server->stop);
    if (number == -ECANCELED) return 0;
    stop(server);
    number = stop_wait(server->stop);
    if (number > 0) stop_at_once(number);
    return 0;
}

static int serve(struct server *server, filch_fd listener) {
    filch_task *watcher;
    int error = filch_spawn(&watcher, watch, server, &(filch_task_options){.name = "watcher"});
    if (error != 0) return complain("starting", error);
    error = filch_serve(listener, connection_serve, server,
                        &(filch_serve_options){.max_connections = server->options->connections,
                                               .grace_ns = server->options->stop_ns,
                                               .server = &server->serving});
    filch_task_cancel(watcher);
    if (filch_await(watcher, NULL, FILCH_NEVER) != 0) filch_task_detach(watcher);
    if (error != 0 && error != -ETIMEDOUT) complain("serving", error);
    return error;
}

/* With the log written. */
static int serve_and_log(struct server *server, filch_fd listener) {
    filch_task *writer;
    int error = filch_spawn(&writer, log_write, &server->log, &(filch_task_options){.name = "log"});
    if (error != 0) return complain("starting", error);
    error = serve(server, listener);
    log_end(&server->log);
    if (filch_await(writer, NULL, FILCH_NEVER) != 0) filch_task_detach(writer);
    return error;
}

/* Who is told that there is a server may stop it at once. */
static int listen_and_serve(struct server *server) {
    filch_fd listener = FILCH_FD_NONE;
    int error = stop_open(&server->stop);
    if (error != 0) return complain("signals", error);
    error = open_listener(server, &listener);
    if (error == 0) error = serve_and_log(server, listener);
    filch_fd_close(listener);
    filch_fd_close(server->stop);
    return error;
}

int server_run(void *arg) {
    struct server *server = arg;
    pthread_mutex_init(&server->lock, NULL);
    int error = open_root(server);
    if (error != 0) return error;
    error = open_tls(server);
    if (error == 0) {
        error = open_log(server);
        if (error == 0) {
            error = listen_and_serve(server);
            log_close(&server->log);
        }
        secure_close(server->tls);
    }
    kept_end(&server->files);
    close(server->files.root);
    pthread_mutex_destroy(&server->lock);
    return error;
}
