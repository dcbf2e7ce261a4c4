/* SPDX-License-Identifier: MIT */
/* The command line. */
#ifndef HTTPD_OPTIONS_H
#define HTTPD_OPTIONS_H

#include <filch/filch.h>
#include <filch/io.h>

#include "request.h"

struct options {
    const char *root; /* the directory that is served */
    filch_address address;
    unsigned workers;              /* 0: as many as filch chooses */
    size_t connections;            /* at once, at most */
    bool shows_hidden;             /* files whose names begin with "." too */
    int64_t kept_seconds;          /* for which files stay open that were served (kept.h); 0: they do not */
    const char *log;               /* the access log; "-": standard output; NULL: none */
    const char *certificate, *key; /* for TLS; NULL: without */

    /* against clients that are slow, or send too much */
    struct request_limits limits;
    uint64_t body_max; /* bytes of a request's body, which is skipped */
    int64_t header_ns; /* for the head of a request, from its first byte on, and for its body once more */
    int64_t idle_ns;   /* between two requests */
    int64_t send_ns;   /* for each quarter of a megabyte of an answer to go */
    int64_t stop_ns;   /* for requests to end once the server is stopped */
};

/* Reads the command line. Ends the process with a message where it is wrong or asks for help. */
void options_read(struct options *options, int argc, char **argv);

#endif
