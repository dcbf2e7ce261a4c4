/* SPDX-License-Identifier: MIT */
/*
 * Skipping the body of a request, which this server has no use for, up to just where the next request begins. As the head,
 * it may come in pieces of any size.
 */
#ifndef HTTPD_BODY_H
#define HTTPD_BODY_H

#include "request.h"

struct body {
    enum {
        BODY_DATA_BY_LENGTH,
        BODY_SIZE_FIRST, /* of a chunk: its first digit */
        BODY_SIZE,
        BODY_EXTENSION,
        BODY_SIZE_FEED, /* the LF after it */
        BODY_DATA,
        BODY_DATA_RETURN,
        BODY_DATA_FEED,
        BODY_TRAILER_FIRST, /* the first byte of a line after the last chunk */
        BODY_TRAILER_NAME,
        BODY_TRAILER_VALUE,
        BODY_TRAILER_FEED,
        BODY_LAST_FEED,
        BODY_DONE,
    } state;
    uint64_t left;  /* of the data of the chunk, or of the body */
    uint64_t spent; /* all bytes so far, those between the chunks included */
    uint64_t max;   /* of `spent` */
};

/*
 * Begins with the body of `request`; one longer than `max` bytes, with all that is between its chunks, is refused.
 *
 * Returns 0, or -413: it is known already to be longer
 */
int body_begin(struct body *body, const struct request *request, uint64_t max);

/*
 * Skips what has come of it. `*used` says how many of the `length` bytes are the body's.
 *
 * Returns  1      it has ended
 *          0      there is more to come; all bytes were used
 *          -400   it is no chunked body; -413: it is too long
 */
int body_skip(struct body *body, const char *bytes, size_t length, size_t *used);

#endif
