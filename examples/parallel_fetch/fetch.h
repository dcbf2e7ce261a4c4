/* SPDX-License-Identifier: MIT */
/* Fetching one URL. */
#ifndef PARALLEL_FETCH_FETCH_H
#define PARALLEL_FETCH_FETCH_H

#include <filch/filch.h>

/* What was fetched. */
struct fetched {
    int status;      /* of HTTP */
    uint64_t bytes;  /* of the body */
    uint64_t digest; /* of these: 64-bit FNV-1a */
};

/*
 * Fetches `url` within `deadline`. The body is not kept: only its digest.
 *
 * Returns  0
 *          -EINVAL    `url` is none that is understood
 *          -EPROTO    what came is no answer of HTTP
 *          -ENODATA   the answer ended before it was complete
 *          -ETIMEDOUT, -ECANCELED, -ECONNREFUSED ...   as the calls that wait
 */
int fetch(struct fetched *fetched, const char *url, filch_deadline deadline);

#endif
