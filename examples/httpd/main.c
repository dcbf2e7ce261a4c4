/* SPDX-License-Identifier: MIT */
/*
 * httpd: serves the files of a directory by HTTP/1.1. From below to above:
 *
 *     text.h syntax.h                 pieces of text, classes of characters
 *     request target framing          the head of a request, strictly parsed
 *     body path range condition date  what else a client sends
 *     file media answer head          what it is sent
 *     log secure stop                 the access log, TLS, signals
 *     connection respond              a connection: a task that reads, answers, and reads again
 *     server                          all of them
 *
 * A connection is plain code that calls and waits; there is no event loop and no state machine beyond the parsers.
 */
#include <errno.h>
#include <signal.h>
#include <sys/resource.h>

#include "server.h"
#include "stop.h"

/* Each connection takes a descriptor, and each file that is sent. */
static void raise_descriptor_limit(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

int main(int argc, char **argv) {
    struct options options;
    options_read(&options, argc, argv);
    raise_descriptor_limit();
    stop_prepare();
    signal(SIGPIPE, SIG_IGN); /* of a log that is a pipe */
    struct server server = {.options = &options};
    int error = filch_run(server_run, &server, &(filch_options){.name = "httpd", .workers = options.workers});
    return error == 0 ? 0 : error == -ETIMEDOUT ? 1 : 2;
}
