/* SPDX-License-Identifier: MIT */
/* Requests of HTTP/1.1, as far as a server needs to read them that has no use for bodies. */
#ifndef BENCH_HTTP_REQUEST_H
#define BENCH_HTTP_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

enum { REQUEST_MAX = 4096 };

struct request {
    const char *target; /* in the text that was parsed */
    size_t target_size;
    bool get;   /* the method */
    bool close; /* the connection is to end after the answer */
    bool body;  /* something follows that this does not read */
};

/*
 * Parses a request that begins at `text`: the line, then each header's name and value.
 * Returns its length; 0: more of it must come first; -1: this is none, or longer than REQUEST_MAX.
 */
long request_parse(struct request *request, const char *text, size_t size);

#endif
