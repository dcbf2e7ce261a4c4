/* SPDX-License-Identifier: MIT */
/* Which part of a file is asked for (RFC 9110, 14). */
#ifndef HTTPD_RANGE_H
#define HTTPD_RANGE_H

#include <stdint.h>

#include "text.h"

struct range {
    uint64_t first, count;
};

enum range_kind {
    RANGE_WHOLE, /* all of it: nothing that could be understood, or several parts, which this server does not send */
    RANGE_PART,
    RANGE_OUTSIDE, /* no byte of the file */
};

/* Reads the value of a field Range, for a file of `size` bytes. `*range` is what is to be sent, unless it is outside. */
enum range_kind range_parse(struct text value, uint64_t size, struct range *range);

#endif
