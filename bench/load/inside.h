/* SPDX-License-Identifier: MIT */
/* What the files of this folder share. */
#ifndef BENCH_LOAD_INSIDE_H
#define BENCH_LOAD_INSIDE_H

#include <sys/epoll.h>

#include "load.h"

enum { HEAD_MAX = 1024, EVENTS_MAX = 256, INPUT_MAX = 64 * 1024, SLICES = 20 };

/* A reply that is being received. */
struct reply {
    size_t got;          /* bytes of an echo, or of a body */
    size_t body_size;    /* of HTTP, once the head is there */
    unsigned replies;    /* of a pipeline that are complete */
    unsigned head_count; /* bytes of the head so far; in_body: 0 */
    bool in_body;
    char *head; /* HTTP: HEAD_MAX bytes */
};

struct connection {
    int fd; /* -1: failed, or not open */
    bool connected;
    bool busy;        /* a request is under way */
    unsigned index;   /* in load->connections */
    int64_t turn;     /* with a rate: how many requests it has begun in this run */
    int64_t begun_ns; /* of the request: when it was sent or, with a rate, due */
    char *text;       /* the request */
    size_t size, put; /* its length; how much was sent */
    struct reply reply;
};

/* How far a run is. */
struct progress {
    const struct load_phase *phase;
    struct load_result *result;
    int64_t first_ns, end_ns; /* when it began, when nothing more is begun */
    unsigned quiet;           /* slices of its patience in which nothing came, one after the other */
    int64_t begun;            /* requests; with a rate: that have been due */
    unsigned busy;            /* connections */
};

struct load {
    struct load_options options;
    int epoll;
    struct connection *connections;
    char *texts, *heads; /* of all connections */
    char *input;         /* INPUT_MAX bytes */
    char problem[LOAD_PROBLEM_MAX];
    struct progress progress;
};

int64_t load_now(void);

/* Prepares the request, whose number is `number`, and forgets the reply before. */
void request_begin(const struct load *load, struct connection *connection, int64_t number, int64_t begun_ns);

/* Sends what is left of it. False where that failed. */
bool request_send(struct connection *connection);

/* Takes what has come. 1: the reply is complete; 0: not yet; -1: this is not what must come. */
int reply_take(const struct load *load, struct connection *connection, const char *data, size_t count);

/* Opens a socket and begins to connect it: the descriptor, or a negative errno. */
int connect_begin(const struct load *load, unsigned index);

/* Ends `connection`, and counts it as an error whose first is kept as text. */
void connection_fail(struct load *load, struct connection *connection, const char *what, int error);

/*
 * Waits for events: until `until_ns` or, where that is 0, for a slice of the patience that there is. Returns how many. A
 * slice in which there were none counts as quiet. So patience is only lost while this process waits, and not while the
 * machine has no time for it or for the server.
 */
int wait_events(struct load *load, struct epoll_event *events, int64_t until_ns);

/* Whether it has waited in vain for as long as it was to. */
bool is_out_of_patience(const struct load *load);

/* Whether more is to be begun at `now`. */
bool more_to_begin(const struct progress *progress, int64_t now);

/* A reply has come. */
void count_answer(struct progress *progress, struct connection *connection, int64_t now);

/* The two kinds of runs; load_run has prepared `load->progress`. */
void flow_run(struct load *load);
void storm_run(struct load *load);

#endif
