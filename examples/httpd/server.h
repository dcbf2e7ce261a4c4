/* SPDX-License-Identifier: MIT */
/* The server: what its connections have in common, and how it begins and ends. */
#ifndef HTTPD_SERVER_H
#define HTTPD_SERVER_H

#include <filch/serve.h>
#include <pthread.h>
#include <stdatomic.h>

#include "kept.h"
#include "log.h"
#include "options.h"

struct connection;
struct tls;

struct server {
    /* read-only while it serves */
    const struct options *options;
    struct tls *tls; /* NULL: without */
    filch_fd stop;   /* by which signals come */

    struct kept_files files; /* below the directory that is served */
    struct access_log log;
    filch_server serving;

    /* any task, under the lock, which is held for a few steps */
    pthread_mutex_t lock;
    struct connection *connections; /* all of them, linked */
    atomic_bool is_stopping;        /* written under it; read without by who can do with the answer of a moment ago */
};

/*
 * The main task: serves until SIGINT or SIGTERM, for which stop_prepare was called. `arg` is a server whose `options` are set, and nothing else. Says on
 * standard error why it could not begin.
 *
 * Returns 0: every request had ended; -ETIMEDOUT: some were cut off; or another negative errno: it could not begin
 */
int server_run(void *arg);

/* Whether answers are to be the last on their connections: the server is stopping, or others wait for the place. */
bool server_is_closing(struct server *server);

#endif
