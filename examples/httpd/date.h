/* SPDX-License-Identifier: MIT */
/* Dates as HTTP writes them (RFC 9110, 5.6.7). Seconds count from 1970, as those of time(2). */
#ifndef HTTPD_DATE_H
#define HTTPD_DATE_H

#include <stdint.h>

#include "text.h"

/* "Sun, 06 Nov 1994 08:49:37 GMT" and a zero. */
enum { DATE_SIZE = 30 };

/* Writes `seconds`, of the years 0 to 9999, in that form. */
void date_format(char text[DATE_SIZE], int64_t seconds);

/*
 * Reads a date in that form, or in one of the two that are to be understood but not to be written: "Sunday, 06-Nov-94
 * 08:49:37 GMT" and "Sun Nov  6 08:49:37 1994". A year of two digits is never more than 50 years after `now`. False: it is
 * no date, and `*seconds` is not written.
 */
bool date_parse(struct text text, int64_t now, int64_t *seconds);

#endif
