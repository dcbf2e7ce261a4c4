/* SPDX-License-Identifier: MIT */
/*
 * A bounded load on a server of this machine: one thread, one epoll(7) descriptor, connections that each have one request
 * (or one pipeline of them) under way. What comes back is compared with what must come back.
 *
 *     load_open       connects
 *     load_run        sends so many requests, or for so long, and waits for the answers: any number of times
 *     load_close
 *
 * A run ends by itself: when all is answered, or when nothing has come for `patience_ns`.
 */
#ifndef BENCH_LOAD_LOAD_H
#define BENCH_LOAD_LOAD_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "histogram.h"

enum load_mode {
    LOAD_ECHO, /* `size` bytes, which come back */
    LOAD_HTTP, /* GET `path`, and keep the connection */
    LOAD_STORM /* connect, `size` bytes, which come back, close; with size 0: connect, close, be told that it was seen */
};

enum { LOAD_SIZE_MAX = 1 << 20, LOAD_CONNECTIONS_MAX = 100000, LOAD_PIPELINE_MAX = 64, LOAD_PROBLEM_MAX = 96 };

struct load_address {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } socket;
    socklen_t length;
};

struct load_options {
    enum load_mode mode;
    struct load_address address;
    unsigned connections; /* LOAD_STORM: that are under way at once */
    size_t size;
    const char *path;    /* LOAD_HTTP */
    const char *body;    /* LOAD_HTTP: what must be answered; NULL: anything */
    size_t body_size;    /* its length */
    unsigned pipeline;   /* LOAD_HTTP: requests that are sent at once; 0 is 1 */
    int64_t patience_ns; /* how long nothing may come */
};

/* A run: `requests` of them or, where that is 0, as many as go into `duration_ns`. */
struct load_phase {
    int64_t requests;
    int64_t duration_ns;
    double rate; /* requests a second at fixed times, whether the answers come or not; 0: each after the last answer */
};

struct load_result {
    int64_t wanted;   /* that were to be sent */
    int64_t answered; /* as they should be */
    int64_t lost;     /* wanted, and not answered */
    int64_t errors;   /* connections that failed, or on which something else came back */
    int64_t elapsed_ns;
    char problem[LOAD_PROBLEM_MAX]; /* the first error */
    struct histogram latency;       /* with a rate: since it was due, also of what was lost */
};

struct load;

/*
 * Reads "127.0.0.1:80", "[::1]:80" or ":80". Addresses of other machines are refused. NULL, or what is wrong with it.
 */
const char *load_address_parse(struct load_address *address, const char *text);

/* Connects. NULL, or what went wrong; `*load` is not written then. */
const char *load_open(struct load **load, const struct load_options *options);

/* Sends, and waits for the answers. After a run with errors or losses only load_close makes sense. */
void load_run(struct load *load, const struct load_phase *phase, struct load_result *result);

void load_close(struct load *load);

#endif
