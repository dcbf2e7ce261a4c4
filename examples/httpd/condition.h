/* SPDX-License-Identifier: MIT */
/*
 * Conditions that a request sets (RFC 9110, 13): whether the client has what it asks for already, and whether a part of it
 * still fits what it has.
 */
#ifndef HTTPD_CONDITION_H
#define HTTPD_CONDITION_H

#include "request.h"

/* What a file is known by. */
struct version {
    struct text tag;  /* with its quotes; strong */
    int64_t modified; /* seconds */
};

/*
 * Looks at If-Match, If-Unmodified-Since, If-None-Match and If-Modified-Since, in that order.
 *
 * Returns 200: it is to be sent; 304: the client has it; 412: it is not what the client believes it to be
 */
int condition_status(const struct request *request, const struct version *version, int64_t now);

/* Whether If-Range lets a part be sent. `now` as for date_parse. */
bool condition_allows_range(const struct request *request, const struct version *version, int64_t now);

#endif
