/* SPDX-License-Identifier: MIT */
/*
 * Metrics by HTTP, for Prometheus and for curl: GET /metrics is answered with the text of filch/metrics.h.
 *
 *     static int metrics(void *arg) {
 *         return filch_metrics_serve(*(filch_fd *)arg, NULL);
 *     }
 *
 *     filch_address at = filch_address_ip4_loopback(9464);
 *     if ((error = filch_tcp_listen(&listener, &at, NULL)) == 0) error = filch_spawn(&task, metrics, &listener, NULL);
 *
 * Each connection is for one request. There is neither TLS nor a password: listen where only those come who may see it.
 */
#ifndef FILCH_METRICS_SERVE_H
#define FILCH_METRICS_SERVE_H

#include <filch/base.h>
#include <filch/fd.h>
#include <filch/runtime.h>
#include <filch/serve.h>

FILCH_BEGIN_DECLS

/* How to serve metrics. NULL in place of options, and zero in a field, is the default. */
typedef struct filch_metrics_serve_options {
    const char *path;       /* at which they are found; begins with '/'; default "/metrics". All else is 404 */
    filch_runtime *runtime; /* whose they are; lives until filch_metrics_serve returns; default: all of the process */
    size_t max_connections; /* at once; others wait in the listener's queue; default 16 */
    int64_t timeout_ns;     /* from a connection's first moment until its request has come; default 10 s. Its answer has
                               as long again to be taken */
    int64_t grace_ns;       /* as in filch_serve_options; default 1 s */
    filch_server *server;   /* likewise */
} filch_metrics_serve_options;

/*
 * Serves metrics at `listener`, TCP or Unix, by filch_serve, and ends as that does: by filch_server_stop, by a cancellation
 * of the caller, or because the listener was closed. The listener stays open.
 *
 * GET and HEAD are answered, of HTTP/1.0 and 1.1; a head of more than 8 KiB is refused (431), and what is no request (400).
 * Other methods are answered 405, other versions 505, and who does not send a request in time 408: until then it has one of
 * the places of `max_connections`. A body is not read.
 *
 * Returns  as filch_serve
 *          -EINVAL   also: `path` does not begin with '/', or `timeout_ns` is negative
 * Call     from a task
 * Waits    yes; a task may continue on another worker
 * Keeps    what the options name, until it returns
 */
FILCH_API FILCH_CHECK int filch_metrics_serve(filch_fd listener, const filch_metrics_serve_options *options);

FILCH_END_DECLS

#endif
